import type { Random } from "../core/env/random.ts";
import type { Incarnation } from "./incarnation.ts";
import type { KeyedRandom } from "./keyed-random.ts";

/**
 * One incarnation's randomness. Keyed by machine and incarnation: a restarted node does not repeat its draws.
 */
export class SimRandom implements Random {
  readonly #keyed: KeyedRandom;
  readonly #incarnation: Incarnation;

  constructor(keyed: KeyedRandom, incarnation: Incarnation) {
    this.#keyed = keyed;
    this.#incarnation = incarnation;
  }

  u32(stream: string, entity: number, ordinal: number): number {
    this.#incarnation.call("random.u32", stream, entity, ordinal);
    const value = this.#keyed.u32(stream, entity, ordinal);
    this.#incarnation.result("random.u32", "ok", value);
    return value;
  }
}
