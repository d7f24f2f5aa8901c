// HOT: with the ring on, every written key is counted here.
import { assert } from "../assert.ts";
import { hashKey } from "../bytes/hash.ts";
import { compareKeys } from "../bytes/record.ts";

export interface HotRingOptions {
  /** A power of two. */
  readonly buckets: number;
  /** A key counts as often as it was touched within `windowSlots * slotMs`. */
  readonly windowSlots: number;
  readonly slotMs: number;
  /** Totals are halved so often. */
  readonly decayMs: number;
  /** Keys that are remembered. When there are so many, one in `sampleEvery` new ones takes a cold one's place. */
  readonly keysMax: number;
  readonly sampleEvery: number;
}

export const hotRingDefault: Omit<HotRingOptions, "keysMax"> = {
  buckets: 1024, windowSlots: 10, slotMs: 100, decayMs: 60_000, sampleEvery: 8,
};

/** A key and how hot it is. */
export interface HotKey {
  readonly family: number;
  readonly key: Uint8Array;
  /** Touches within the window. */
  readonly recent: number;
  /** Touches, halved with time. */
  readonly total: number;
}

class Node {
  readonly family: number;
  readonly key: Uint8Array;
  readonly hash: number;
  readonly slots: Uint32Array;
  /** The slot of time that was counted last, by number. */
  lastSlot: number;
  recent = 0;
  total = 0;
  next: Node | null = null;

  // oxlint-disable-next-line max-params
  constructor(family: number, key: Uint8Array, hash: number, windowSlots: number, slot: number) {
    this.family = family;
    this.key = key;
    this.hash = hash;
    this.slots = new Uint32Array(windowSlots);
    this.lastSlot = slot;
  }
}

/**
 * Counts how often keys are touched, within a sliding window and over time: chains in buckets, exact for every key that
 * is remembered, bounded in memory by `keysMax`. Time is what callers say; it must not go back.
 */
export class HotRing {
  readonly #options: HotRingOptions;
  readonly #buckets: (Node | null)[];
  readonly #mask: number;
  #nodes = 0;
  #decayedAtMs: number;
  #newcomers = 0;
  /** Where the search for a cold key goes on. */
  #hand = 0;
  touches = 0;
  clamps = 0;
  drops = 0;

  constructor(options: HotRingOptions, nowMs: number) {
    assert((options.buckets & (options.buckets - 1)) === 0, "buckets are a power of two");
    this.#options = options;
    this.#mask = options.buckets - 1;
    this.#buckets = Array.from({ length: options.buckets }, () => null);
    this.#decayedAtMs = nowMs;
  }

  get keyCount(): number {
    return this.#nodes;
  }

  /** Counts one touch; returns the touches within the window, 0 for a key that is not remembered. */
  touch(family: number, key: Uint8Array, nowMs: number): number {
    this.touches++;
    this.#decay(nowMs);
    const slot = Math.floor(nowMs / this.#options.slotMs);
    const hash = hashKey(family, key, 0, key.length);
    const node = this.#find(family, key, hash) ?? this.#insert(family, key, hash, slot);
    if (node === null) return 0;
    this.#advance(node, slot);
    const at = slot % this.#options.windowSlots;
    node.slots[at] = (node.slots[at] as number) + 1;
    node.recent++;
    node.total++;
    return node.recent;
  }

  /** As `touch`, but a key that reached `limit` within the window is not counted again: true. */
  touchAndClamp(family: number, key: Uint8Array, limit: number, nowMs: number): boolean {
    if (this.count(family, key, nowMs) >= limit) {
      this.clamps++;
      return true;
    }
    this.touch(family, key, nowMs);
    return false;
  }

  /** Touches within the window. */
  count(family: number, key: Uint8Array, nowMs: number): number {
    const node = this.#find(family, key, hashKey(family, key, 0, key.length));
    if (node === null) return 0;
    this.#advance(node, Math.floor(nowMs / this.#options.slotMs));
    return node.recent;
  }

  /** The hottest keys, hottest first; equally hot ones in the order of keys. */
  top(count: number, nowMs: number): HotKey[] {
    this.#decay(nowMs);
    const slot = Math.floor(nowMs / this.#options.slotMs);
    const keys: HotKey[] = [];
    for (const first of this.#buckets) {
      for (let node = first; node !== null; node = node.next) {
        this.#advance(node, slot);
        keys.push({ family: node.family, key: node.key.slice(), recent: node.recent, total: node.total });
      }
    }
    keys.sort((a, b) => {
      return b.recent - a.recent || b.total - a.total || a.family - b.family || compareKeys(a.key, b.key);
    });
    return keys.slice(0, count);
  }

  #find(family: number, key: Uint8Array, hash: number): Node | null {
    let node = this.#buckets[hash & this.#mask] ?? null;
    while (node !== null) {
      if (node.hash === hash && node.family === family && compareKeys(node.key, key) === 0) return node;
      node = node.next;
    }
    return null;
  }

  // oxlint-disable-next-line max-params
  #insert(family: number, key: Uint8Array, hash: number, slot: number): Node | null {
    const { keysMax, sampleEvery, windowSlots } = this.#options;
    if (this.#nodes >= keysMax && (this.#newcomers++ % sampleEvery !== 0 || !this.#evictCold(slot))) {
      this.drops++;
      return null;
    }
    const at = hash & this.#mask;
    const node = new Node(family, key.slice(), hash, windowSlots, slot);
    node.next = this.#buckets[at] ?? null;
    this.#buckets[at] = node;
    this.#nodes++;
    return node;
  }

  /** Forgets one key that was not touched within the window; false: all were. */
  #evictCold(slot: number): boolean {
    for (let looked = 0; looked < this.#buckets.length; looked++) {
      const at = this.#hand++ & this.#mask;
      let before: Node | null = null;
      for (let node = this.#buckets[at] ?? null; node !== null; before = node, node = node.next) {
        this.#advance(node, slot);
        if (node.recent > 0) continue;
        if (before === null) this.#buckets[at] = node.next;
        else before.next = node.next;
        this.#nodes--;
        return true;
      }
    }
    return false;
  }

  /** Forgets what fell out of the window. */
  #advance(node: Node, slot: number): void {
    const { windowSlots } = this.#options;
    if (slot - node.lastSlot >= windowSlots) {
      node.slots.fill(0);
      node.recent = 0;
    } else {
      for (let passed = node.lastSlot + 1; passed <= slot; passed++) {
        const at = passed % windowSlots;
        node.recent -= node.slots[at] as number;
        node.slots[at] = 0;
      }
    }
    if (slot > node.lastSlot) node.lastSlot = slot;
  }

  #decay(nowMs: number): void {
    const { decayMs } = this.#options;
    const due = Math.floor((nowMs - this.#decayedAtMs) / decayMs);
    if (due <= 0) return;
    this.#decayedAtMs += due * decayMs;
    for (const first of this.#buckets) {
      for (let node = first; node !== null; node = node.next) node.total = due > 31 ? 0 : node.total >>> due;
    }
  }
}
