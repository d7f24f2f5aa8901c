// HOT: every frame of another store passes here.

interface Known {
  incarnation: number;
  heardTick: number;
  isAlive: boolean;
}

/**
 * Which other stores are heard of. A store that falls silent, comes back or comes anew ends an *epoch* of it: whoever
 * sleeps because that store was there has to look again. Its incarnation is durable before its first word, so a
 * restart is told from a silence however short it was.
 */
export class StoreLiveness {
  readonly #silentTicks: number;
  readonly #known = new Map<number, Known>();
  #nowTick = 0;

  /** Whoever says nothing for longer than `silentTicks` is not there. */
  constructor(silentTicks: number) {
    this.#silentTicks = silentTicks;
  }

  /** False also of those who were never heard of. */
  isAlive(storeId: number): boolean {
    return this.#known.get(storeId)?.isAlive ?? false;
  }

  /** Of the newest process that was heard of; 0: none was. */
  incarnationOf(storeId: number): number {
    return this.#known.get(storeId)?.incarnation ?? 0;
  }

  /** Something came from there, so many ticks after `pass`. True: an epoch of that store has begun. */
  heard(storeId: number, incarnation: number, passedTicks: number): boolean {
    const heardTick = this.#nowTick + passedTicks;
    const known = this.#known.get(storeId);
    if (known === undefined) {
      this.#known.set(storeId, { incarnation, heardTick, isAlive: true });
      return true;
    }
    // A process that has a successor is late, not alive.
    if (incarnation < known.incarnation) return false;
    const begins = !known.isAlive || incarnation > known.incarnation;
    known.incarnation = incarnation;
    known.heardTick = heardTick;
    known.isAlive = true;
    return begins;
  }

  /** Time passes: whose epoch ended by it, ascending. */
  pass(ticks: number): number[] {
    this.#nowTick += ticks;
    const silent: number[] = [];
    for (const [storeId, known] of this.#known) {
      if (!known.isAlive || this.#nowTick - known.heardTick <= this.#silentTicks) continue;
      known.isAlive = false;
      silent.push(storeId);
    }
    return silent.toSorted((a, b) => a - b);
  }

  /** So many ticks on, somebody may have been silent for too long; Infinity: nobody is heard of. */
  ticksLeft(): number {
    let left = Infinity;
    for (const { isAlive, heardTick } of this.#known.values()) {
      if (isAlive) left = Math.min(left, heardTick + this.#silentTicks + 1 - this.#nowTick);
    }
    return left;
  }
}
