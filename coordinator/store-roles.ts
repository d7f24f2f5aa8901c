import { type RegionMeta, type RegionPeer } from "../raft/region.ts";
import type { PlanLimits, PlanView } from "./plan-view.ts";
import { reportOfPeer } from "./region-report.ts";
import type { StoreStatus } from "./store-view.ts";

/** What may be done with each store, as of one plan. */
export class StoreRoles {
  readonly #byId: ReadonlyMap<number, StoreStatus>;
  readonly #view: PlanView;
  readonly #limits: PlanLimits;
  /** Some store is silent, and nobody knows yet whether it comes back. */
  readonly someSilent: boolean;

  constructor(view: PlanView, limits: PlanLimits) {
    this.#view = view;
    this.#limits = limits;
    this.#byId = new Map(view.stores.map((store) => [store.storeId, store]));
    this.someSilent = view.stores.some(({ liveness }) => liveness === "disconnected");
  }

  /** It may get leaders and replicas. */
  takes(storeId: number): boolean {
    const store = this.#byId.get(storeId);
    if (store === undefined || store.liveness !== "up" || store.membership !== "member") return false;
    return (store.heartbeat?.slowScore ?? 1) < this.#limits.slowScoreMax;
  }

  /** It may get replicas: it was heard of since the Coordinator began. */
  accepts(storeId: number): boolean {
    return this.takes(storeId) && this.#byId.get(storeId)?.heartbeat !== null;
  }

  /** It is heard of: what it holds is not in doubt. */
  answers(storeId: number): boolean {
    const store = this.#byId.get(storeId);
    return store?.liveness === "up" && store.heartbeat !== null;
  }

  /** Its replicas are to live elsewhere, whether it answers or not. */
  isLeaving(storeId: number): boolean {
    const store = this.#byId.get(storeId);
    return store !== undefined && store.membership !== "member";
  }

  /**
   * The replica is to be replaced: its store leaves, or has been silent for long, and the region's leader has not heard
   * of it either. A store that only the Coordinator cannot reach serves all the same. A Coordinator that began anew has
   * not waited so long itself: it takes the leader's word for what was before.
   */
  isGone(region: RegionMeta, { peerId, storeId }: RegionPeer): boolean {
    if (this.isLeaving(storeId)) return true;
    const store = this.#byId.get(storeId);
    // One that never joined is still on its way here.
    if (store === undefined || store.liveness === "up") return false;
    const report = reportOfPeer(this.#view.reportOf(region.id), peerId);
    if (store.liveness === "down") return report !== null && report.silentMs >= this.#limits.silentMs;
    return report !== null && store.heartbeat === null && report.silentMs >= this.#limits.downMs;
  }
}
