import { diskFaultKinds } from "./disk/disk-faults.ts";

/**
 * Every way in which the simulated world can be hostile. A run counts each injection under its kind, so that
 * a batch of seeds can show that a fault it claims to survive was really there.
 */
export const faultKinds = [
  ...diskFaultKinds,
  "net.reset",
  "net.half-open",
  "net.one-way-loss",
  "net.latency",
  "net.bandwidth",
  "net.split-delivery",
  "net.refused",
  "net.corrupt",
  "clock.offset",
  "clock.drift",
  "clock.jump",
  "clock.freeze",
  "process.crash",
  "process.power-loss",
  "process.crash-at-call",
  "process.pause",
  "failpoint",
] as const;

export type FaultKind = (typeof faultKinds)[number];

/** How often each kind was injected in one run. */
export class FaultCounts {
  readonly #counts = new Map<FaultKind, number>();

  add(kind: FaultKind): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
  }

  of(kind: FaultKind): number {
    return this.#counts.get(kind) ?? 0;
  }

  /** Kinds that were injected at least once, in the order of the list. */
  toRecord(): Record<string, number> {
    const record: Record<string, number> = {};
    for (const kind of faultKinds) {
      const count = this.#counts.get(kind);
      if (count !== undefined) record[kind] = count;
    }
    return record;
  }
}
