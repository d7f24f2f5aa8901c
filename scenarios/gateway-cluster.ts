import { CoordinatorError } from "../coordinator/coordinator-error.ts";
import type { CoordinatorClient } from "../coordinator/service/client.ts";
import type { Env } from "../core/env/env.ts";
import type { NetworkError } from "../core/env/network.ts";
import { NokvError } from "../core/errors.ts";
import { checkGatewayOptions, type GatewayOptions } from "../net/redis/options.ts";
import { RedisServer } from "../net/redis/server.ts";
import type { Identity } from "../net/rpc/hello.ts";
import type { IncomingRequest } from "../net/rpc/incoming-request.ts";
import { Transport } from "../net/rpc/transport.ts";
import { TimestampModel } from "../sim/checkers/timestamp-model.ts";
import type { Dice } from "../sim/dice.ts";
import type { Machine } from "../sim/machine.ts";
import type { Scenario } from "../sim/scenario.ts";
import type { World } from "../sim/world.ts";
import type { TxnClientOptions } from "../txn/remote/client-options.ts";
import { ClusterKv } from "../txn/remote/cluster-kv.ts";
import { TxnClient } from "../txn/remote/txn-client.ts";
import { txnMethod } from "../txn/server/methods.ts";
import { type GatewayBackend, gatewayPort, GatewayRun, type ServingNode } from "./gateway-run.ts";
import { TxnCluster } from "./txn-cluster.ts";
import { bytesOf } from "./txn-user.ts";

const storePort = 7_000;
const storeIds = [1, 2, 3];
const regionsMax = 5;
/** Where regions may end: among the keys of the clients. */
const bounds = ["counter:2", "mixed:1", "mixed:2", "plain:1", "plain:2", "stable:3", "twin:b"];

export const gatewayCluster: Scenario = {
  name: "gateway-cluster",
  why: "What a Redis client of a cluster was told stays true, whatever becomes of gateways, leaders and answers.",
  weight: 3,
  run: (world) => new GatewayRun(world, (w, plan) => new ClusterBackend(w, plan)).run(),
};

export interface ClusterGateway extends ServingNode {
  readonly client: TxnClient;
}

/** Stores without disk and consensus, each on a machine with the product's service, and a gateway as their client. */
export class ClusterBackend implements GatewayBackend {
  readonly plan: string;
  readonly graceMs: number;
  readonly unknownMax = 50;
  readonly judgesLifetimes = false;
  readonly others: readonly Machine[];
  readonly #world: World;
  readonly #dice: Dice;
  readonly #cluster: TxnCluster;
  readonly #client: Partial<TxnClientOptions>;
  readonly #journeyUsMax: number;
  #harming = false;
  /** Per thousand: answers of the Coordinator that do not come, or are old. */
  #deaf = 0;

  constructor(world: World, plan: Dice) {
    this.#world = world;
    this.#dice = world.dice("cluster-backend");
    const applyUsMax = plan.pick([100, 2_000, 50_000]);
    this.#journeyUsMax = plan.pick([10, 1_000, 20_000]);
    // Enough for a walk over many small pages, however long the ways are.
    const latencyMs = Math.ceil(world.options.network.faults.latencyUsMax / 1_000);
    const attemptMs = plan.pick([300, 1_000, 2_000]) + 4 * latencyMs;
    const operationMs = plan.pick([2_000, 5_000, 10_000]) + 60 * latencyMs;
    this.#client = { attemptMs, operationMs, backgroundMs: 5_000, lockMs: plan.pick([200, 3_000]), pageEntriesMax: 3 };
    const deadlineMs = attemptMs;
    const cluster = { applyUsMax, confirmUsMax: applyUsMax, timestampUsMax: this.#journeyUsMax, deadlineMs };
    this.#cluster = new TxnCluster(world, cluster, new TimestampModel());
    for (let splits = plan.between(0, 3); splits > 0; splits--) this.#split(plan);
    // A request may lie in a network that stands still, and then wait in a store, before it is executed.
    this.graceMs = 20_000;
    this.plan = JSON.stringify({ ...cluster, ...this.#client });
    this.others = storeIds.map((id) => this.#world.machine(`store-${id}`));
    for (const [i, machine] of this.others.entries()) void this.#keepServing(machine, storeIds[i] ?? 0);
  }

  async open(env: Env, config: { readonly gateway: Partial<GatewayOptions> }): Promise<ClusterGateway> {
    const transport = new Transport(env, {
      identity: identity(0, "gateway"),
      options: {},
      resolve: (storeId, done) => done({ host: `store-${storeId}`, port: storePort }),
      hooks: { onMessage: () => {}, onUnreachable: () => {} },
      streams: null,
    });
    const { clock, random } = env;
    const coordinator = this.#coordinator(env);
    const client = new TxnClient({ clock, random, caller: transport, coordinator, options: this.#client });
    const server = new RedisServer(env, new ClusterKv(client, clock), checkGatewayOptions(config.gateway));
    const address = { host: "0.0.0.0", port: gatewayPort };
    const failure = await new Promise<NetworkError | null>((resolve) => server.listen(address, resolve));
    if (failure !== null) throw new NokvError("NOKV_IO", failure.message, { cause: failure });
    return {
      client,
      close: async () => {
        await new Promise<void>((resolve) => server.close(resolve));
        client.close();
        transport.close();
        const { active } = client;
        if (active > 0) this.#world.fail("leaks", `${active} operations of a closed client are under way`);
      },
    };
  }

  begin(): void {
    if (this.#world.options.faultFree) return;
    this.#harming = true;
    this.#deaf = this.#dice.pick([0, 20, 100]);
    this.#harm(this.#dice.skewed(2, 2_000));
  }

  end(): void {
    this.#harming = false;
    this.#deaf = 0;
  }

  /** Splits and changes of leaders, while clients work. */
  #harm(gapMs: number): void {
    if (!this.#harming) return;
    this.#world.after(this.#dice.between(1, gapMs) * 1_000, () => {
      if (!this.#harming) return;
      if (this.#dice.chance(1, 4)) this.#split(this.#dice);
      else this.#cluster.changeLeader();
      this.#harm(gapMs);
    });
  }

  #split(dice: Dice): void {
    if (this.#cluster.regionCount < regionsMax) this.#cluster.split(bytesOf(dice.pick(bounds)));
  }

  /** Timestamps and routes, later than asked for; some never, and of routes, some are of before. */
  #coordinator({ clock }: Env): Pick<CoordinatorClient, "timestamps" | "route"> {
    const soon = (run: () => void): void => {
      clock.after(this.#dice.skewed(1, this.#journeyUsMax), run);
    };
    return {
      timestamps: (count, timeoutMs, done) => {
        const lost = new CoordinatorError("TSO_UNAVAILABLE", "it does not answer");
        if (this.#dice.chance(this.#deaf, 1_000)) clock.after(timeoutMs * 1_000, () => done(lost, null));
        else {
          soon(() => {
            const first = this.#cluster.timestamp();
            for (let left = count - 1; left > 0; left--) this.#cluster.timestamp();
            soon(() => done(null, { first, count }));
          });
        }
      },
      route: ({ key, freshness }, done) => soon(() => {
        const lost = new CoordinatorError("ROUTE_UNAVAILABLE", "nobody can say");
        if (freshness === "STRONG" && this.#dice.chance(this.#deaf, 200)) return done(lost, null);
        const { region, leaderStore } = this.#cluster.route(key);
        const storeId = this.#dice.chance(this.#deaf, 200) ? this.#dice.pick(storeIds) : leaderStore;
        const token = { term: 1, index: 1 };
        done(null, {
          region,
          leader: storeId === 0 ? null : { peerId: 100 + storeId, storeId, term: 1 },
          servedFreshness: freshness ?? "STRONG",
          servedToken: token,
          currentToken: token,
          rootLag: 0,
          servedByLeader: true,
          degradedMode: "HEALTHY",
          catchUpState: "FRESH",
        });
      }),
    };
  }

  /** One process of a store after the other. What regions have, outlives them. */
  async #keepServing(machine: Machine, storeId: number): Promise<void> {
    for (;;) {
      const outcome = await machine.run((env) => {
        const transport = new Transport(env, {
          identity: { ...identity(storeId, "store"), incarnation: machine.incarnation },
          options: {},
          resolve: (_, done) => done(null),
          hooks: { onMessage: () => {}, onUnreachable: () => {} },
          streams: null,
        });
        transport.handle(txnMethod.execute, (request) => this.#serve(machine, storeId, request));
        transport.listen({ host: "0.0.0.0", port: storePort }, { onListening: () => {}, onError: () => {} });
        return new Promise<never>(() => {});
      });
      if (outcome.kind === "failed") throw outcome.error;
      await this.#world.sleep(this.#dice.skewed(1, 3_000));
    }
  }

  /** The regions know nothing of machines: an answer goes out where the request came in, if that process lives. */
  #serve(machine: Machine, storeId: number, request: IncomingRequest): void {
    const { incarnation } = machine;
    const answer = (act: () => void): void => {
      if (!machine.up || machine.incarnation !== incarnation) return;
      void machine.run(() => {
        act();
        return Promise.resolve();
      });
    };
    this.#cluster.serve(storeId, {
      region: request.region,
      deadlineUs: this.#world.nowUs + request.remainingMs * 1_000,
      get cancelled() {
        return request.cancelled;
      },
      keep: () => request.keep(),
      respond: (payload) => answer(() => request.respond(payload)),
      fail: (error) => answer(() => request.fail(error)),
    });
  }
}

function identity(storeId: number, role: "store" | "gateway"): Identity {
  return { clusterId: "model", storeId, incarnation: 1, role, features: 0 };
}
