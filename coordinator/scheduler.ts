import type { RegionLeader } from "./leader-view.ts";
import { type Operator, plan, type PlanLimits, type PlanView } from "./planner.ts";

export interface SchedulerLimits extends PlanLimits {
  /** A region that was given an operator gets no other for so long: a futile one is not repeated at once. */
  readonly coolingMs: number;
}

interface Given {
  readonly operator: Operator;
  readonly atUs: number;
}

/** Hands out what the planner wants, to the stores that have to do it. Forgotten with the process. */
export class Scheduler {
  readonly #limits: SchedulerLimits;
  /** By region; times are of the monotonic clock. */
  readonly #given = new Map<number, Given>();

  constructor(limits: SchedulerLimits) {
    this.#limits = limits;
  }

  /** For the store whose heartbeat has come. */
  next(storeId: number, view: PlanView, nowUs: number): readonly Operator[] {
    if (this.#limits.operatorsMax === 0) return [];
    const coolingUs = this.#limits.coolingMs * 1_000;
    for (const [regionId, { atUs }] of this.#given) {
      if (nowUs - atUs >= coolingUs) this.#given.delete(regionId);
    }
    const { stores, regions } = view;
    const operators = plan(
      {
        stores,
        regions,
        leaderOf: (id) => this.#leaderAfter(id, view.leaderOf(id)),
        isBusy: (id) => this.#given.has(id) || view.isBusy(id),
      },
      this.#limits,
    ).filter(({ source }) => source.storeId === storeId);
    for (const operator of operators) this.#given.set(operator.regionId, { operator, atUs: nowUs });
    return operators;
  }

  /** What is under way counts as done: or every heartbeat until it is would send off one leader more. */
  #leaderAfter(regionId: number, leader: RegionLeader | null): RegionLeader | null {
    const given = this.#given.get(regionId);
    if (given === undefined || leader === null || leader.term !== given.operator.term) return leader;
    return { ...given.operator.target, term: leader.term };
  }
}
