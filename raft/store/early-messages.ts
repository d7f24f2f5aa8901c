import type { RegionMessage } from "../message-codec.ts";
import type { Message } from "../message.ts";
import { bootstrapIndex } from "./tombstone.ts";

/** A message and the store that it came from. */
export interface EarlyMessage {
  readonly fromStore: number;
  readonly received: RegionMessage;
}

interface Kept extends EarlyMessage {
  ticksLeft: number;
}

/**
 * Messages to peers that are about to begin: their region has just begun elsewhere, by a split that is not applied here
 * yet or is not durable. Made without their region, such peers would need a snapshot of what is here already.
 */
export class EarlyMessages {
  readonly #ticks: number;
  readonly #max: number;
  readonly #isBeginning: (regionId: number) => boolean;
  #kept: Kept[] = [];
  /** Regions whose messages have waited for long enough: what they wait for may never come. */
  readonly #late = new Set<number>();

  /** More than `max` are not kept, and none for longer than `ticks`: they are delivered as if nobody had waited. */
  constructor(ticks: number, max: number, isBeginning: (regionId: number) => boolean) {
    this.#ticks = ticks;
    this.#max = max;
    this.#isBeginning = isBeginning;
  }

  /** False: it is to be delivered now. */
  keeps(fromStore: number, received: RegionMessage): boolean {
    const { regionId, message } = received;
    if (this.#late.has(regionId)) return false;
    const isAwaited = this.#isBeginning(regionId) || this.#kept.some((kept) => kept.received.regionId === regionId);
    if (this.#kept.length >= this.#max || (!isAwaited && !isFirstWord(message))) return false;
    // A heartbeat is repeated; of the rest the newest of a kind says all.
    this.#kept = this.#kept.filter((kept) => !isSameWord(kept, fromStore, received));
    if (message.kind !== "heartbeat") this.#kept.push({ fromStore, received, ticksLeft: this.#ticks });
    return true;
  }

  /** Those of a region whose peer is there. */
  take(regionId: number): readonly EarlyMessage[] {
    this.#late.delete(regionId);
    const taken = this.#kept.filter(({ received }) => received.regionId === regionId);
    if (taken.length > 0) this.#kept = this.#kept.filter((kept) => !taken.includes(kept));
    return taken;
  }

  /** Somebody waits for ticks. */
  get busy(): boolean {
    return this.#kept.length > 0;
  }

  /** Those that have waited for long enough. */
  tick(): readonly EarlyMessage[] {
    if (this.#kept.length === 0) return [];
    for (const kept of this.#kept) kept.ticksLeft--;
    const late = this.#kept.filter(({ ticksLeft }) => ticksLeft <= 0);
    if (late.length === 0) return [];
    for (const { received } of late) this.#late.add(received.regionId);
    const told = this.#kept.filter(({ received }) => this.#late.has(received.regionId));
    this.#kept = this.#kept.filter((kept) => !told.includes(kept));
    return told;
  }
}

/** Whoever says so has nothing but the beginning of a log. */
function isFirstWord({ kind, index }: Message): boolean {
  return index === bootstrapIndex && (kind === "append" || kind === "vote" || kind === "preVote");
}

function isSameWord(kept: Kept, fromStore: number, { regionId, message }: RegionMessage): boolean {
  return (
    kept.fromStore === fromStore && kept.received.regionId === regionId && kept.received.message.kind === message.kind
  );
}
