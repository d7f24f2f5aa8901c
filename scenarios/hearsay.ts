import type { Coordinator } from "../coordinator/coordinator.ts";
import { CoordinatorError } from "../coordinator/coordinator-error.ts";
import { noToken } from "../coordinator/journal.ts";
import { type RegionSeat, leaderOf } from "./region-seat.ts";

/**
 * What the Coordinator knows of leaders and their peers by heartbeats alone, where nobody is away: null: all of it is
 * so, of regions that sleep, too. Else what is not.
 */
export function hearsayProblem(
  coordinator: Coordinator,
  seats: readonly RegionSeat[],
  regionIds: readonly number[],
): string | null {
  for (const id of regionIds) {
    const office = leaderOf(seats, id);
    if (office === null) return `region ${id} has no leader`;
    const { region: { start: key }, term, seat: { storeId } } = office;
    const answer = coordinator.route({ key, freshness: "BEST_EFFORT", requiredToken: noToken, maxRootLag: 0 });
    if (answer instanceof CoordinatorError) return answer.message;
    const told = answer.leader;
    if (told?.storeId !== storeId || told.term !== term) {
      return `store ${storeId} leads region ${id} in term ${term}, told is ${told?.storeId} in ${told?.term}`;
    }
    for (const { peerId, silentMs, caughtUp } of coordinator.reportOf(id)?.peers ?? []) {
      if (silentMs > 0) return `peer ${peerId} of region ${id} is told to be silent for ${silentMs} ms`;
      if (!caughtUp) return `peer ${peerId} of region ${id} is told to be behind`;
    }
  }
  return null;
}
