import type { Machine } from "../sim/machine.ts";

/** Instants at which a store's disk holds half of what it is about to hold: the end of a process hurts most there. */
export const momentNames = ["cut", "conf-written", "removed", "snapshot-written", "begun"] as const;
export type Moment = (typeof momentNames)[number];

/** Who waits for an instant, anywhere. */
export class Moments {
  readonly #armed = new Map<Moment, (machine: Machine) => void>();

  /** `run` is called once, at the next such moment of any store; whoever waited for one before does no more. */
  arm(moment: Moment, run: (machine: Machine) => void): void {
    this.#armed.set(moment, run);
  }

  disarm(): void {
    this.#armed.clear();
  }

  tell(moment: Moment, machine: Machine): void {
    const run = this.#armed.get(moment);
    if (run === undefined) return;
    this.#armed.delete(moment);
    run(machine);
  }
}
