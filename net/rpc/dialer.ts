import type { Timer } from "../../core/env/clock.ts";
import type { Address } from "../../core/env/network.ts";
import { ByteReader, MalformedError } from "../../core/bytes/byte-reader.ts";
import type { FrameReader } from "./frame-reader.ts";
import type { FrameWriter } from "./frame-writer.ts";
import {
  type Hello,
  type Lane,
  type Refusal,
  helloOf,
  judgeHello,
  readHello,
  readRefusal,
  writeHello,
  writeRefusal,
} from "./hello.ts";
import { Line, type LineOwner } from "./line.ts";
import type { NetContext } from "./net-world.ts";
import { bodyBytesMaxBulk, bodyBytesMaxControl, frameType, messageClass } from "./wire.ts";

/** Who uses the connection. */
export interface DialerOwner {
  /** Frames may be written. */
  onReady(): void;
  onFrame(frame: FrameReader): void;
  fill(writer: FrameWriter, room: number): void;
  queuedBytes(): number;
  /** The connection, or the attempt at one, is over: what was written may be lost, what was not, was not sent. */
  onLost(reason: string): void;
  /** Something is left to do, so another attempt is made when its time has come. */
  wants(): boolean;
}

type State = "idle" | "connecting" | "ready" | "waiting" | "closed";

const helloBytes = 128;

/** Keeps at most one connection to a store: connects when asked, greets, pings, and waits after a failure. */
export class Dialer implements LineOwner {
  readonly peerName: string;
  readonly #context: NetContext;
  readonly #owner: DialerOwner;
  readonly #storeId: number;
  readonly #lane: Lane;
  #state: State = "idle";
  #line: Line | null = null;
  #ordinal = 0;
  #failures = 0;
  #greeting: Hello;
  #saidHello = false;
  #farewell: Refusal | null = null;
  #pingDue = false;
  #pings = 0;
  #pingedUs = 0;
  #waitTimer: Timer | null = null;
  #waitUntilUs = 0;

  constructor(context: NetContext, owner: DialerOwner, storeId: number, lane: Lane) {
    this.#context = context;
    this.#owner = owner;
    this.#storeId = storeId;
    this.#lane = lane;
    this.peerName = `store ${storeId} (${lane})`;
    this.#greeting = helloOf(context.identity, lane, 0, storeId);
  }

  get ready(): boolean {
    return this.#state === "ready";
  }

  /** The last attempt failed not long ago, and nothing is tried now. */
  get waiting(): boolean {
    return this.#state === "waiting" || this.#state === "closed";
  }

  /** For good. */
  get closed(): boolean {
    return this.#state === "closed";
  }

  /** Until the next attempt. */
  get retryAfterMs(): number {
    if (this.#state !== "waiting") return 0;
    return Math.max(0, Math.ceil((this.#waitUntilUs - this.#context.world.clock.monotonicUs()) / 1_000));
  }

  /** Connects unless it is connected, about to be, or has to wait. */
  demand(): void {
    if (this.#state !== "idle") return;
    this.#state = "connecting";
    const ordinal = ++this.#ordinal;
    this.#context.resolve(this.#storeId, (address) => {
      if (this.#state !== "connecting" || this.#ordinal !== ordinal || this.#line !== null) return;
      if (address !== null) this.#connect(address);
      else this.#context.world.clock.soon(() => this.#unresolved(ordinal));
    });
  }

  /** Something waits. */
  flushSoon(): void {
    if (this.#state === "ready") this.#line?.flushSoon();
  }

  /** Something waits that may wait for company. */
  flushWithin(delayUs: number): void {
    if (this.#state === "ready") this.#line?.flushWithin(delayUs);
  }

  /** Breaks the connection; another one is made when it is wanted. */
  restart(reason: string): void {
    this.#line?.close(reason);
  }

  /** For good. Nothing is told. */
  close(): void {
    this.#state = "closed";
    this.#waitTimer?.cancel();
    this.#line?.close("closed here");
    this.#line = null;
  }

  onOpen(): void {
    this.#line?.flushSoon();
  }

  onFrame(frame: FrameReader): void {
    if (frame.type === frameType.refuse) {
      const { code, reason } = readRefusal(new ByteReader(frame.body));
      this.#context.refused(this.peerName, "them", `${code}: ${reason}`);
      this.#line?.close(`refused by the other side: ${reason}`);
      if (code === "superseded") this.#context.hooks.onSuperseded?.(reason);
    } else if (this.#state !== "ready") {
      this.#greet(frame);
    } else if (frame.type === frameType.pong) {
      this.#failures = 0;
    } else {
      this.#owner.onFrame(frame);
    }
  }

  fill(writer: FrameWriter, room: number): void {
    if (!this.#saidHello) {
      this.#saidHello = true;
      writeHello(writer.begin(messageClass.control, frameType.hello, 0, 0), this.#greeting);
      writer.end();
    }
    if (this.#farewell !== null) {
      writeRefusal(writer.begin(messageClass.control, frameType.refuse, 0, 0), this.#farewell);
      writer.end();
      this.#farewell = null;
    }
    if (this.#state !== "ready") return;
    if (this.#pingDue) {
      this.#pingDue = false;
      writer.begin(messageClass.control, frameType.ping, ++this.#pings, 0);
      writer.end();
    }
    this.#owner.fill(writer, room);
  }

  queuedBytes(): number {
    if (this.#state !== "ready") return this.#saidHello ? 0 : helloBytes;
    return this.#owner.queuedBytes() + (this.#pingDue ? helloBytes : 0);
  }

  onTick(nowUs: number): void {
    if (this.#state !== "ready") return;
    if (nowUs - this.#pingedUs < this.#context.options.pingMs * 1_000) return;
    this.#pingedUs = nowUs;
    this.#pingDue = true;
    this.#line?.flushSoon();
  }

  onClosed(reason: string): void {
    this.#line = null;
    if (this.#state === "closed") return;
    this.#context.statistics.connectionsLost++;
    this.#wait();
    this.#owner.onLost(reason);
  }

  #connect(address: Address): void {
    this.#saidHello = false;
    this.#pingDue = false;
    this.#farewell = null;
    this.#greeting = helloOf(this.#context.identity, this.#lane, this.#ordinal, this.#storeId);
    const line = new Line(this.#context, this);
    this.#line = line;
    line.start(this.#context.world.network.connect(address, line), false);
  }

  #unresolved(ordinal: number): void {
    if (this.#state !== "connecting" || this.#ordinal !== ordinal) return;
    this.#wait();
    this.#owner.onLost(`${this.peerName} has no known address`);
  }

  #greet(frame: FrameReader): void {
    if (frame.type !== frameType.hello) throw new MalformedError("frame type", frame.type, "not a hello");
    const theirs = readHello(new ByteReader(frame.body));
    const refusal = judgeHello(this.#greeting, theirs);
    if (refusal !== null) {
      this.#context.refused(this.peerName, "us", `${refusal.code}: ${refusal.reason}`);
      this.#farewell = refusal;
      this.#line?.leave(`refused: ${refusal.reason}`);
      return;
    }
    this.#state = "ready";
    this.#pingedUs = this.#context.world.clock.monotonicUs();
    this.#context.statistics.connectionsOpened++;
    this.#line?.greeted(this.#lane === "bulk" ? bodyBytesMaxBulk : bodyBytesMaxControl);
    this.#owner.onReady();
    this.#line?.flushSoon();
  }

  /** A half to a whole of a time that doubles, so that many who lost the same peer do not come back together. */
  #wait(): void {
    const { options, world } = this.#context;
    const wholeMs = Math.min(options.backoffMsMax, options.backoffMsMin * 2 ** Math.min(this.#failures, 20));
    this.#failures++;
    const halfUs = wholeMs * 500;
    const drawn = world.random.u32(`net/backoff/${this.#lane}`, this.#storeId, this.#ordinal);
    const delayUs = halfUs + (drawn % (halfUs + 1));
    this.#state = "waiting";
    this.#waitUntilUs = world.clock.monotonicUs() + delayUs;
    this.#waitTimer = world.clock.after(delayUs, () => {
      this.#waitTimer = null;
      this.#state = "idle";
      if (this.#owner.wants()) this.demand();
    });
  }
}
