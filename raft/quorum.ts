// HOT: once per acknowledgement.

/** What no majority bounds: that of an empty set of voters. */
export const unbounded = Number.MAX_SAFE_INTEGER;

export type VoteResult = "won" | "lost" | "pending";

/**
 * The largest value that a majority has reached. Sorts the first `count` values in place: insertion, because
 * groups are small and the order hardly changes from one call to the next.
 */
export function majorityValue(values: number[], count: number): number {
  if (count === 0) return unbounded;
  for (let i = 1; i < count; i++) {
    const value = values[i] as number;
    let at = i - 1;
    for (; at >= 0 && (values[at] as number) > value; at--) values[at + 1] = values[at] as number;
    values[at + 1] = value;
  }
  return values[count - (count >> 1) - 1] as number;
}

/** The vote of one set of `voters` of which `yes` granted and `no` refused. */
export function majorityVote(voters: number, yes: number, no: number): VoteResult {
  if (voters === 0) return "won";
  const needed = (voters >> 1) + 1;
  if (yes >= needed) return "won";
  return voters - no < needed ? "lost" : "pending";
}

/** Both halves of a joint configuration must win; either can lose. */
export function jointVote(incoming: VoteResult, outgoing: VoteResult): VoteResult {
  if (incoming === "lost" || outgoing === "lost") return "lost";
  return incoming === "won" && outgoing === "won" ? "won" : "pending";
}
