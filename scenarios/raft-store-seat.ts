import { type Engine, openEngine } from "../core/engine/engine.ts";
import type { Env } from "../core/env/env.ts";
import type { NetHooks } from "../net/rpc/net-world.ts";
import { netOptions } from "../net/rpc/options.ts";
import type { StreamAcceptor } from "../net/rpc/stream-receiver.ts";
import { Transport } from "../net/rpc/transport.ts";
import { beginIncarnation } from "../raft/store/ident.ts";
import { isStoreMessage } from "../raft/store/message-type.ts";
import { RaftLog } from "../raft/store/raft-log.ts";
import { EngineTransfer, plainRanges } from "../raft/store/engine-transfer.ts";
import { enterSnapshotDirectory } from "../raft/store/snapshot-directories.ts";
import { Store } from "../raft/store/store.ts";
import { type RegionMeta, peerOnStore } from "../raft/region.ts";
import type { Dice } from "../sim/dice.ts";
import type { Machine } from "../sim/machine.ts";
import type { World } from "../sim/world.ts";
import type { Moments } from "./raft-store-moments.ts";
import type { StorePlan } from "./raft-store-plan.ts";
import { CrampedStore } from "./raft-store-room.ts";
import { ToyMachine } from "./raft-store-toy.ts";
import type { StoreObservers, StoreWatch } from "./raft-store-watch.ts";
import type { StoreWitness } from "./raft-store-witness.ts";

export const storePort = 7001;
const clusterId = "sim";
const logDirectory = "/raft";
/** What a process may end with, where disks fail. */
const explainedCodes = ["NOKV_IO", "NOKV_NO_SPACE", "NOKV_UNDETERMINED", "NOKV_POISONED", "EIO", "ENOSPC", "EMFILE"];

/** What the stores of a run have in common. */
export interface StoreStage {
  readonly world: World;
  readonly plan: StorePlan;
  readonly witness: StoreWitness;
  readonly observers: StoreObservers;
  readonly moments: Moments;
  /** What the first replicas are told, whose directories are new. */
  readonly firstRegions: readonly RegionMeta[];
  closing: boolean;
  /** Faults are over. */
  calm: boolean;
}

/** A running process. */
export interface StoreNode {
  readonly env: Env;
  readonly engine: Engine;
  readonly room: CrampedStore;
  readonly log: RaftLog;
  readonly transport: Transport;
  readonly store: Store;
  stop(): void;
}

/** One process, from its start. */
interface Life {
  /** The disk refused something for good. */
  fatal: boolean;
  stop: () => void;
}

/** A simulated machine with a store, started again after every end. */
export class StoreSeat {
  readonly storeId: number;
  readonly machine: Machine;
  /** Null while nothing serves there. */
  node: StoreNode | null = null;
  /** No process is started there. */
  held = false;
  /** Of the newest process that said who it is. */
  #incarnation = 0;
  /** Its engine takes nothing until then. */
  #crampedUntilUs = 0;
  readonly #stage: StoreStage;
  readonly #dice: Dice;

  constructor(stage: StoreStage, storeId: number) {
    this.#stage = stage;
    this.storeId = storeId;
    this.machine = stage.world.machine(`store-${storeId}`);
    this.#dice = stage.world.dice("seat", storeId);
    stage.world.mayCorrupt(this.machine, () => false);
  }

  /** Before anything can go wrong. */
  async prepare(): Promise<void> {
    const made = await this.machine.run(async (env) => {
      env.disk.mkdir(logDirectory);
      env.disk.syncDirNow("/");
      await Promise.resolve();
    });
    if (made.kind !== "done") this.#stage.world.fail("liveness", "a directory could not be made without faults");
    this.machine.crash("process");
  }

  /** On the process's own turn; false: there is none, or it died before. Nobody's crash is the scenario's. */
  async enter(run: (node: StoreNode) => void): Promise<boolean> {
    const { node } = this;
    if (node === null || !this.machine.up) return false;
    let isDone = false;
    const outcome = await this.machine.run(async () => {
      await Promise.resolve();
      if (this.node !== node) return;
      run(node);
      isDone = true;
    });
    if (outcome.kind === "failed") throw outcome.error;
    return isDone;
  }

  restart(): void {
    void this.enter((node) => node.stop());
  }

  /** Its engine has no room for so long, over any end of its process. */
  cramp(ms: number): void {
    const { world } = this.#stage;
    this.#crampedUntilUs = Math.max(this.#crampedUntilUs, world.nowUs + ms * 1_000);
    this.#fit();
    world.after(ms * 1_000, () => this.#fit());
  }

  loosen(): void {
    this.#crampedUntilUs = 0;
    this.#fit();
  }

  /** By what is true when the process has its turn, which it may not have for a while. */
  #fit(): void {
    void this.enter(({ room }) => {
      if (this.#stage.world.nowUs < this.#crampedUntilUs) room.shut();
      else room.open();
    });
  }

  /** One process after the other, until the run ends. */
  async keepRunning(): Promise<void> {
    const { world } = this.#stage;
    while (!this.#stage.closing) {
      const outcome = await this.machine.run((env) => this.#live(env));
      this.node = null;
      if (outcome.kind === "failed") this.#explain("open", outcome.error);
      this.machine.crash("process");
      if (!this.#stage.closing) await world.sleep(this.#dice.skewed(1, this.#stage.calm ? 100 : 3_000));
      while (this.held && !this.#stage.closing) await world.sleep(50);
    }
  }

  async #live(env: Env): Promise<void> {
    const life: Life = { fatal: false, stop: () => {} };
    const ended = new Promise<null>((resolve) => {
      life.stop = () => resolve(null);
    });
    // Where the disk refuses, an opening may never come to its end.
    const opened = await Promise.race([this.#open(env, life), ended]);
    if (opened === null || life.fatal) return;
    const { node, watch } = opened;
    this.node = node;
    this.#fit();
    if (this.#dice.chance(1, 4)) {
      env.clock.after(this.#dice.skewed(10_000, 20_000_000), () => {
        if (!this.#stage.calm) life.stop();
      });
    }
    if (!this.#stage.closing) await ended;
    this.node = null;
    // A process that lost its disk ends as it is; others end in order.
    if (life.fatal) return;
    await node.store.close();
    node.transport.close();
    await node.log.close();
    await node.engine.close();
    watch.over();
    const { openFiles } = this.machine.disk;
    if (openFiles > 0) this.#stage.world.fail("leaks", `${openFiles} files are open after close`);
  }

  async #open(env: Env, life: Life): Promise<{ readonly node: StoreNode; readonly watch: StoreWatch }> {
    const { world, plan, observers, firstRegions } = this.#stage;
    const onFatal = (error: Error): void => {
      if (life.fatal) return;
      life.fatal = true;
      this.#explain("fatal", error);
      life.stop();
    };
    const engine = await openEngine(env, "/db", { ...plan.engine, versions: "given" });
    engine.onPoisoned(onFatal);
    let store: Store | null = null;
    const log = await RaftLog.open(env, logDirectory, plan.log, (error) => {
      if (store === null) onFatal(error);
      else store.fail(error);
    });
    const ident = await beginIncarnation(log, clusterId, this.storeId);
    if (ident.incarnation <= this.#incarnation) {
      world.fail("incarnation", `${this.machine.name} is ${ident.incarnation} after ${this.#incarnation}`);
    }
    this.#incarnation = ident.incarnation;
    const watch = observers.watch(log, (moment) => this.#stage.moments.tell(moment, this.machine));
    const transport = new Transport(env, {
      identity: { clusterId, storeId: this.storeId, incarnation: ident.incarnation, role: "store", features: 0 },
      options: netOptions(plan.net),
      resolve: (id, done) => done({ host: `store-${id}`, port: storePort }),
      hooks: hooksOf(() => store),
      streams: streamsOf(() => store),
    });
    const { witness } = this.#stage;
    const room = new CrampedStore(engine);
    store = await Store.open({
      world: env,
      engine: room,
      log,
      transport,
      transfer: new EngineTransfer(env, engine, enterSnapshotDirectory(env.disk, "/", "snapshots"), plainRanges),
      storeId: this.storeId,
      options: plan.store,
      makeMachine: (host) => new ToyMachine({ world, witness, store: this.machine.name }, host),
      watch,
      onFatal,
    });
    for (const region of firstRegions) {
      if (peerOnStore(region, this.storeId) !== null) await store.bootstrap(region);
    }
    if (plan.crampedStartMs > 0 && !this.#stage.calm && this.#dice.chance(1, 2)) {
      this.cramp(this.#dice.between(1, plan.crampedStartMs));
    }
    if (world.nowUs < this.#crampedUntilUs) room.shut();
    await new Promise<void>((resolve, reject) => {
      transport.listen({ host: "0.0.0.0", port: storePort }, { onListening: () => resolve(), onError: reject });
    });
    return { node: { env, engine, room, log, transport, store, stop: () => life.stop() }, watch };
  }

  #explain(what: string, error: unknown): void {
    if (!(error instanceof Error) || !("code" in error)) throw error;
    const { world } = this.#stage;
    const code = String(error.code);
    world.story(`${this.machine.name}: ${what}: ${code} ${error.message}`);
    const explained = explainedCodes.includes(code);
    if (world.options.faultFree || !explained) world.fail("errors", `${what}: ${code} ${error.message}`);
  }
}

function hooksOf(storeOf: () => Store | null): NetHooks {
  return {
    onMessage: (from, _cls, type, body) => {
      if (isStoreMessage(type)) storeOf()?.receive(from, type, body);
    },
    onUnreachable: (storeId) => storeOf()?.unreachable(storeId),
  };
}

/** A transport is there before its store. */
function streamsOf(store: () => Store | null): StreamAcceptor {
  return {
    // oxlint-disable-next-line max-params
    begin: (from, manifest, done, stream) => {
      const ready = store();
      if (ready === null) done("it is not open yet");
      else ready.streams.begin(from, manifest, done, stream);
    },
  };
}
