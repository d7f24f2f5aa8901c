// HOT: with hot keys on, every written key passes here.
import {
  readFamily, readKeyLength, readKind, recordBytesAt, recordHeaderBytes, recordKind,
} from "../bytes/record.ts";
import type { Clock } from "../env/clock.ts";
import { NokvError } from "../errors.ts";
import { type HotKey, hotRingDefault } from "../hot/hot-ring.ts";
import { RotatingHotRing } from "../hot/rotating-hot-ring.ts";
import type { Batch } from "./batch.ts";
import type { EngineOptions } from "./options.ts";

const rotateMs = 30 * 60_000;
const keyShownMax = 64;

/** The keys that are written most, and, if asked for, a limit of writes per key and second. */
export class HotKeys {
  readonly #ring: RotatingHotRing;
  readonly #clock: Clock;
  readonly #writesMax: number;
  /** Batches that were refused. */
  limited = 0;

  private constructor(clock: Clock, options: EngineOptions) {
    const keysMax = options.hotKeysMax;
    this.#clock = clock;
    this.#writesMax = options.hotKeyWritesMax;
    this.#ring = new RotatingHotRing({ ...hotRingDefault, keysMax }, rotateMs, this.#nowMs());
  }

  /** Null when the options leave it off. */
  static of(clock: Clock, options: EngineOptions): HotKeys | null {
    return options.hotKeysMax === 0 ? null : new HotKeys(clock, options);
  }

  /** Counts the keys of a batch; throws `NOKV_BUSY` naming one that reached its limit. An attempt counts, too. */
  note(batch: Batch): void {
    const { bytes, byteLength } = batch;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const nowMs = this.#nowMs();
    for (let at = 0; at < byteLength; at += recordBytesAt(view, at)) {
      if (readKind(view, at) === recordKind.rangeTombstone) continue;
      const keyAt = at + recordHeaderBytes;
      const key = bytes.subarray(keyAt, keyAt + readKeyLength(view, at));
      if (this.#writesMax === 0) this.#ring.touch(readFamily(view, at), key, nowMs);
      else if (this.#ring.touchAndClamp(readFamily(view, at), key, this.#writesMax, nowMs)) throw this.#limit(key);
    }
  }

  top(count: number): HotKey[] {
    return this.#ring.top(count, this.#nowMs());
  }

  #limit(key: Uint8Array): NokvError {
    this.limited++;
    const shown = JSON.stringify(new TextDecoder().decode(key.subarray(0, keyShownMax)));
    const message = `key ${shown} was written ${this.#writesMax} times within a second; hotKeyWritesMax is the limit`;
    return new NokvError("NOKV_BUSY", message);
  }

  /** Monotonic: a wall clock that jumps would open or close the window at once. */
  #nowMs(): number {
    return Math.floor(this.#clock.monotonicUs() / 1000);
  }
}
