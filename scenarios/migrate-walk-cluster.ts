import type { ContentSum } from "../core/bytes/content-hash.ts";
import { contentText, sameContent } from "../core/bytes/content-hash.ts";
import { NokvError } from "../core/errors.ts";
import { versionMs } from "../core/lsm/drop-rules.ts";
import { type CoordinatorNode, openCoordinatorNode } from "../node/coordinator-node.ts";
import { ClusterAdmin } from "../node/migrate/cluster-admin.ts";
import type { ExpandWorld } from "../node/migrate/region-expansion.ts";
import { ExpandJournal } from "../node/migrate/expand-journal.ts";
import { verifyCluster } from "../node/migrate/online.ts";
import { openStoreNode, type StoreNode } from "../node/store-node.ts";
import type { ProcessPlace, Topology } from "../node/topology.ts";
import { storeOptionsDefault } from "../raft/store/store-options.ts";
import type { Machine } from "../sim/machine.ts";
import type { World } from "../sim/world.ts";
import { clusterPort } from "./cluster-plan.ts";
import { NodeSeat, type SeatStage } from "./cluster-seat.ts";
import { ExpandJudge } from "./migrate-expand-judge.ts";
import { memoryBytes } from "./migrate-init-judge.ts";
import type { WalkTally } from "./migrate-walk.ts";

const tickUs = 20_000;
const pace = { pollMs: 50, stallMs: 10_000 };
const patienceMs = 120_000;
/** Memory that is asked for and not used takes time as well. */
const engine = { memtableBytes: memoryBytes, blockCacheBytes: memoryBytes, recordCacheBytes: memoryBytes };
/** The seed's store, and those that it is brought to. */
export const walkStores: readonly number[] = [1, 2, 3];
export const walkClusterId = "migrated";

/** How one process of the operator ended: busy tells that nothing moved, and refused that it is not possible. */
export type OperatorEnd = "done" | "crashed" | "busy" | "refused";

/** A Coordinator, the seed's store and empty ones, each of them started again after every end; and an operator. */
export class WalkCluster {
  readonly topology: Topology;
  readonly judge: ExpandJudge;
  readonly stores: readonly NodeSeat<StoreNode>[];
  readonly operator: Machine;
  readonly #world: World;
  readonly #stage: SeatStage;
  readonly #coordinator: NodeSeat<CoordinatorNode>;
  /** What is done, for reports. */
  where = "";
  #running: Promise<unknown> = Promise.resolve();

  /** `directory`: of the seed. */
  constructor(world: World, directory: string, stores: readonly number[]) {
    this.#world = world;
    this.#stage = { world, closing: false, calm: true };
    this.topology = walkTopology(directory);
    this.operator = world.machine("operator");
    this.#coordinator = this.#seatCoordinator();
    this.stores = stores.map((storeId) => this.#seatStore(storeId));
    this.judge = new ExpandJudge(world, this.stores);
  }

  /** Every store serves when this resolves. */
  async begin(): Promise<void> {
    const seats = [this.#coordinator, ...this.stores];
    this.#running = Promise.all(seats.map((seat) => seat.keepRunning()));
    await this.until("every store serves", () => this.#isReady());
  }

  /** In order. */
  async end(): Promise<void> {
    this.#stage.closing = true;
    for (const seat of [this.#coordinator, ...this.stores]) seat.stop();
    await this.#running;
  }

  /** One process of the operator, from its beginning to its end. `begun` is told of it before its first call. */
  async operate(
    act: (world: ExpandWorld) => Promise<unknown>,
    begun: (operator: Machine) => void = () => {},
  ): Promise<OperatorEnd> {
    const { topology, operator } = this;
    const outcome = await operator.run(async (env) => {
      begun(operator);
      const admin = new ClusterAdmin(env, topology);
      const journal = await ExpandJournal.open(env, "/journal", walkClusterId, "operator");
      const closing = (): void => {
        journal.close();
        admin.close();
      };
      try {
        await act({ env, admin, journal, pace, report: () => {} });
      } catch (error) {
        if (error instanceof NokvError) closing();
        throw error;
      }
      closing();
    });
    operator.crash("process");
    if (outcome.kind !== "failed") return outcome.kind;
    const { error } = outcome;
    if (!(error instanceof NokvError)) throw error;
    this.#world.story(`operator: ${error.message}`);
    if (error.code === "NOKV_BUSY") return "busy";
    if (error.code === "NOKV_INVALID_ARGUMENT") return "refused";
    return this.#world.fail("operator", `${this.where}: ${error.code}: ${error.message}`);
  }

  /** By a transaction's scan of every region, and by the records of each of its replicas: all are what is expected. */
  async compare(expected: (nowMs: number) => ContentSum, tally: WalkTally): Promise<void> {
    let found: { readonly content: ContentSum; readonly replicas: number } | null = null;
    await this.until("the content is read", async () => {
      let ms = 0;
      const ended = await this.operate(async (world) => {
        const stamped = await world.admin.timestamp();
        if (stamped.error !== null) throw new NokvError("NOKV_BUSY", stamped.error.message);
        const verified = await verifyCluster(world, { readTs: stamped.value, regionId: null });
        const readings = verified.regions.flatMap((region) => region.readings);
        if (!verified.same) this.#world.fail("content", `${this.where}: replicas differ: ${describe(readings)}`);
        found = { content: verified.content, replicas: readings.length - verified.regions.length };
        ms = versionMs(stamped.value);
      });
      if (found === null || ended !== "done") return false;
      const wanted = expected(ms);
      if (sameContent(found.content, wanted)) return true;
      const [shows, written] = [found.content, wanted].map(textOf);
      return this.#world.fail("content", `${this.where}: a transaction reads ${shows}; written was ${written}`);
    });
    tally.read("transactions");
    for (let left = (found as { replicas: number } | null)?.replicas ?? 0; left > 0; left--) tally.read("replicas");
  }

  async until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    const world = this.#world;
    const untilUs = world.nowUs + patienceMs * 1_000;
    while (!(await holds())) {
      if (world.nowUs > untilUs) {
        const waiting = this.stores.map(({ storeId, node }) => `store ${storeId}: ${waitingText(node)}`).join("; ");
        world.fail("liveness", `${this.where}: it takes too long until ${what}: ${waiting}`);
      }
      await world.sleep(pace.pollMs);
    }
  }

  #isReady(): boolean {
    return this.stores.every(({ node }) => node !== null && node.waitingFor().length === 0);
  }

  #seatCoordinator(): NodeSeat<CoordinatorNode> {
    const { clusterId } = this.topology;
    return new NodeSeat(this.#stage, "coordinator", 0, (env, onFatal) =>
      openCoordinatorNode(env, {
        workDir: "/data", listen: { host: "0.0.0.0", port: clusterPort }, clusterId, firstRegions: [], owner: "sim",
        diagnostics: null, onFatal,
      }),
    );
  }

  #seatStore(storeId: number): NodeSeat<StoreNode> {
    const { topology } = this;
    const place = topology.stores[storeId - 1];
    return new NodeSeat(this.#stage, `store-${storeId}`, storeId, async (env, onFatal) => {
      const node = await openStoreNode(env, {
        storeId, topology, workDir: place?.workDir ?? "", listen: { host: "0.0.0.0", port: clusterPort },
        address: { host: `store-${storeId}`, port: clusterPort }, diagnostics: null, engine,
        store: { ...storeOptionsDefault, tickUs }, heartbeatMs: 200, onFatal,
      });
      for (const { region } of node.store.regions()) this.judge.saw(region);
      node.store.onRegionChange((_, peer) => {
        if (peer !== null) this.judge.saw(peer.region);
      });
      return node;
    });
  }
}

function waitingText(node: StoreNode | null): string {
  return node === null ? "down" : node.waitingFor().join(", ") || "serves";
}

function textOf(sum: ContentSum): string {
  return `${sum.count} keys, ${sum.bytes} bytes, ${contentText(sum)}`;
}

function describe(readings: readonly { readonly by: "scan" | number; readonly content: ContentSum }[]): string {
  return readings.map(({ by, content }) => `${by}: ${textOf(content)}`).join("; ");
}

function walkTopology(directory: string): Topology {
  const place = (host: string, workDir: string): ProcessPlace => {
    const address = { host, port: clusterPort };
    return { address, listen: address, workDir, metrics: null };
  };
  return {
    clusterId: walkClusterId, maxRetries: 8, coordinators: [{ memberId: 0, ...place("coordinator", "/data") }],
    redis: null, redisMetrics: null, regions: [],
    stores: walkStores.map((storeId) => {
      return { storeId, ...place(`store-${storeId}`, storeId === 1 ? directory : "/data") };
    }),
  };
}
