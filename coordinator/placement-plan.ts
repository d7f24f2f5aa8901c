import { isJointRegion } from "../raft/voter-configuration.ts";
import type { Decision, PlanLimits, PlanView } from "./plan-view.ts";
import { tilingProblem } from "./region-map.ts";
import type { Standing } from "./standing.ts";
import { type StoreLoads, weightOf } from "./store-loads.ts";
import type { StoreRoles } from "./store-roles.ts";

/** Where new replicas go, within what stores may take and send at a time. */
export class Placement {
  readonly #view: PlanView;
  readonly #roles: StoreRoles;
  readonly #limits: PlanLimits;
  readonly #loads: StoreLoads;
  readonly #incoming = new Map<number, number>();
  readonly #outgoing = new Map<number, number>();

  // oxlint-disable-next-line max-params
  constructor(view: PlanView, roles: StoreRoles, limits: PlanLimits, loads: StoreLoads) {
    this.#view = view;
    this.#roles = roles;
    this.#limits = limits;
    this.#loads = loads;
  }

  /** What is under way there takes its share. */
  count({ leader, needed, spare }: Standing): void {
    for (const { storeId, isReady } of [...needed, ...spare]) if (!isReady) this.#begin(storeId, leader?.storeId ?? 0);
  }

  /** Those that have the fewest replicas to lose come first. */
  forWanting(wanting: readonly Standing[]): Decision[] {
    const decisions: Decision[] = [];
    const order = (a: Standing, b: Standing): number => a.kept.length - b.kept.length || a.region.id - b.region.id;
    for (const standing of wanting.toSorted(order)) {
      const storeId = this.#emptiest(standing);
      if (storeId !== null) decisions.push(this.#reserve(standing, storeId));
    }
    return decisions;
  }

  /**
   * Replicas that go to a store that holds less by at least twice what they take: the two are then not further apart
   * than before, the other way round, so the sum of the squares goes down with each, and plans come to an end.
   */
  forBalance(settled: readonly Standing[], room: number): Decision[] {
    const decisions: Decision[] = [];
    const left = new Set(settled);
    while (decisions.length < room) {
      let best: { standing: Standing; from: number; to: number; gap: number } | null = null;
      for (const standing of left) {
        const to = this.#emptiest(standing);
        const from = this.#loads.fullest(standing.kept)?.storeId;
        if (to === null || from === undefined) continue;
        const gap = this.#loads.gap(from, to);
        if (gap < 2 * weightOf(standing.report) || gap <= (best?.gap ?? 0)) continue;
        best = { standing, from, to, gap };
      }
      if (best === null) break;
      left.delete(best.standing);
      this.#loads.moved(best.from, best.to, best.standing.report);
      this.#begin(best.to, best.standing.leader?.storeId ?? 0);
      decisions.push({ kind: "reserve", region: best.standing.region, storeId: best.to });
    }
    return decisions;
  }

  #reserve({ region, report, leader }: Standing, storeId: number): Decision {
    this.#loads.placed(storeId, report);
    this.#begin(storeId, leader?.storeId ?? 0);
    return { kind: "reserve", region, storeId };
  }

  #begin(to: number, from: number): void {
    this.#incoming.set(to, (this.#incoming.get(to) ?? 0) + 1);
    this.#outgoing.set(from, (this.#outgoing.get(from) ?? 0) + 1);
  }

  /** Null: no store could take a replica of it now. */
  #emptiest({ region, leader }: Standing): number | null {
    const { incomingMax, outgoingMax } = this.#limits;
    if ((this.#outgoing.get(leader?.storeId ?? 0) ?? 0) >= outgoingMax) return null;
    let best: number | null = null;
    for (const { storeId } of this.#view.stores) {
      if (!this.#roles.accepts(storeId) || region.peers.some((peer) => peer.storeId === storeId)) continue;
      if ((this.#incoming.get(storeId) ?? 0) >= incomingMax || this.#view.avoids(region.id, storeId)) continue;
      if (best === null || this.#loads.of(storeId) < this.#loads.of(best)) best = storeId;
    }
    return best;
  }
}

/** It has what it is to have, and nothing is under way. */
export function isSettled(standing: Standing, replicas: number): boolean {
  const { region, rests, gone, lost, needed, spare, kept, addition } = standing;
  const idle = gone.length + lost.length + needed.length + spare.length === 0 && addition === null;
  return !rests && idle && kept.length === replicas && !isJointRegion(region);
}

/** Stores that leave and hold nothing any more. */
export function departures(view: PlanView): Decision[] {
  const leaving = view.stores.filter(({ membership }) => membership === "leaving");
  // Where the map has holes, somebody may still report from there.
  if (leaving.length === 0 || tilingProblem(view.regions) !== null) return [];
  const decisions: Decision[] = [];
  for (const { storeId, liveness, heartbeat } of leaving) {
    const holds = view.regions.some(({ id, peers }) => {
      return peers.some((peer) => peer.storeId === storeId) || view.additionOf(id)?.peer.storeId === storeId;
    });
    const isEmpty = liveness !== "up" || heartbeat?.regionCount === 0;
    if (!holds && isEmpty) decisions.push({ kind: "leave", storeId });
  }
  return decisions;
}
