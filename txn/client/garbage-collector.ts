import type { Command, LockInfo } from "../percolator/command.ts";
import { LockResolver } from "./lock-resolver.ts";
import type { RegionCalls } from "./region-calls.ts";
import type { Region } from "./region-cache.ts";

const pageSize = 64;

/**
 * Collects everything below a safe point, in the one order that forgets no verdict: the floor everywhere, then the
 * locks below it everywhere, then the records. A step that can not be finished ends the collection; it may begin again.
 */
export class GarbageCollector {
  readonly #calls: RegionCalls;
  readonly #resolver: LockResolver;
  readonly #safePoint: number;
  /** Regions whose floor was raised. */
  regions = 0;

  constructor(calls: RegionCalls, safePoint: number) {
    this.#calls = calls;
    this.#resolver = new LockResolver(calls);
    this.#safePoint = safePoint;
  }

  run(then: (done: boolean) => void): void {
    this.#raiseFloor((raised) => {
      if (!raised) return then(false);
      this.#resolveLocks((resolved) => {
        if (!resolved) return then(false);
        this.#collect(then);
      });
    });
  }

  #raiseFloor(then: (done: boolean) => void): void {
    const floor = this.#safePoint;
    this.#walk(new Uint8Array(0), () => ({ kind: "set-gc-floor", floor }), then);
  }

  #resolveLocks(then: (done: boolean) => void): void {
    const belowTs = this.#safePoint;
    const command = (start: Uint8Array, { range }: Region): Command => ({
      kind: "scan-locks",
      range: { start, end: range.end },
      belowTs,
      limit: pageSize,
    });
    this.#walk(new Uint8Array(0), command, then);
  }

  #collect(then: (done: boolean) => void): void {
    const safePoint = this.#safePoint;
    const command = (start: Uint8Array, { range }: Region): Command => ({
      kind: "collect-garbage",
      safePoint,
      range: { start, end: range.end },
      limit: pageSize,
    });
    this.#walk(new Uint8Array(0), command, then);
  }

  /** From `start` to the last key, page by page, region by region. */
  #walk(
    start: Uint8Array,
    command: (start: Uint8Array, region: Region) => Command,
    then: (done: boolean) => void,
  ): void {
    let next: Uint8Array | null = null;
    this.#calls.run(
      [{ key: start }],
      {
        command: (_, region) => command(start, region),
        reply: (response, turn) => {
          if (response.kind === "refused") return turn.fail();
          if (response.kind === "floor") this.regions++;
          const within = "next" in response ? response.next : null;
          next = within ?? turn.region.range.end;
          if (response.kind !== "locks") return turn.done();
          this.#resolveAll(response.locks, (resolved) => (resolved ? turn.done() : turn.fail()));
        },
      },
      (done) => {
        if (!done) then(false);
        else if (next === null) then(true);
        else this.#walk(next, command, then);
      },
    );
  }

  #resolveAll(locks: readonly LockInfo[], then: (done: boolean) => void): void {
    const [lock, ...rest] = locks;
    if (lock === undefined) return then(true);
    this.#resolver.resolve(lock, 0, (resolution) => {
      if (resolution === "gone") return this.#resolveAll(rest, then);
      if (resolution === "failed") return then(false);
      // At work below the floor: it can not be kept alive any longer, so its time will be over.
      this.#calls.pause("lock", (inTime) => (inTime ? this.#resolveAll(locks, then) : then(false)));
    });
  }
}
