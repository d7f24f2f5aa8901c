import { LeaderPlan } from "./leader-plan.ts";
import { planMerges } from "./merge-plan.ts";
import type { Operator } from "./operator.ts";
import type { Decision, PlanLimits, PlanView } from "./plan-view.ts";
import { departures, isSettled, Placement } from "./placement-plan.ts";
import { type Next, nextOf } from "./replica-plan.ts";
import { type Standing, standingOf } from "./standing.ts";
import { StoreLoads } from "./store-loads.ts";
import { StoreRoles } from "./store-roles.ts";

export interface Plan {
  /** For the stores that lead the regions: at most one per region. */
  readonly operators: readonly Operator[];
  /** For the Coordinator itself. */
  readonly decisions: readonly Decision[];
}

/**
 * What is to be done next, by weight: replicas that are lost, those on stores that leave, those too many, then the
 * balance of replicas, neighbours that are too small, and the balance of leaders. Pure, and the same for the same view:
 * ties go to the region, the store and the peer that come first. At rest a plan is empty.
 */
export function plan(view: PlanView, limits: PlanLimits): Plan {
  const roles = new StoreRoles(view, limits);
  const decisions: Decision[] = [];
  const operators: Operator[] = [];
  const free = new Set<number>();
  if (limits.replicas > 0) planReplicas(view, { roles, limits, decisions, operators, free });
  decisions.push(...departures(view));
  const isFree = (regionId: number): boolean => limits.replicas === 0 || free.has(regionId);
  const merges = planMerges(view, roles, limits, isFree);
  operators.push(...merges);
  const merged = new Set(merges.flatMap(({ regionId, targetId }) => [regionId, targetId]));
  const keepsItsRange = (regionId: number): boolean => isFree(regionId) && !merged.has(regionId);
  operators.push(...new LeaderPlan(view, roles).transfers(keepsItsRange, limits));
  return { operators, decisions };
}

interface Drawing {
  readonly roles: StoreRoles;
  readonly limits: PlanLimits;
  readonly decisions: Decision[];
  readonly operators: Operator[];
  /** Regions in which nothing is to be done and nothing is under way. */
  readonly free: Set<number>;
}

function planReplicas(view: PlanView, { roles, limits, decisions, operators, free }: Drawing): void {
  const standings = view.regions.map((region) => standingOf(region, view, roles, limits));
  const loads = new StoreLoads(standings);
  const placement = new Placement(view, roles, limits, loads);
  const nexts = new Map<Standing, Next>();
  for (const standing of standings) {
    placement.count(standing);
    const next = nextOf(standing, { roles, loads, limits });
    nexts.set(standing, next);
    if (next.operator !== null) operators.push(next.operator);
    if (next.decision !== null) decisions.push(next.decision);
  }
  const wanting = standings.filter((standing) => nexts.get(standing)?.wants === true);
  decisions.push(...placement.forWanting(wanting));
  const settled = standings.filter((standing) => isSettled(standing, limits.replicas));
  // What is missing comes first, and a store that is only silent may come back with all it holds.
  if (wanting.length === 0 && !roles.someSilent) {
    const moving = [...nexts.values()].filter(({ moves }) => moves).length;
    decisions.push(...placement.forBalance(settled, limits.balancingMax - moving));
  }
  const reserved = new Set(decisions.flatMap((decision) => (decision.kind === "reserve" ? [decision.region.id] : [])));
  for (const { region } of settled) if (!reserved.has(region.id)) free.add(region.id);
}
