import type { Clock } from "../core/env/clock.ts";
import type { AppendTask } from "../raft/ready.ts";
import type { Dice } from "../sim/dice.ts";
import type { DiskPlan } from "./raft-plan.ts";

export interface LaneParts {
  readonly clock: Clock;
  readonly dice: Dice;
  readonly plan: DiskPlan;
  /** `task` is durable from now on. */
  readonly persist: (task: AppendTask) => void;
  /** `task` may be acknowledged. */
  readonly done: (task: AppendTask) => void;
}

/**
 * The append lane of one incarnation: first in, first out, one sync under way; what arrives meanwhile shares the
 * next. A task that needs no sync is acknowledged without one, and a crash may take it back.
 */
export class RaftLane {
  /** The faults are over: syncs take their usual time. */
  calm = false;
  readonly #parts: LaneParts;
  #pending: AppendTask[] = [];
  #underWay: AppendTask[] = [];
  #unsynced: AppendTask[] = [];
  #held = false;

  constructor(parts: LaneParts) {
    this.#parts = parts;
  }

  submit(task: AppendTask): void {
    this.#pending.push(task);
    if (this.#underWay.length === 0 && !this.#held) this.#flush();
  }

  /** Nothing is written until `release`, but by `releaseOne`. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    if (this.#underWay.length === 0 && this.#pending.length > 0) this.#flush();
  }

  /** The first task that waits is written, alone. */
  releaseOne(): void {
    const task = this.#pending.shift();
    if (task === undefined) return;
    this.#parts.persist(task);
    this.#parts.done(task);
  }

  /** The process dies. Of what was not synced, some of the first tasks made it to the disk. */
  crash(): void {
    const exposed = [...this.#unsynced, ...this.#underWay, ...this.#pending];
    const kept = this.#parts.dice.below(exposed.length + 1);
    for (const task of exposed.slice(0, kept)) this.#parts.persist(task);
  }

  #flush(): void {
    const { clock, dice, plan } = this.#parts;
    this.#underWay = this.#pending;
    this.#pending = [];
    const sync = this.#underWay.some(({ mustSync }) => mustSync);
    const slow = dice.chance(plan.slow, 1_000) && !this.calm;
    const delayUs = sync ? dice.below((slow ? plan.slowUsMax : plan.syncUsMax) + 1) : 0;
    clock.after(delayUs, () => this.#completed(sync));
  }

  #completed(sync: boolean): void {
    const batch = this.#underWay;
    if (sync) {
      for (const task of [...this.#unsynced, ...batch]) this.#parts.persist(task);
      this.#unsynced = [];
    } else {
      this.#unsynced.push(...batch);
    }
    for (const task of batch) this.#parts.done(task);
    this.#underWay = [];
    if (this.#pending.length > 0 && !this.#held) this.#flush();
  }
}
