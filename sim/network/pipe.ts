// HOT: every byte between two simulated machines.
import { assert } from "../../core/assert.ts";
import type { NetworkErrorCode } from "../../core/env/network.ts";
import type { Dice } from "../dice.ts";
import type { EventLoop } from "../event-loop.ts";
import type { FaultKind } from "../faults.ts";
import type { Life } from "../life.ts";
import { ByteQueue } from "./byte-queue.ts";
import type { Link } from "./link.ts";
import type { NetworkFaults } from "./network-faults.ts";

/** The process that writes into a pipe. Called on turns of its own. */
export interface PipeSender {
  /** The queue is empty after a write that was told it is not. */
  drained(): void;
  /** The end of the stream was taken by the network. */
  finished(): void;
  /** Nothing more will get through. */
  broken(code: NetworkErrorCode): void;
}

/** The process that reads from a pipe. One call per turn, in the order of the stream. */
export interface PipeReceiver {
  /** The process, or its connection, is gone. Its kernel may still answer: `lost` or `refused`. */
  readonly gone: boolean;
  /** The kernel there runs, so what arrives for a process that is gone is answered with a reset. */
  readonly reachable: boolean;
  /** Runs `run` when the kernel there runs again. */
  whenReachable(run: () => void): void;
  opened(): void;
  data(bytes: Uint8Array): void;
  ended(): void;
  broken(code: NetworkErrorCode): void;
}

export interface PipeParts {
  readonly loop: EventLoop;
  readonly link: Link;
  /** The way back: acknowledgements and resets. */
  readonly reverse: Link;
  readonly faults: NetworkFaults;
  readonly dice: Dice;
  readonly count: (kind: FaultKind) => void;
  /** Ends with the sending process. */
  readonly senderLife: Life;
  /** Never ends: segments arrive at machines, not at processes. */
  readonly receiverHardware: Life;
  readonly sender: PipeSender;
}

type SegmentKind = "open" | "data" | "end" | "reset";

interface Segment {
  readonly kind: SegmentKind;
  readonly bytes: Uint8Array;
}

const noBytes = new Uint8Array(0);
const perMillion = 1_000_000;

/** Work of one turn gathers before the network takes it, as a kernel would coalesce it. */
const gatherUsMax = 2;

/** A sender that hears nothing gives up after a time between these, in microseconds. */
const giveUpUsMin = 5_000_000;
const giveUpUsMax = 120_000_000;

/**
 * One direction of a connection. Bytes wait in `#queue` until the window has room, then travel as segments in
 * `#flight`, in order, until the receiver's process has read them. The first `#arrived` segments of the
 * flight wait at the receiver; those from `#held` on have not left because the link is blocked.
 */
export class Pipe {
  readonly #parts: PipeParts;
  readonly #queue = new ByteQueue();
  #receiver: PipeReceiver | null = null;
  readonly #flight: Segment[] = [];
  #flightBytes = 0;
  #arrived = 0;
  #held = 0;
  #lastArrivalUs = 0;
  #open = false;
  #ending = false;
  /** Nothing enters the flight any more: the end or a reset is its last segment. */
  #closed = false;
  #full = false;
  #paused = false;
  #pumpDue = false;
  #drainDue = false;
  #waitingForLink = false;
  #waitingForWord = false;
  #givingUp = false;

  constructor(parts: PipeParts) {
    this.#parts = parts;
  }

  /** Who reads; known before the pipe opens. */
  connectTo(receiver: PipeReceiver): void {
    this.#receiver = receiver;
  }

  /** Bytes that the network has not taken. */
  get pendingBytes(): number {
    return this.#queue.length;
  }

  /** Segments may travel. `announce`: the receiver is told, before any byte. */
  open(announce: boolean): void {
    assert(!this.#open, "a pipe opens once");
    this.#open = true;
    if (announce) this.#send("open", noBytes);
    if (this.#queue.length > 0 || this.#ending) this.#pumpSoon();
  }

  /** False: above `highWaterBytes`; the sender will be told when the queue is empty. */
  write(bytes: Uint8Array, highWaterBytes: number): boolean {
    if (this.#closed || this.#ending) return true;
    this.#queue.push(bytes);
    this.#pumpSoon();
    if (this.#queue.length < highWaterBytes) return true;
    this.#full = true;
    return false;
  }

  end(): void {
    if (this.#closed || this.#ending) return;
    this.#ending = true;
    this.#pumpSoon();
  }

  /** Drops what is queued and some of what is under way; the receiver sees a reset after the rest. */
  reset(): void {
    if (this.#closed) return;
    this.#queue.clear();
    if (!this.#open) {
      this.#closed = true;
      return;
    }
    this.#dropTail(this.#parts.dice.below(this.#flight.length - this.#arrived + 1));
    this.#send("reset", noBytes);
    this.#closed = true;
  }

  /** The sending process is gone and its kernel ends the stream in order; what the network took arrives. */
  orphan(): void {
    if (this.#closed || !this.#open) return;
    this.#queue.clear();
    this.#send("end", noBytes);
    this.#closed = true;
  }

  /** The sending machine lost power: what has left travels on, nobody says anything more. */
  silence(): void {
    this.#queue.clear();
    this.#dropTail(this.#held);
    this.#closed = true;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#drainSoon();
  }

  /** The sender is told that the other side is gone, when word of it gets back. */
  bounce(code: NetworkErrorCode): void {
    const { reverse, loop, senderLife, sender } = this.#parts;
    this.#closed = true;
    this.#queue.clear();
    if (reverse.blocked) {
      reverse.whenHealed(() => this.bounce(code));
      return;
    }
    loop.at(reverse.arrivalUs(loop.nowUs, 0), senderLife, () => sender.broken(code));
  }

  #pumpSoon(): void {
    if (this.#pumpDue || !this.#open || this.#closed) return;
    this.#pumpDue = true;
    const { loop, senderLife, dice } = this.#parts;
    loop.after(dice.below(gatherUsMax + 1), senderLife, () => this.#pump());
  }

  #pump(): void {
    this.#pumpDue = false;
    const { faults, dice, link, sender } = this.#parts;
    while (this.#queue.length > 0 && this.#flightBytes < faults.windowBytes && !this.#closed) {
      const bytes = this.#queue.take(this.#segmentLength());
      if (dice.chance(faults.reset, perMillion) && !link.loopback) {
        this.#breakAfter(bytes);
        return;
      }
      if (dice.chance(faults.corrupt, perMillion) && !link.loopback && !link.plain) this.#flip(bytes);
      this.#send("data", bytes);
    }
    if (this.#closed || this.#queue.length > 0) return;
    const wasFull = this.#full;
    this.#full = false;
    if (this.#ending) {
      this.#send("end", noBytes);
      this.#closed = true;
      sender.finished();
    } else if (wasFull) {
      sender.drained();
    }
  }

  #segmentLength(): number {
    const { faults, dice, count } = this.#parts;
    const room = Math.max(1, faults.windowBytes - this.#flightBytes);
    const length = Math.min(this.#queue.length, room, faults.segmentBytesMax);
    if (length < 2 || !dice.chance(faults.splitDelivery, perMillion)) return length;
    count("net.split-delivery");
    return dice.skewed(1, length - 1);
  }

  /** The connection dies inside this segment: a prefix of it arrives. */
  #breakAfter(bytes: Uint8Array): void {
    const { dice, count } = this.#parts;
    count("net.reset");
    const kept = dice.below(bytes.length);
    if (kept > 0) this.#send("data", bytes.subarray(0, kept));
    this.#send("reset", noBytes);
    this.bounce("ECONNRESET");
  }

  /** The pipe owns what it took out of its queue. */
  #flip(bytes: Uint8Array): void {
    const { dice, count } = this.#parts;
    count("net.corrupt");
    const at = dice.below(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << dice.below(8));
  }

  #send(kind: SegmentKind, bytes: Uint8Array): void {
    const { link, count } = this.#parts;
    this.#flight.push({ kind, bytes });
    this.#flightBytes += bytes.length;
    if (!link.blocked && this.#held === 0) {
      this.#depart(bytes.length);
      return;
    }
    this.#held++;
    if (this.#waitingForLink) return;
    this.#waitingForLink = true;
    count("net.one-way-loss");
    link.whenHealed(() => this.#release());
    this.#giveUpLater();
  }

  #depart(sizeBytes: number): void {
    const { loop, link, receiverHardware, senderLife } = this.#parts;
    const arrivalUs = link.arrivalUs(loop.presentUs(senderLife.processor), sizeBytes);
    this.#lastArrivalUs = Math.max(this.#lastArrivalUs, arrivalUs);
    loop.at(this.#lastArrivalUs, receiverHardware, () => this.#arrive());
  }

  #release(): void {
    this.#waitingForLink = false;
    const first = this.#flight.length - this.#held;
    this.#held = 0;
    for (let i = first; i < this.#flight.length; i++) this.#depart(this.#flight[i]?.bytes.length ?? 0);
  }

  /** One more segment is at the receiver. Not "its" segment: a busy machine takes them late, but in order. */
  #arrive(): void {
    if (this.#arrived >= this.#flight.length - this.#held) return;
    this.#arrived++;
    const receiver = this.#reader();
    if (receiver.gone) {
      this.#unread();
      return;
    }
    const last = this.#flight[this.#arrived - 1];
    // A reset overtakes what a paused reader has not asked for.
    if (this.#paused && last?.kind === "reset") this.#discard(this.#arrived - 1);
    else if (this.#paused) return;
    this.#deliver();
  }

  #deliver(): void {
    const segment = this.#flight.shift();
    assert(segment !== undefined, "an arrived segment is in flight");
    this.#arrived--;
    this.#flightBytes -= segment.bytes.length;
    if (this.#queue.length > 0 || this.#ending) this.#acknowledge();
    const receiver = this.#reader();
    switch (segment.kind) {
      case "open":
        receiver.opened();
        break;
      case "data":
        receiver.data(segment.bytes);
        break;
      case "end":
        receiver.ended();
        break;
      case "reset":
        receiver.broken("ECONNRESET");
        break;
    }
  }

  /** Delivers the backlog of a reader that has resumed, one segment per turn. */
  #drainSoon(): void {
    if (this.#drainDue || this.#arrived === 0) return;
    this.#drainDue = true;
    const { loop, receiverHardware } = this.#parts;
    const receiver = this.#reader();
    loop.after(0, receiverHardware, () => {
      this.#drainDue = false;
      if (this.#arrived === 0 || this.#paused || receiver.gone) return;
      this.#deliver();
      this.#drainSoon();
    });
  }

  /** Room in the window reaches the sender after the way back. */
  #acknowledge(): void {
    const { reverse, loop } = this.#parts;
    if (this.#pumpDue || this.#closed) return;
    this.#pumpDue = true;
    const pump = (): void => {
      const { senderLife } = this.#parts;
      this.#waitingForWord = false;
      loop.at(reverse.arrivalUs(loop.nowUs, 0), senderLife, () => this.#pump());
    };
    if (!reverse.blocked) {
      pump();
      return;
    }
    this.#waitingForWord = true;
    reverse.whenHealed(pump);
    this.#giveUpLater();
  }

  /** Nobody reads here any more: a live kernel answers with a reset, a dead machine says nothing. */
  #unread(): void {
    const receiver = this.#reader();
    const answered = this.#flight[this.#arrived - 1]?.kind !== "reset";
    this.#discard(this.#arrived);
    if (!answered) return;
    if (receiver.reachable) {
      this.bounce("ECONNRESET");
    } else if (!this.#givingUp) {
      receiver.whenReachable(() => this.bounce("ECONNRESET"));
      this.#giveUpLater();
    }
  }

  #giveUpLater(): void {
    if (this.#givingUp) return;
    this.#givingUp = true;
    const { loop, dice, senderLife, sender } = this.#parts;
    const receiver = this.#reader();
    loop.after(dice.skewed(giveUpUsMin, giveUpUsMax), senderLife, () => {
      this.#givingUp = false;
      if (!this.#waitingForLink && !this.#waitingForWord && !receiver.gone) return;
      this.#closed = true;
      sender.broken("ETIMEDOUT");
    });
  }

  #reader(): PipeReceiver {
    assert(this.#receiver !== null, "somebody accepted before anything was sent");
    return this.#receiver;
  }

  /** Takes `count` segments from the front: they were never read. */
  #discard(count: number): void {
    for (const segment of this.#flight.splice(0, count)) this.#flightBytes -= segment.bytes.length;
    this.#arrived -= count;
  }

  /** Takes `count` segments from the end: they never arrive. */
  #dropTail(count: number): void {
    if (count === 0) return;
    for (const segment of this.#flight.splice(-count)) this.#flightBytes -= segment.bytes.length;
    this.#held = Math.max(0, this.#held - count);
  }
}
