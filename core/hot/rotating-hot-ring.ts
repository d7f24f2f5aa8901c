import { HotRing, type HotKey, type HotRingOptions } from "./hot-ring.ts";

/**
 * Two rings: the active one counts, the warm one remembers the time before. So what was hot long ago is forgotten
 * as a whole, without a walk over all keys.
 */
export class RotatingHotRing {
  readonly #options: HotRingOptions;
  readonly #rotateMs: number;
  #active: HotRing;
  #warm: HotRing | null = null;
  #rotatedAtMs: number;
  rotations = 0;

  constructor(options: HotRingOptions, rotateMs: number, nowMs: number) {
    this.#options = options;
    this.#rotateMs = rotateMs;
    this.#active = new HotRing(options, nowMs);
    this.#rotatedAtMs = nowMs;
  }

  get clamps(): number {
    return this.#active.clamps + (this.#warm?.clamps ?? 0);
  }

  get keyCount(): number {
    return this.#active.keyCount + (this.#warm?.keyCount ?? 0);
  }

  /** See `HotRing.touchAndClamp`; what the warm ring saw within the window counts too. */
  touchAndClamp(family: number, key: Uint8Array, limit: number, nowMs: number): boolean {
    this.#rotate(nowMs);
    const before = this.#warm?.count(family, key, nowMs) ?? 0;
    return this.#active.touchAndClamp(family, key, Math.max(0, limit - before), nowMs);
  }

  touch(family: number, key: Uint8Array, nowMs: number): number {
    this.#rotate(nowMs);
    return this.#active.touch(family, key, nowMs) + (this.#warm?.count(family, key, nowMs) ?? 0);
  }

  /** The hottest keys of both rings together, hottest first. */
  top(count: number, nowMs: number): HotKey[] {
    this.#rotate(nowMs);
    const merged = new Map<string, HotKey>();
    for (const ring of [this.#active, this.#warm]) {
      for (const found of ring?.top(this.#options.keysMax, nowMs) ?? []) {
        const name = `${found.family}/${found.key.join(",")}`;
        const other = merged.get(name);
        const recent = found.recent + (other?.recent ?? 0);
        merged.set(name, { ...found, recent, total: found.total + (other?.total ?? 0) });
      }
    }
    const byHeat = [...merged.entries()].sort(([aName, a], [bName, b]) => {
      return b.recent - a.recent || b.total - a.total || (aName < bName ? -1 : 1);
    });
    return byHeat.slice(0, count).map(([, found]) => found);
  }

  #rotate(nowMs: number): void {
    if (nowMs - this.#rotatedAtMs < this.#rotateMs) return;
    this.#warm = this.#active;
    this.#active = new HotRing(this.#options, nowMs);
    this.#rotatedAtMs = nowMs;
    this.rotations++;
  }
}
