import { describeKey } from "../raft/region.ts";
import type { ClusterView, RegionView, StoreView } from "./cluster-view.ts";
import type { VarTree } from "./metrics-text.ts";

/** `ClusterView` for programs, the page among them. Keys as text; where they are not printable, `hex:…`; none: "". */
export function clusterJson(view: ClusterView): VarTree {
  return {
    stores: view.stores.map(storeJson),
    regions: view.regions.map(regionJson),
    hot_keys: hotKeys(view),
    silent: view.silent.map(({ who, why }) => ({ who, why })),
  };
}

function storeJson({ storeId, address, liveness, status }: StoreView): VarTree {
  const regions = status?.regions ?? [];
  return {
    store_id: storeId,
    address,
    liveness,
    answered: status !== null,
    incarnation: status?.incarnation ?? 0,
    uptime_ms: status?.uptimeMs ?? 0,
    regions: regions.length,
    leaders: regions.filter(({ leadingTerm }) => leadingTerm > 0).length,
    bytes: regions.reduce((sum, { bytes }) => sum + bytes, 0),
    counts: Object.fromEntries((status?.counts ?? []).map(({ name, value }) => [snakeCase(name), value])),
  };
}

function regionJson({ region, replicas, leaderStore, term, bytes, records, reads, writes }: RegionView): VarTree {
  return {
    region_id: region.id,
    start: region.start.length === 0 ? "" : describeKey(region.start, ""),
    end: region.end.length === 0 ? "" : describeKey(region.end, ""),
    epoch: { version: region.epoch.version, conf_version: region.epoch.confVer },
    leader_store: leaderStore,
    term,
    bytes,
    records,
    reads,
    writes,
    replicas: replicas.map((replica) => ({
      store_id: replica.storeId,
      peer_id: replica.peerId,
      role: replica.role,
      leader: replica.isLeader,
      applied: replica.applied,
      lag: replica.lag,
      state: replica.state,
    })),
  };
}

/** Of all stores, hottest first. A key is led by one store at a time; who led it before saw it, too. */
function hotKeys({ stores }: ClusterView): VarTree[] {
  return stores
    .flatMap(({ storeId, status }) => (status?.hotKeys ?? []).map(({ key, recent }) => ({ storeId, key, recent })))
    .toSorted((a, b) => b.recent - a.recent || a.storeId - b.storeId)
    .map(({ storeId, key, recent }) => ({ key: describeKey(key, ""), store_id: storeId, per_second: recent }));
}

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
