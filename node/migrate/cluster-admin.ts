import { type Layout, decode, encode } from "../../core/bytes/layout.ts";
import type { Env } from "../../core/env/env.ts";
import { CoordinatorError } from "../../coordinator/coordinator-error.ts";
import type { Answer } from "../../coordinator/service/client.ts";
import type { Published } from "../../coordinator/coordinator.ts";
import type { RootEvent } from "../../coordinator/root-event.ts";
import type { RouteAnswer } from "../../coordinator/route.ts";
import type { StoreStatus } from "../../coordinator/store-view.ts";
import type { NetOptions } from "../../net/rpc/options.ts";
import { type RpcError, whyNoAnswer } from "../../net/rpc/rpc-error.ts";
import { messageClass } from "../../net/rpc/wire.ts";
import type { RegionMeta } from "../../raft/region.ts";
import {
  type ReplicaHashAnswer,
  type ReplicaHashRequest,
  type ReplicaProgress,
  type ReplicaStatus,
  changePeersLayout,
  changedLayout,
  mergeLayout,
  nothingLayout,
  raftAdminMethod,
  regionsLayout,
  regionsRequestLayout,
  replicaHashLayout,
  replicaHashRequestLayout,
  replicaProgressLayout,
  splitAnswerLayout,
  splitRequestLayout,
  transferLayout,
} from "../../raft/store/admin-messages.ts";
import type { PeerChange } from "../../raft/store/peer-change.ts";
import { TxnClient } from "../../txn/remote/txn-client.ts";
import { type ClusterReach, reachCluster } from "../reach-cluster.ts";
import type { Survey } from "../survey.ts";
import type { Topology } from "../topology.ts";

/** What an answer was: the one, or why there is none. */
export type Told<T> = { readonly value: T; readonly error: null } | { readonly value: null; readonly error: RpcError };
export type ToldByCoordinator<T> =
  | { readonly value: T; readonly error: null }
  | { readonly value: null; readonly error: CoordinatorError };

/** One request of an operator waits so long at most. */
const callMs = 5_000;
/** A change of peers is answered when it is applied. */
const changeMs = 15_000;
/** A merge is answered when it is over, or was taken back because somebody was away: twice its patience. */
const mergeMs = 75_000;
const routeMs = 2_000;

interface Asking<Q, A> {
  readonly method: number;
  readonly ask: Layout<Q>;
  readonly answer: Layout<A>;
  readonly region: RegionMeta | null;
  readonly timeoutMs: number;
}

/** The stores of a cluster and its Coordinator, as an operator's process reaches them: every call once. */
export class ClusterAdmin {
  readonly topology: Topology;
  readonly client: TxnClient;
  readonly #reach: ClusterReach;

  constructor(env: Env, topology: Topology, network: Partial<NetOptions> = {}) {
    this.topology = topology;
    this.#reach = reachCluster(env, topology, "tool", network);
    const { transport: caller, coordinator } = this.#reach;
    const { clock, random } = env;
    this.client = new TxnClient({ clock, random, caller, coordinator, options: {} });
  }

  /** Whoever waits is told. */
  close(): void {
    this.client.close();
    this.#reach.close();
  }

  // The Coordinator.

  stores(): Promise<ToldByCoordinator<readonly StoreStatus[]>> {
    return this.#told((done) => this.#reach.coordinator.stores(done));
  }

  publish(event: RootEvent): Promise<ToldByCoordinator<Published>> {
    return this.#told((done) => this.#reach.coordinator.publish(event, 0, done));
  }

  route(key: Uint8Array): Promise<ToldByCoordinator<RouteAnswer>> {
    return this.#told((done) => this.#reach.coordinator.route({ key, timeoutMs: routeMs }, done));
  }

  /** The first of `count` ids that nobody else has or will have. */
  async allocateIds(count: number): Promise<ToldByCoordinator<number>> {
    const told = await this.#told<{ readonly first: number }>((done) => {
      this.#reach.coordinator.allocateIds(count, callMs, done);
    });
    return told.error === null ? { value: told.value.first, error: null } : told;
  }

  async timestamp(): Promise<ToldByCoordinator<number>> {
    const told = await this.#told<{ readonly first: number }>((done) => {
      this.#reach.coordinator.timestamps(1, callMs, done);
    });
    return told.error === null ? { value: told.value.first, error: null } : told;
  }

  // Stores.

  async replicas(storeId: number): Promise<Told<readonly ReplicaStatus[]>> {
    const replicas: ReplicaStatus[] = [];
    const { regions: method } = raftAdminMethod;
    const asking = { method, ask: regionsRequestLayout, answer: regionsLayout, region: null, timeoutMs: callMs };
    for (let from = 0; ;) {
      const told = await this.#call(storeId, asking, { from });
      if (told.error !== null) return told;
      replicas.push(...told.value.replicas);
      const last = told.value.replicas.at(-1);
      if (last === undefined) return { value: replicas, error: null };
      from = last.region.id + 1;
    }
  }

  /** What every store of the topology, and `others`, say of their replicas. */
  async survey(others: readonly number[]): Promise<Survey> {
    const ids = new Set([...this.topology.stores.map(({ storeId }) => storeId), ...others]);
    const asked = [...ids].toSorted((a, b) => a - b).map(async (storeId) => {
      const { value, error } = await this.replicas(storeId);
      return [storeId, error === null ? value : whyNoAnswer(error)] as const;
    });
    return new Map(await Promise.all(asked));
  }

  progress(storeId: number, region: RegionMeta): Promise<Told<ReplicaProgress>> {
    const { replicaProgress: method } = raftAdminMethod;
    const asking = { method, ask: nothingLayout, answer: replicaProgressLayout, region, timeoutMs: callMs };
    return this.#call(storeId, asking, {});
  }

  hash(storeId: number, region: RegionMeta, request: ReplicaHashRequest): Promise<Told<ReplicaHashAnswer>> {
    const { replicaHash: method } = raftAdminMethod;
    const asking = { method, ask: replicaHashRequestLayout, answer: replicaHashLayout, region, timeoutMs: callMs };
    return this.#call(storeId, asking, request);
  }

  /** The region after it. Refused unless `region` is what the leader's store has. */
  async changePeers(
    storeId: number,
    region: RegionMeta,
    changes: readonly PeerChange[],
  ): Promise<Told<{ readonly region: RegionMeta }>> {
    const { changePeers: method } = raftAdminMethod;
    const asking = { method, ask: changePeersLayout, answer: changedLayout, region, timeoutMs: changeMs };
    return await this.#call(storeId, asking, { changes });
  }

  async transferLeader(storeId: number, region: RegionMeta, target: number): Promise<Told<object>> {
    const { transferLeader: method } = raftAdminMethod;
    const asking = { method, ask: transferLayout, answer: nothingLayout, region, timeoutMs: changeMs };
    return await this.#call(storeId, asking, { storeId: target });
  }

  /** Divides a region before each of the keys. */
  async split(
    storeId: number,
    region: RegionMeta,
    keys: readonly Uint8Array[],
  ): Promise<Told<{ readonly regions: readonly RegionMeta[] }>> {
    const { split: method } = raftAdminMethod;
    const asking = { method, ask: splitRequestLayout, answer: splitAnswerLayout, region, timeoutMs: changeMs };
    return await this.#call(storeId, asking, { keys });
  }

  /** Merges a region into its right neighbour, which is told of as it is then. */
  async merge(storeId: number, region: RegionMeta, targetId: number): Promise<Told<{ readonly region: RegionMeta }>> {
    const { merge: method } = raftAdminMethod;
    const asking = { method, ask: mergeLayout, answer: changedLayout, region, timeoutMs: mergeMs };
    return await this.#call(storeId, asking, { targetId });
  }

  #call<Q, A>(storeId: number, { method, ask, answer, region, timeoutMs }: Asking<Q, A>, q: Q): Promise<Told<A>> {
    const header = region === null ? null : { regionId: region.id, ...region.epoch, peerId: 0 };
    const order = {
      method, payload: encode(ask, q), timeoutMs, cls: messageClass.client, traceId: 0, region: header,
    } as const;
    return new Promise((resolve) => {
      this.#reach.transport.call(storeId, order, (error, payload) => {
        if (error !== null) return resolve({ value: null, error });
        const decoded = decode(answer, payload);
        if (typeof decoded !== "string") resolve({ value: decoded.value, error: null });
        else resolve({ value: null, error: { kind: "malformed", reason: decoded } });
      });
    });
  }

  #told<T>(begin: (done: Answer<T>) => void): Promise<ToldByCoordinator<T>> {
    return new Promise((resolve) => {
      begin((error, value) => {
        if (value !== null) resolve({ value, error: null });
        else resolve({ value: null, error: error ?? new CoordinatorError("INVALID", "the Coordinator said nothing") });
      });
    });
  }
}
