/**
 * Stores over real transports and logs in a simulated world, each with an engine in memory. Their ticks are 20 ms: with
 * a seed whose network takes hundreds of milliseconds there and back, an election outlasts its own time, as it must.
 */
import { DiskError } from "../../core/env/disk.ts";
import type { Env } from "../../core/env/env.ts";
import { Transport } from "../../net/rpc/transport.ts";
import type { Machine } from "../../sim/machine.ts";
import type { World } from "../../sim/world.ts";
import type { RegionMeta } from "../region.ts";
import { beginIncarnation } from "./ident.ts";
import { MemoryDisk, MemoryEngine } from "./memory-engine.test-support.ts";
import { isStoreMessage } from "./message-type.ts";
import { RaftLog, raftLogOptionsDefault } from "./raft-log.ts";
import { plainRanges } from "./engine-transfer.ts";
import type { PeerChange } from "./peer-change.ts";
import { RecordTransfer } from "./record-transfer.test-support.ts";
import { enterSnapshotDirectory } from "./snapshot-directories.ts";
import type { RegionMachine } from "./region-machine.ts";
import type { ChangeOutcome } from "./requests.ts";
import type { StoreOptions } from "./store-options.ts";
import { Store } from "./store.ts";
import { ToyMachine, type ToyOutcome, readToy } from "./toy-machine.test-support.ts";

const port = 7_000;
const directory = "/raft";

export class StoreNode {
  readonly storeId: number;
  readonly machine: Machine;
  readonly disk = new MemoryDisk();
  store: Store | null = null;
  engine: MemoryEngine | null = null;
  log: RaftLog | null = null;
  transport: Transport | null = null;
  fatal: Error | null = null;
  readonly #options: Partial<StoreOptions>;

  constructor(world: World, storeId: number, options: Partial<StoreOptions>) {
    this.storeId = storeId;
    this.machine = world.machine(`store-${storeId}`);
    this.#options = options;
  }

  async boot(): Promise<void> {
    const env = this.machine.boot();
    if (!env.disk.list("/").includes("raft")) {
      env.disk.mkdir(directory);
      env.disk.syncDirNow("/");
    }
    const snapshots = enterSnapshotDirectory(env.disk, "/", "snapshots");
    this.log = await RaftLog.open(env, directory, raftLogOptionsDefault, (error) => this.store?.fail(error));
    const ident = await beginIncarnation(this.log, "c", this.storeId);
    this.engine = new MemoryEngine(this.disk, env.clock);
    this.transport = this.#transport(env, ident.incarnation);
    this.store = await Store.open({
      world: env,
      engine: this.engine,
      log: this.log,
      transport: this.transport,
      transfer: new RecordTransfer(env, this.engine, snapshots, plainRanges),
      storeId: this.storeId,
      options: { tickUs: 20_000, ...this.#options },
      makeMachine: (host): RegionMachine => new ToyMachine(host),
      onFatal: (error) => {
        this.fatal = error;
      },
    });
    this.transport.listen({ host: "0.0.0.0", port }, { onListening: () => {}, onError: () => {} });
  }

  crash(): void {
    this.store = null;
    this.machine.crash("power");
  }

  get live(): Store {
    if (this.store === null) throw new DiskError("EIO", "store", "is down");
    return this.store;
  }

  toy(regionId: number): ToyMachine | null {
    const machine = this.store?.region(regionId)?.machine ?? null;
    return machine instanceof ToyMachine ? machine : null;
  }

  words(key: string): string {
    return this.engine === null ? "" : readToy(this.engine, key);
  }

  #transport(env: Env, incarnation: number): Transport {
    return new Transport(env, {
      identity: { clusterId: "c", storeId: this.storeId, incarnation, role: "store", features: 0 },
      options: {},
      resolve: (id, done) => done({ host: `store-${id}`, port }),
      hooks: {
        onMessage: (from, _cls, type, body) => {
          if (isStoreMessage(type)) this.store?.receive(from, type, body);
        },
        onUnreachable: (storeId) => this.store?.unreachable(storeId),
      },
      streams: {
        // oxlint-disable-next-line max-params
        begin: (from, manifest, done, stream) => {
          if (this.store === null) done("it is not open yet");
          else this.store.streams.begin(from, manifest, done, stream);
        },
      },
    });
  }
}

export class StoreCluster {
  readonly world: World;
  readonly nodes: StoreNode[] = [];

  constructor(world: World, count: number, options: Partial<StoreOptions> = {}) {
    this.world = world;
    for (let storeId = 1; storeId <= count; storeId++) this.nodes.push(new StoreNode(world, storeId, options));
  }

  node(storeId: number): StoreNode {
    const node = this.nodes[storeId - 1];
    if (node === undefined) throw new Error(`there is no store ${storeId}`);
    return node;
  }

  /** Boots every store, with a peer of each region on those that it names. */
  async start(regions: readonly RegionMeta[]): Promise<void> {
    for (const node of this.nodes) await node.boot();
    for (const region of regions) {
      for (const { storeId } of region.peers) await this.node(storeId).live.bootstrap(region);
    }
  }

  /** Sleeps until it holds; throws what it waited for when it takes too long. */
  async until(what: string, holds: () => boolean, patienceMs = 20_000): Promise<void> {
    for (let waitedMs = 0; !holds(); waitedMs += 10) {
      if (waitedMs > patienceMs) throw new Error(`it takes too long until ${what}`);
      await this.world.sleep(10);
    }
  }

  leader(regionId: number): StoreNode | null {
    return this.nodes.find(({ store }) => (store?.region(regionId)?.leadingTerm ?? 0) > 0) ?? null;
  }

  async leaderOf(regionId: number): Promise<StoreNode> {
    await this.until(`region ${regionId} has a leader`, () => this.leader(regionId) !== null);
    const leader = this.leader(regionId);
    if (leader === null) throw new Error("the leader is gone");
    return leader;
  }

  /** Asks for a change of region 1, again while learners have not caught up. */
  async change(leader: StoreNode, changes: readonly PeerChange[]): Promise<ChangeOutcome> {
    for (;;) {
      const outcome = await new Promise<ChangeOutcome>((resolve) => leader.live.admin.changePeers(1, changes, resolve));
      if (outcome.kind !== "refused" || !outcome.reason.endsWith("has not caught up yet")) return outcome;
      await this.world.sleep(50);
    }
  }

  /** Says it to whoever leads, until it is applied. */
  async say(regionId: number, text: string): Promise<void> {
    for (;;) {
      const leader = await this.leaderOf(regionId);
      const outcome = await new Promise<ToyOutcome>((resolve) => leader.toy(regionId)?.say(text, resolve));
      if (outcome === "applied") return;
      await this.world.sleep(50);
    }
  }
}

export function regionOf(id: number, stores: readonly number[], start = "", end = ""): RegionMeta {
  const encoder = new TextEncoder();
  const peers = stores.map((storeId) => ({ peerId: id * 100 + storeId, storeId, role: "voter" as const }));
  return { id, start: encoder.encode(start), end: encoder.encode(end), epoch: { version: 1, confVer: 1 }, peers };
}
