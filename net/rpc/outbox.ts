// HOT: decides which frame leaves next.
import { assert } from "../../core/assert.ts";
import { Fifo } from "./fifo.ts";
import type { FrameWriter } from "./frame-writer.ts";
import type { OutFrame } from "./out-frame.ts";
import { messageClass } from "./wire.ts";

/** Of the bytes that leave while clients wait, one in so many is theirs. */
const floorShare = 10;
/** Dead frames are swept when they are so many more than the living. */
const deadSlack = 64;
const regionMax = 2 ** 37 - 1;

export interface OutboxLimits {
  readonly controlMessagesMax: number;
  readonly appendBytesMax: number;
  readonly requestsMax: number;
  readonly requestBytesMax: number;
}

/** What waits for one peer, of one class, first in first out. */
class Lane {
  readonly frames = new Fifo<OutFrame>();
  /** Of frames that are not dead. */
  count = 0;
  bytes = 0;

  push(frame: OutFrame): void {
    this.frames.push(frame);
    this.count++;
    this.bytes += frame.bytes;
  }

  /** The next living frame, left in place. */
  peek(): OutFrame | null {
    let head = this.frames.peek();
    while (head !== null && head.dead) {
      this.frames.shift();
      head = this.frames.peek();
    }
    return head;
  }

  take(): OutFrame | null {
    const frame = this.peek();
    if (frame === null) return null;
    this.frames.shift();
    // It no longer counts, also when its owner gives up on it later.
    frame.dead = true;
    this.count--;
    this.bytes -= frame.bytes;
    return frame;
  }

  kill(frame: OutFrame): void {
    frame.dead = true;
    this.count--;
    this.bytes -= frame.bytes;
    if (this.frames.length > 2 * this.count + deadSlack) this.frames.retain((other) => !other.dead);
  }
}

/**
 * What waits to be written to one connection, by class, each with a policy of its own:
 *
 * - what keeps the connection (pings, cancellations): before everything, few by nature
 * - control: one message per (region, type), the newest; beyond the limit the oldest is dropped
 * - append: a bound in bytes; what exceeds it is refused, and the sender told
 * - client, coordinator: bounds in count and bytes; what exceeds them is refused
 *
 * Strictly in that order, but that while clients wait, a tenth of the bytes is theirs.
 */
export class Outbox {
  readonly #limits: OutboxLimits;
  readonly #urgent = new Fifo<OutFrame>();
  readonly #control = new Map<number, OutFrame>();
  /**
   * Stands before the oldest for good: whoever enters a map anew passes all that were taken from its front. It comes to
   * no end, for it is asked only while something waits.
   */
  readonly #oldest = this.#control.entries();
  readonly #append = new Lane();
  readonly #client = new Lane();
  readonly #coordinator = new Lane();
  #controlBytes = 0;
  #urgentBytes = 0;
  /** What waiting clients have not got of their share, times the share's denominator less one. */
  #owed = 0;
  /** Control messages that newer ones replaced. */
  superseded = 0;
  /** Control messages that others pushed out. */
  dropped = 0;

  constructor(limits: OutboxLimits) {
    this.#limits = limits;
  }

  /** Bytes that wait, about. */
  get bytes(): number {
    return this.#urgentBytes + this.#controlBytes + this.#append.bytes + this.#client.bytes + this.#coordinator.bytes;
  }

  get empty(): boolean {
    return this.#urgent.length === 0 && this.#control.size === 0 && this.#append.count === 0 && this.requests === 0;
  }

  /** Nothing waits but what may wait for company. */
  get patient(): boolean {
    const hasControl = this.#urgent.length > 0 || this.#control.size > 0;
    return !hasControl && this.#append.count === 0 && this.#client.count === 0;
  }

  get controlMessages(): number {
    return this.#control.size;
  }

  get appendBytes(): number {
    return this.#append.bytes;
  }

  get requests(): number {
    return this.#client.count + this.#coordinator.count;
  }

  urgent(frame: OutFrame): void {
    this.#urgent.push(frame);
    this.#urgentBytes += frame.bytes;
  }

  /** The newest message of a region and type is the only one worth sending, in the place of the one it replaces. */
  control(region: number, frame: OutFrame): void {
    assert(region >= 0 && region <= regionMax, "a region and a type fit one key");
    const key = region * 0x1_0000 + frame.type;
    const old = this.#control.get(key);
    if (old !== undefined) {
      this.superseded++;
      this.#controlBytes -= old.bytes;
    } else if (this.#control.size >= this.#limits.controlMessagesMax) {
      this.#dropOldest();
    }
    this.#control.set(key, frame);
    this.#controlBytes += frame.bytes;
  }

  /** False: there is no room, and nothing was queued. One message always fits an empty queue. */
  append(frame: OutFrame): boolean {
    if (this.#append.count > 0 && this.#append.bytes + frame.bytes > this.#limits.appendBytesMax) {
      return false;
    }
    this.#append.push(frame);
    return true;
  }

  /** False: there is no room, and nothing was queued. One request always fits an empty queue. */
  request(frame: OutFrame): boolean {
    const lane = this.#laneOf(frame);
    const { requestsMax, requestBytesMax } = this.#limits;
    if (lane.count > 0 && (lane.count >= requestsMax || lane.bytes + frame.bytes > requestBytesMax)) return false;
    lane.push(frame);
    return true;
  }

  /** A response: whoever admitted the request has made room for it. */
  response(frame: OutFrame): void {
    this.#laneOf(frame).push(frame);
  }

  /** A request that was queued and not taken is not wanted any more. */
  kill(frame: OutFrame): void {
    if (!frame.dead) this.#laneOf(frame).kill(frame);
  }

  /** Moves frames to `writer` until it holds `room` bytes, or nothing waits. */
  fill(writer: FrameWriter, room: number): void {
    while (writer.length < room) {
      const frame = this.#next();
      if (frame === null) return;
      frame.write(writer);
    }
  }

  #laneOf(frame: OutFrame): Lane {
    return frame.cls === messageClass.coordinator ? this.#coordinator : this.#client;
  }

  #next(): OutFrame | null {
    const urgent = this.#urgent.shift();
    if (urgent !== null) {
      this.#urgentBytes -= urgent.bytes;
      return urgent;
    }
    const client = this.#client.peek();
    if (client === null) this.#owed = 0;
    else if (this.#owed >= client.bytes * (floorShare - 1)) return this.#takeClient();
    const ahead = this.#takeControl() ?? this.#append.take();
    if (ahead === null) return client === null ? this.#coordinator.take() : this.#takeClient();
    if (client !== null) this.#owed += ahead.bytes;
    return ahead;
  }

  #takeClient(): OutFrame | null {
    const frame = this.#client.take();
    if (frame !== null) this.#owed = Math.max(0, this.#owed - frame.bytes * (floorShare - 1));
    return frame;
  }

  #takeControl(): OutFrame | null {
    if (this.#control.size === 0) return null;
    const next = this.#oldest.next();
    assert(next.done !== true, "what waits is behind the oldest");
    const [key, frame] = next.value;
    this.#control.delete(key);
    this.#controlBytes -= frame.bytes;
    return frame;
  }

  #dropOldest(): void {
    this.#takeControl();
    this.dropped++;
  }
}
