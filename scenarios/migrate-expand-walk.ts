import { NokvError } from "../core/errors.ts";
import type { ClusterClient } from "../node/cluster-client.ts";
import { sleep } from "../node/migrate/content-check.ts";
import { expand } from "../node/migrate/expand.ts";
import type { ExpandWorld } from "../node/migrate/region-expansion.ts";
import { initSeed } from "../node/migrate/init.ts";
import { abortExpansion, removePeer } from "../node/migrate/members.ts";
import { openClusterClient } from "../node/open-cluster-client.ts";
import type { CrashKind, Machine } from "../sim/machine.ts";
import type { World } from "../sim/world.ts";
import { silent } from "./migrate-init-acts.ts";
import { judgeTuple } from "./migrate-init-judge.ts";
import { MigrateInitWriter, type Written, contentAt } from "./migrate-init-writer.ts";
import type { Walk, WalkStop, WalkSurvey, WalkTally } from "./migrate-walk.ts";
import { WalkCluster, walkClusterId, walkStores } from "./migrate-walk-cluster.ts";

const directory = "/data";
const order = { regionId: null, stores: [2, 3], allowTwo: false };
const kinds: readonly CrashKind[] = ["process", "power"];
/** Of the operator's next process: with its journal, without, and after what was begun has been taken back. */
const resumes = ["again", "journal-lost", "abort", "remove-peers"] as const;
/** Of the operator's process when a store ends: it lives on, or ends at once as well, and its journal is lost. */
const storeResumes = ["lives-on", "journal-lost"] as const;
const attemptsMax = 100;

/** Calls that others can tell, or a later process: a crash between two of these is what one at the second is. */
const effects: ReadonlySet<string> = new Set([
  "mkdir", "open", "rename", "link", "remove", "write", "truncate", "sync", "sync-dir", "lock", "lock-shared",
  "net.listen", "net.connect", "net.write", "net.end", "net.destroy",
]);

export const expandWalk: Walk = {
  name: "expand",
  why: "One store becomes three, whatever call ends the operator's process or a store's.",
  survey: (world) => new ExpandWalkRun(world).survey(),
  stopAt: (world, stop, tally) => new ExpandWalkRun(world).stopAt(stop, tally),
};

class ExpandWalkRun {
  readonly #world: World;
  readonly #writer: MigrateInitWriter;
  readonly #cluster: WalkCluster;
  /** What is there, by key. */
  readonly #written = new Map<string, Written>();
  readonly #regions: number;

  constructor(world: World) {
    this.#world = world;
    const plan = world.dice("plan");
    this.#regions = plan.pick([1, 1, 2]);
    const options = { valueThresholdBytes: plan.pick([64, 1_000]), createIfMissing: true };
    this.#writer = new MigrateInitWriter(directory, options, world.dice("writes"), 24);
    this.#cluster = new WalkCluster(world, directory, walkStores);
  }

  async survey(): Promise<WalkSurvey> {
    const stops: WalkStop[] = [];
    const told: string[] = [];
    await this.#begin();
    for (const { machine } of this.#cluster.stores) {
      let calls = 0;
      machine.watchCalls((operation) => {
        calls++;
        if (effects.has(operation)) stops.push(...stopsAt(machine, calls, storeResumes));
      });
    }
    const writing = this.#write("meanwhile", 4);
    let calls = 0;
    const ended = await this.#cluster.operate((world) => expand(world, order), (operator) => {
      operator.watchCalls(() => stops.push(...stopsAt(operator, ++calls, resumes)));
    });
    if (ended !== "done") this.#world.fail("operator", `nothing is in its way, and it is ${ended}`);
    for (const { machine } of this.#cluster.stores) machine.watchCalls(null);
    await writing;
    await this.#cluster.end();
    for (const machine of ["operator", ...this.#cluster.stores.map((seat) => seat.machine.name)]) {
      told.push(`${machine} ${new Set(stops.filter((stop) => stop.machine === machine).map(({ call }) => call)).size}`);
    }
    const keys = this.#writer.written.length;
    const story = `${keys} keys, ${this.#regions} regions, calls to end at: ${told.join(", ")}`;
    return { story, stops: stops.toSorted((a, b) => rank(a) - rank(b)) };
  }

  async stopAt(stop: WalkStop, tally: WalkTally): Promise<void> {
    const world = this.#world;
    const cluster = this.#cluster;
    const { machine: name, call, how } = stop;
    const [kindText = "", resume = ""] = how.split(", ");
    const kind: CrashKind = kindText === "power" ? "power" : "process";
    cluster.where = `${name} ended (${kind}) at call ${call} of expand, then ${resume}`;
    await this.#begin();
    const writing = this.#write("meanwhile", 4);
    const seat = cluster.stores.find(({ machine }) => machine.name === name);
    const first = seat === undefined
      ? await this.#endOperator(call, kind)
      : await this.#endStore(seat.machine, { call, kind, alone: resume === "lives-on" });
    if (resume === "journal-lost") cluster.operator.disk.wipe();
    if (resume === "abort") await this.#takeBack((operator) => abortExpansion(operator, order));
    if (resume === "remove-peers") await this.#removePeers();
    const isDone = first === "done" && resume === "lives-on";
    if (!isDone) await this.#expand();
    await writing;
    await cluster.until("three voters are everywhere", () => cluster.judge.finally(this.#regionIds()) === null);
    await cluster.compare((nowMs) => contentAt([...this.#written.values()], nowMs), tally);
    await cluster.end();
    const outcome = await world.machine("store-1").run((env) => judgeTuple(world, env, directory, cluster.where));
    if (outcome.kind === "failed") throw outcome.error;
    tally.resumed(seat === undefined ? resume : `a store's end, ${resume}`);
  }

  /** A directory is filled, made a seed, served, and written to as a cluster's. */
  async #begin(): Promise<void> {
    const world = this.#world;
    const outcome = await world.machine("store-1").run(async (env) => {
      await this.#writer.fill(env, world.dice("course").between(0, 12));
      await this.#writer.certain(env);
      const seed = { directory, storeId: 1, regions: this.#regions, checkpoint: null, engine: {} };
      await initSeed(env, { ...seed, clusterId: walkClusterId }, silent);
    });
    if (outcome.kind === "failed") throw outcome.error;
    world.machine("store-1").crash("process");
    for (const written of this.#writer.written) this.#written.set(written.key.join(), written);
    await this.#cluster.begin();
    await this.#write("before", 3);
  }

  async #endOperator(call: number, kind: CrashKind): Promise<string> {
    const ended = await this.#cluster.operate((world) => expand(world, order), (operator) => {
      operator.crashAtCall(call, kind);
    });
    if (ended !== "crashed") this.#world.fail("walk", `${this.#cluster.where}: it is ${ended} before that`);
    return ended;
  }

  async #endStore(
    machine: Machine,
    { call, kind, alone }: { readonly call: number; readonly kind: CrashKind; readonly alone: boolean },
  ): Promise<string> {
    const { operator } = this.#cluster;
    let hasEnded = false;
    machine.onDown(() => {
      if (!hasEnded && !alone) operator.crash("process");
      hasEnded = true;
    });
    machine.crashAtCall(call, kind);
    const ended = await this.#cluster.operate((world) => expand(world, order));
    machine.spare();
    if (!hasEnded) this.#world.fail("walk", `${this.#cluster.where}: it does not come to that`);
    return ended;
  }

  async #expand(): Promise<void> {
    await this.#cluster.until("it is expanded", async () => {
      return (await this.#cluster.operate((world) => expand(world, order))) === "done";
    });
  }

  /** Refused where there is nothing of that kind to take back any more. */
  async #takeBack(act: (world: ExpandWorld) => Promise<unknown>): Promise<void> {
    await this.#cluster.until("what was begun is taken back", async () => {
      const ended = await this.#cluster.operate(act);
      return ended === "done" || ended === "refused";
    });
  }

  async #removePeers(): Promise<void> {
    this.#cluster.judge.allowsTwo = true;
    for (const storeId of order.stores.toReversed()) {
      for (const regionId of this.#regionIds()) {
        await this.#takeBack((world) => removePeer(world, { regionId, storeId, allowTwo: true }));
      }
    }
  }

  #regionIds(): readonly number[] {
    return Array.from({ length: this.#regions }, (_, i) => i + 1);
  }

  /** Each until it is acknowledged: the same again, where nobody knows. One that was there is another, and one goes. */
  async #write(name: string, count: number): Promise<void> {
    const machine = this.#world.machine(`client-${name}`);
    const encoder = new TextEncoder();
    const there = this.#writer.written.filter(({ expiresAtMs }) => expiresAtMs === 0);
    const gone = there[name === "before" ? 0 : 1]?.key;
    const keys = [encoder.encode(name), ...there.slice(-count).map(({ key }) => key)];
    const outcome = await machine.run(async (env) => {
      const client = openClusterClient(env, {
        topology: this.#cluster.topology, client: { operationMs: 2_000, attemptMs: 500 },
      });
      for (const [at, key] of keys.entries()) {
        const value = encoder.encode(`${name} ${at}`);
        await this.#acknowledged(client, (to) => to.set(key, value));
        this.#written.set(key.join(), { key, value, expiresAtMs: 0 });
        await sleep(env.clock, 150);
      }
      if (gone !== undefined) await this.#acknowledged(client, (to) => to.delete(gone));
      if (gone !== undefined) this.#written.delete(gone.join());
      client.close();
    });
    if (outcome.kind === "failed") throw outcome.error;
    machine.crash("process");
  }

  async #acknowledged(client: ClusterClient, write: (client: ClusterClient) => Promise<unknown>): Promise<void> {
    let last = "";
    for (let left = attemptsMax; left > 0; left--) {
      try {
        await write(client);
        return;
      } catch (error) {
        if (!(error instanceof NokvError)) throw error;
        last = error.message;
      }
    }
    this.#world.fail("liveness", `${this.#cluster.where}: nothing can be written any more: ${last}`);
  }
}

/** A power loss is another end only where it can take something back. */
function stopsAt(machine: Machine, call: number, ways: readonly string[]): readonly WalkStop[] {
  const apart = machine.disk.dirty ? kinds : kinds.slice(0, 1);
  return apart.flatMap((kind) => ways.map((way) => ({ machine: machine.name, call, how: `${kind}, ${way}` })));
}

/** The operator's first. */
function rank({ machine, call }: WalkStop): number {
  return ["operator", "store-1", "store-2", "store-3"].indexOf(machine) * 1_000_000 + call;
}
