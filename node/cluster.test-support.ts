/** A cluster in a simulated world: every node on a machine of its own, with its disk and network. */
import type { Env } from "../core/env/env.ts";
import type { NokvError } from "../core/errors.ts";
import type { Machine } from "../sim/machine.ts";
import type { World } from "../sim/world.ts";
import type { RegionMeta } from "../raft/region.ts";
import { type CoordinatorNode, openCoordinatorNode } from "./coordinator-node.ts";
import { openStoreNode, type StoreNode } from "./store-node.ts";
import type { SplitLimits } from "./split-checker.ts";
import type { CoordinatorPlace, ProcessPlace, Topology } from "./topology.ts";

const port = 7_000;
const encoder = new TextEncoder();

/** Every region has peers on the first `voters` stores. */
export function testTopology(stores: number, bounds: readonly string[], voters = stores): Topology {
  const storeIds = Array.from({ length: stores }, (_, i) => i + 1);
  const place = (host: string): ProcessPlace => {
    const address = { host, port };
    return { address, listen: address, workDir: "/data", metrics: null };
  };
  const regions = bounds.map((start, i) => {
    const id = i + 1;
    const voting = storeIds.slice(0, voters);
    const region: RegionMeta = {
      id,
      start: encoder.encode(start),
      end: encoder.encode(bounds[id] ?? ""),
      epoch: { version: 1, confVer: 1 },
      peers: voting.map((storeId) => ({ peerId: storeId * 100 + id, storeId, role: "voter" as const })),
    };
    return { region, leaderStoreId: storeIds[i % voters] ?? 0 };
  });
  return {
    clusterId: "test",
    maxRetries: 8,
    coordinators: [{ memberId: 0, ...place("coordinator") }],
    redis: null,
    redisMetrics: null,
    stores: storeIds.map((storeId) => ({ storeId, ...place(`store-${storeId}`) })),
    regions,
  };
}

/** One machine, and the node on it. */
export class Seat<T extends { close(): Promise<void> }> {
  readonly machine: Machine;
  readonly #open: (env: Env) => Promise<T>;
  #node: T | null = null;

  constructor(machine: Machine, open: (env: Env) => Promise<T>) {
    this.machine = machine;
    this.#open = open;
  }

  get node(): T {
    if (this.#node === null) throw new Error(`${this.machine.name} is down`);
    return this.#node;
  }

  get up(): boolean {
    return this.#node !== null;
  }

  async start(): Promise<void> {
    this.#node = await this.#open(this.machine.boot());
  }

  crash(kind: "process" | "power"): void {
    this.#node = null;
    this.machine.crash(kind);
  }

  /** In order; the process is gone afterwards. */
  async stop(): Promise<void> {
    const { node } = this;
    await node.close();
    this.crash("process");
  }
}

export class TestCluster {
  readonly world: World;
  readonly topology: Topology;
  readonly coordinator: Seat<CoordinatorNode>;
  readonly stores: readonly Seat<StoreNode>[];
  readonly fatal: NokvError[] = [];

  // oxlint-disable-next-line max-params
  constructor(
    world: World,
    stores: number,
    bounds: readonly string[],
    voters = stores,
    splits: Partial<SplitLimits> = {},
  ) {
    this.world = world;
    this.topology = testTopology(stores, bounds, voters);
    const { clusterId, coordinators, regions } = this.topology;
    const { workDir, listen } = coordinators[0] as CoordinatorPlace;
    this.coordinator = new Seat(world.machine("coordinator"), (env) =>
      openCoordinatorNode(env, {
        workDir, listen, clusterId, owner: "test", diagnostics: null,
        firstRegions: regions.map(({ region }) => region), onFatal: (error) => void this.fatal.push(error),
      }),
    );
    this.stores = this.topology.stores.map(({ storeId, listen, workDir, address }) => {
      return new Seat(world.machine(`store-${storeId}`), (env) =>
        openStoreNode(env, {
          storeId, topology: this.topology, workDir, listen, address, diagnostics: null, engine: {}, splits,
          onFatal: (error) => void this.fatal.push(error),
        }),
      );
    });
  }

  async start(): Promise<void> {
    await this.coordinator.start();
    for (const store of this.stores) await store.start();
  }

  store(storeId: number): Seat<StoreNode> {
    const seat = this.stores[storeId - 1];
    if (seat === undefined) throw new Error(`there is no store ${storeId}`);
    return seat;
  }

  /** Sleeps until it holds; throws what it waited for when it takes too long. */
  async until(what: string, holds: () => boolean, patienceMs = 60_000): Promise<void> {
    for (let waitedMs = 0; !holds(); waitedMs += 50) {
      if (waitedMs > patienceMs) throw new Error(`it takes too long until ${what}`);
      await this.world.sleep(50);
    }
  }

  /** Every store that is up says so itself. */
  async untilReady(): Promise<void> {
    await this.until("every store is ready", () =>
      this.stores.every((seat) => !seat.up || seat.node.waitingFor().length === 0),
    );
  }
}
