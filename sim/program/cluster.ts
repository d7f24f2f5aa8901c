import { compareKeys } from "../../core/bytes/record.ts";
import { checkOptions } from "../../core/engine/arguments.ts";
import type { Env } from "../../core/env/env.ts";
import { NokvError } from "../../core/errors.ts";
import type { ClusterClient } from "../../node/cluster-client.ts";
import { openCoordinatorNode } from "../../node/coordinator-node.ts";
import { openClusterClient } from "../../node/open-cluster-client.ts";
import { openStoreNode } from "../../node/store-node.ts";
import type { FirstRegion, ProcessPlace, Topology } from "../../node/topology.ts";
import type { TxnClientOptions } from "../../txn/remote/client-options.ts";
import type { World } from "../world.ts";
import { type SimMachine, smallBuffers } from "./machine.ts";
import type { Process } from "./process.ts";

export interface ClusterOptions {
  /** 3. */
  readonly stores?: number | undefined;
  /** 1, or 3 as a group. */
  readonly coordinators?: 1 | 3 | undefined;
  /** Where its regions meet at first; none: one region. */
  readonly splitKeys?: readonly string[] | undefined;
}

const port = 7_000;
const workDir = "/data";
const storesMax = 9;

/**
 * Coordinator and stores as the processes that ship, each on a machine of its own: `coordinator`, `store-1` and so on.
 */
export class SimCluster {
  /** To crash, pause or cut off by hand. */
  readonly coordinators: readonly SimMachine[];
  readonly stores: readonly SimMachine[];
  readonly topology: Topology;

  /** `machineOf`: the machine of that name, which nobody harms yet. */
  constructor(world: World, options: ClusterOptions, machineOf: (name: string) => SimMachine) {
    const served = (name: string, open: Opening): SimMachine => serve(world, machineOf(name), open);
    this.topology = topologyOf(options);
    this.coordinators = this.topology.coordinators.map(({ address, memberId }) => {
      return served(address.host, (env, failed) => this.#coordinate(env, memberId, failed));
    });
    this.stores = this.topology.stores.map(({ address, storeId }) => {
      return served(address.host, (env, failed) => this.#store(env, storeId, failed));
    });
  }

  /** The stores that declared faults strike: as many as the others can do without. */
  get exposed(): readonly string[] {
    return this.stores.slice(0, Math.floor((this.stores.length - 1) / 2)).map(({ name }) => name);
  }

  /** As `connect` of `nokv/client`, in this process. */
  client(process: Process, options: Partial<TxnClientOptions> = {}): ClusterClient {
    return openClusterClient(process.env, { topology: this.topology, client: options });
  }

  async #coordinate(env: Env, memberId: number, onFatal: (error: NokvError) => void): Promise<unknown> {
    const { clusterId, coordinators: members, regions } = this.topology;
    return await openCoordinatorNode(env, {
      group: memberId === 0 ? null : { memberId, members },
      workDir,
      listen: { host: "0.0.0.0", port },
      clusterId,
      firstRegions: regions.map(({ region }) => region),
      owner: "sim",
      diagnostics: null,
      onFatal,
    });
  }

  async #store(env: Env, storeId: number, onFatal: (error: NokvError) => void): Promise<unknown> {
    return await openStoreNode(env, {
      storeId,
      topology: this.topology,
      workDir,
      listen: { host: "0.0.0.0", port },
      address: { host: `store-${storeId}`, port },
      diagnostics: null,
      engine: smallBuffers,
      onFatal,
    });
  }
}

type Opening = (env: Env, onFatal: (error: NokvError) => void) => Promise<unknown>;

/** A node whose disk fails tells so, and its process ends. */
function serve(world: World, machine: SimMachine, open: Opening): SimMachine {
  const { name } = machine;
  machine.serve(async ({ env }) => {
    const { incarnation } = world.machine(name);
    await open(env, (error) => {
      world.tell(`${name}: ${error.message}`);
      world.after(0, () => {
        if (world.machine(name).incarnation === incarnation) world.machine(name).crash("process");
      });
    });
  });
  return machine;
}

function topologyOf(options: ClusterOptions): Topology {
  checkOptions(options, "cluster", ["stores", "coordinators", "splitKeys"]);
  const { stores = 3, coordinators = 1, splitKeys = [] } = options;
  if (!Number.isSafeInteger(stores) || stores < 1 || stores > storesMax) {
    throw invalid(`stores is ${String(stores)}; it must be an integer from 1 to ${storesMax}`);
  }
  const group = coordinators as number;
  if (group !== 1 && group !== 3) throw invalid(`coordinators is ${String(group)}; it must be 1 or 3`);
  const storeIds = Array.from({ length: stores }, (_, at) => at + 1);
  const memberIds = group === 1 ? [0] : [1, 2, 3];
  return {
    clusterId: "sim",
    maxRetries: 8,
    coordinators: memberIds.map((memberId) => {
      return { memberId, ...placeOf(memberId === 0 ? "coordinator" : `coordinator-${memberId}`) };
    }),
    redis: null,
    redisMetrics: null,
    stores: storeIds.map((storeId) => ({ storeId, ...placeOf(`store-${storeId}`) })),
    regions: regionsOf(splitKeys, storeIds),
  };
}

function regionsOf(splitKeys: readonly string[], storeIds: readonly number[]): FirstRegion[] {
  const encoder = new TextEncoder();
  const keys = [...new Set(["", ...splitKeys])].map((key) => encoder.encode(key));
  const starts = keys.toSorted(compareKeys);
  const voters = storeIds.slice(0, 3);
  return starts.map((start, at) => {
    const id = at + 1;
    const peers = voters.map((storeId) => ({ peerId: storeId * 1_000 + id, storeId, role: "voter" as const }));
    const epoch = { version: 1, confVer: 1 };
    const region = { id, start, end: starts[id] ?? new Uint8Array(0), epoch, peers };
    return { region, leaderStoreId: voters[at % voters.length] ?? 0 };
  });
}

function placeOf(host: string): ProcessPlace {
  const address = { host, port };
  return { address, listen: address, workDir, metrics: null };
}

function invalid(message: string): NokvError {
  return new NokvError("NOKV_INVALID_ARGUMENT", message);
}
