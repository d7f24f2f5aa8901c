import { compareKeys } from "../../core/bytes/record.ts";
import { describeRpcError } from "../../net/rpc/rpc-error.ts";
import type { RegionMeta } from "../../raft/region.ts";
import type { ReplicaStatus } from "../../raft/store/admin-messages.ts";
import type { ClusterAdmin } from "./cluster-admin.ts";

/** A region as its leader has it. */
export interface LedRegion {
  readonly region: RegionMeta;
  readonly leaderStore: number;
  readonly leaderPeer: number;
  readonly term: number;
  readonly applied: number;
}

/** What all stores said of their replicas at about one time. */
export interface ClusterView {
  /** By store; a string: why it did not answer. */
  readonly stores: ReadonlyMap<number, readonly ReplicaStatus[] | string>;
}

/** Asks every store that is known, and `others`. */
export async function viewCluster(admin: ClusterAdmin, others: readonly number[]): Promise<ClusterView> {
  const ids = new Set([...admin.topology.stores.map(({ storeId }) => storeId), ...others]);
  const sorted = [...ids].toSorted((a, b) => a - b);
  const told = await Promise.all(sorted.map((storeId) => admin.replicas(storeId)));
  const stores = new Map(sorted.map((storeId, at) => {
    const answer = told[at];
    if (answer === undefined) return [storeId, "it was not asked"];
    return [storeId, answer.error === null ? answer.value : describeRpcError(answer.error)];
  }));
  return { stores };
}

export function replicaOn(view: ClusterView, storeId: number, regionId: number): ReplicaStatus | null {
  const replicas = view.stores.get(storeId);
  if (replicas === undefined || typeof replicas === "string") return null;
  return replicas.find(({ region }) => region.id === regionId) ?? null;
}

/** Whoever leads in the latest term; null: nobody says so. */
export function leaderOf(view: ClusterView, regionId: number): LedRegion | null {
  let led: LedRegion | null = null;
  for (const storeId of view.stores.keys()) {
    const replica = replicaOn(view, storeId, regionId);
    if (replica === null || replica.leadingTerm <= (led?.term ?? 0)) continue;
    const { region, peerId, leadingTerm, applied } = replica;
    led = { region, leaderStore: storeId, leaderPeer: peerId, term: leadingTerm, applied };
  }
  return led;
}

/** The regions that are led, by start key. */
export function regionsOf(view: ClusterView): LedRegion[] {
  const ids = new Set<number>();
  for (const replicas of view.stores.values()) {
    if (typeof replicas !== "string") for (const { region } of replicas) ids.add(region.id);
  }
  const led = [...ids].map((id) => leaderOf(view, id)).filter((found) => found !== null);
  return led.toSorted((a, b) => compareKeys(a.region.start, b.region.start));
}

/** Null: the regions hold every key once. */
export function tilingProblem(regions: readonly LedRegion[]): string | null {
  let end: Uint8Array | null = new Uint8Array(0);
  for (const { region } of regions) {
    if (end === null || compareKeys(region.start, end) !== 0) return `nobody leads what is before region ${region.id}`;
    end = region.end.length === 0 ? null : region.end;
  }
  return end === null ? null : "nobody leads the last keys";
}

/** Stores that said nothing, and why. */
export function silentStores(view: ClusterView): string[] {
  return [...view.stores].flatMap(([storeId, said]) => (typeof said === "string" ? [`store ${storeId}: ${said}`] : []));
}
