import { createHash, randomBytes } from "node:crypto";
import { type StreamKey, draw } from "../core/bytes/keyed-draw.ts";
import type { Random } from "../core/env/random.ts";

/**
 * Keyed randomness of this process: drawn as in the simulator, but of a seed that nobody can guess or repeat.
 */
export class HostRandom implements Random {
  readonly #seed = randomBytes(32);
  readonly #streams = new Map<string, StreamKey>();

  u32(stream: string, entity: number, ordinal: number): number {
    return draw(this.#stream(stream), entity, ordinal);
  }

  #stream(name: string): StreamKey {
    const known = this.#streams.get(name);
    if (known !== undefined) return known;
    const digest = createHash("sha256").update(this.#seed).update(name).digest();
    const key = { low: digest.readUInt32LE(0), high: digest.readUInt32LE(4) };
    this.#streams.set(name, key);
    return key;
  }
}
