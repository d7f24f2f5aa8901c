import { pointRange } from "../percolator/read.ts";
import { LockResolver } from "./lock-resolver.ts";
import type { RegionCalls } from "./region-calls.ts";

/** What `unchangedSince` found; `unknown`: the budget ran out. */
export type Change = "unchanged" | "changed" | "unknown";

/** Some keys, and the time between two timestamps. */
export interface Period {
  readonly keys: readonly Uint8Array[];
  readonly sinceTs: number;
  readonly untilTs: number;
}

/**
 * Whether nobody wrote or removed any of `keys` in between, and no lifetime of theirs ended. What is too long ago to be
 * known counts as a change.
 */
export function unchangedSince(calls: RegionCalls, period: Period, then: (change: Change) => void): void {
  const { keys, sinceTs, untilTs } = period;
  const resolver = new LockResolver(calls);
  const bypass: number[] = [];
  let isChanged = false;
  calls.run(
    keys.map((key) => ({ key })),
    {
      command: (items) => ({
        kind: "refresh",
        ranges: items.map(({ key }) => pointRange(key)),
        startTs: sinceTs,
        commitTs: untilTs,
        bypass: [...bypass],
      }),
      reply: (response, turn) => {
        if (response.kind === "unchanged") return turn.done();
        const refusal = response.kind === "refused" ? response.refusals[0] : undefined;
        if (refusal?.kind === "locked") {
          const { lock } = refusal;
          return resolver.resolve(lock, untilTs, (resolution) => {
            if (resolution === "failed") return turn.fail();
            if (resolution === "bypass") bypass.push(lock.startTs);
            turn.again(turn.items, "lock");
          });
        }
        isChanged = refusal?.kind === "changed" || refusal?.kind === "too-old";
        turn.fail();
      },
    },
    (done) => then(done ? "unchanged" : isChanged ? "changed" : "unknown"),
  );
}
