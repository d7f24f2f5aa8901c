import type { Clock } from "../core/env/clock.ts";
import type { NokvError } from "../core/errors.ts";
import { Rounds } from "./rounds.ts";

/** Knows what damage its background work has met. */
interface Met {
  readonly damage: NokvError | null;
}

export interface DamageWatchParts {
  readonly clock: Clock;
  readonly engine: Met;
  readonly log: Met;
  readonly everyMs: number;
  readonly failed: (error: NokvError) => void;
}

/**
 * Hears of damage that only background work has met: what merges tables, and takes segments of the Raft log back, goes
 * round it for ever, and has nobody to tell.
 */
export class DamageWatch {
  readonly #parts: DamageWatchParts;
  readonly #rounds: Rounds;

  constructor(parts: DamageWatchParts) {
    this.#parts = parts;
    this.#rounds = new Rounds(parts.clock, parts.everyMs * 1_000, () => this.look());
  }

  start(): void {
    this.#rounds.start();
  }

  look(): void {
    const { engine, log, failed } = this.#parts;
    const damage = engine.damage ?? log.damage;
    if (damage === null) return;
    this.stop();
    failed(damage);
  }

  stop(): void {
    this.#rounds.stop();
  }
}
