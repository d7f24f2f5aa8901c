// HOT: every connection between nodes: bytes to frames, frames to one write per turn.
import type { Timer } from "../../core/env/clock.ts";
import type { Connection, ConnectionHandler, NetworkError } from "../../core/env/network.ts";
import { MalformedError } from "../../core/bytes/byte-reader.ts";
import { FrameReader } from "./frame-reader.ts";
import { FrameWriter } from "./frame-writer.ts";
import type { NetContext } from "./net-world.ts";
import { bodyBytesMaxHello } from "./wire.ts";

/** Who a line works for. */
export interface LineOwner {
  /** Named in what is said about it. */
  readonly peerName: string;
  onOpen(): void;
  /** The frame's body is valid only during the call. Throws `MalformedError` when it makes no sense. */
  onFrame(frame: FrameReader): void;
  /** Moves what waits to `writer` until it holds `room` bytes. */
  fill(writer: FrameWriter, room: number): void;
  /** Bytes that wait, about; 0: nothing does. */
  queuedBytes(): number;
  /** Now and then, while the line is open. */
  onTick(nowUs: number): void;
  /** Exactly once, on a turn of its own. */
  onClosed(reason: string): void;
}

/** `leaving`: the last words are said; the other side may hang up. */
type Phase = "opening" | "open" | "leaving" | "closed";

/** How soon to look again whether the network has room, when it will not tell. */
const roomPollUs = 1_000;
/** A line looks after itself so often per silence that is too long. */
const ticksPerSilence = 4;

/** One connection that speaks frames. */
export class Line implements ConnectionHandler {
  readonly #context: NetContext;
  readonly #owner: LineOwner;
  readonly #reader = new FrameReader(bodyBytesMaxHello);
  readonly #writer = new FrameWriter();
  readonly #tickUs: number;
  #connection: Connection | null = null;
  #phase: Phase = "opening";
  #greeted = false;
  #flushDue = false;
  #flushTimer: Timer | null = null;
  #tickTimer: Timer | null = null;
  #greetTimer: Timer | null = null;
  #tickedUs = 0;
  /** When bytes came last. */
  #heardUs = 0;
  /** Since when too much has been waiting; -1: it is not. */
  #slowSinceUs = -1;
  /** The network's queue is above its mark; `onDrain` will tell. */
  #full = false;
  #paused = false;
  #lastWords = "";

  constructor(context: NetContext, owner: LineOwner) {
    this.#context = context;
    this.#owner = owner;
    const { silenceMs, slowMs, pingMs } = context.options;
    const spanMs = Math.min(silenceMs, slowMs, ticksPerSilence * pingMs);
    this.#tickUs = Math.max(1, Math.floor((spanMs * 1_000) / ticksPerSilence));
  }

  /** A line takes over `connection`, which it was made the handler of. */
  start(connection: Connection, isOpen: boolean): void {
    this.#connection = connection;
    const { clock } = this.#context.world;
    const { connectMs } = this.#context.options;
    this.#greetTimer = clock.after(connectMs * 1_000, () => {
      this.close(`no hello within ${connectMs} ms`);
    });
    if (isOpen) this.#opened();
  }

  get open(): boolean {
    return this.#phase === "open";
  }

  /** Both sides know each other: from now on frames of that size may come, and silence counts. */
  greeted(bodyBytesMax: number): void {
    this.#greeted = true;
    this.#greetTimer?.cancel();
    this.#greetTimer = null;
    this.#reader.allow(bodyBytesMax);
  }

  /** Something waits. It leaves together with whatever else comes up in this turn. */
  flushSoon(): void {
    if (this.#flushDue || this.#full || this.#phase !== "open") return;
    this.#flushDue = true;
    this.#context.world.clock.soon(() => this.#flush());
  }

  /** Something waits that may wait for company. */
  flushWithin(delayUs: number): void {
    if (this.#flushDue || this.#full || this.#flushTimer !== null || this.#phase !== "open") return;
    this.#flushTimer = this.#context.world.clock.after(delayUs, () => {
      this.#flushTimer = null;
      this.flushSoon();
    });
  }

  /** Does not read on until `resume`. */
  pause(): void {
    if (this.#paused || this.#phase !== "open") return;
    this.#paused = true;
    this.#connection?.pause();
  }

  resume(): void {
    if (!this.#paused || this.#phase !== "open") return;
    this.#paused = false;
    this.#heardUs = this.#context.world.clock.monotonicUs();
    this.#connection?.resume();
  }

  /** Breaks the connection. The owner hears of it soon. */
  close(reason: string): void {
    if (this.#phase === "closed") return;
    this.#shut();
    this.#connection?.destroy();
    this.#context.world.clock.soon(() => this.#owner.onClosed(reason));
  }

  /** Says what waits, then hangs up. */
  leave(reason: string): void {
    if (this.#phase !== "open") return;
    this.#lastWords = reason;
    this.#flush();
    if (this.#phase !== "open") return;
    this.#phase = "leaving";
    this.#greetTimer?.cancel();
    const lingerUs = this.#context.options.connectMs * 1_000;
    this.#greetTimer = this.#context.world.clock.after(lingerUs, () => this.close(reason));
    this.#connection?.end();
  }

  onOpen(): void {
    if (this.#phase === "opening") this.#opened();
  }

  onData(bytes: Uint8Array): void {
    if (this.#phase !== "open") return;
    const { statistics, world } = this.#context;
    statistics.bytesIn += bytes.length;
    this.#heardUs = world.clock.monotonicUs();
    this.#reader.feed(bytes);
    try {
      this.#takeFrames();
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      this.#malformed(error);
      return;
    }
    this.#reader.retain();
  }

  onEnd(): void {
    this.close(this.#lastWords === "" ? "ended by the other side" : this.#lastWords);
  }

  onDrain(): void {
    this.#full = false;
    if (this.#phase === "open" && this.#owner.queuedBytes() > 0) this.#flush();
  }

  onClose(error: NetworkError | null): void {
    if (this.#phase === "closed") return;
    this.#shut();
    const why = this.#lastWords === "" ? (error?.message ?? "ended") : this.#lastWords;
    this.#owner.onClosed(why);
  }

  #opened(): void {
    const { world } = this.#context;
    this.#phase = "open";
    this.#heardUs = world.clock.monotonicUs();
    this.#tickedUs = this.#heardUs;
    this.#tickTimer = world.clock.after(this.#tickUs, () => this.#tick());
    this.#owner.onOpen();
  }

  #takeFrames(): void {
    const reader = this.#reader;
    while (this.#phase === "open") {
      const state = reader.next();
      if (state === "more") return;
      if (state === "failed" && reader.failure !== null) throw reader.failure;
      this.#context.statistics.framesIn++;
      this.#owner.onFrame(reader);
    }
  }

  #malformed(error: MalformedError): void {
    const { statistics, world } = this.#context;
    statistics.malformed++;
    const reason = `${this.#owner.peerName}: ${error.message}`;
    world.trace.emit("net/malformed", { peer: this.#owner.peerName, field: error.field, reason: error.message });
    this.close(reason);
  }

  #flush(): void {
    this.#flushDue = false;
    const connection = this.#connection;
    if (this.#phase !== "open" || connection === null || this.#full) return;
    const { statistics, options } = this.#context;
    const room = options.writeBytes - connection.pendingBytes();
    if (room > 0) this.#owner.fill(this.#writer, room);
    if (this.#writer.length > 0) {
      statistics.bytesOut += this.#writer.length;
      statistics.writes++;
      this.#full = !connection.write(this.#writer.view());
      this.#writer.clear();
    }
    // The network tells only about a queue that was above its own mark.
    if (!this.#full && this.#owner.queuedBytes() > 0) this.flushWithin(roomPollUs);
  }

  #tick(): void {
    const nowUs = this.#context.world.clock.monotonicUs();
    // What arrived while this process stood still has not been read yet: nobody may be blamed for the pause.
    const isLate = nowUs - this.#tickedUs > 2 * this.#tickUs;
    this.#tickedUs = nowUs;
    if (isLate) this.#heardUs = nowUs;
    this.#tickTimer = this.#context.world.clock.after(this.#tickUs, () => this.#tick());
    this.#checkSilence(nowUs);
    this.#checkSlowness(nowUs);
    if (this.#phase === "open") this.#owner.onTick(nowUs);
  }

  #checkSilence(nowUs: number): void {
    const { options, statistics } = this.#context;
    if (!this.#greeted || this.#paused || this.#phase !== "open") return;
    if (nowUs - this.#heardUs < options.silenceMs * 1_000) return;
    statistics.silentPeers++;
    this.close(`not a byte within ${options.silenceMs} ms`);
  }

  #checkSlowness(nowUs: number): void {
    const { options, statistics } = this.#context;
    if (this.#phase !== "open" || this.#connection === null) return;
    const waiting = this.#owner.queuedBytes() + this.#connection.pendingBytes();
    if (waiting <= options.slowBytes) {
      this.#slowSinceUs = -1;
    } else if (this.#slowSinceUs < 0) {
      this.#slowSinceUs = nowUs;
    } else if (nowUs - this.#slowSinceUs >= options.slowMs * 1_000) {
      statistics.slowPeers++;
      this.close(`slow: more than ${options.slowBytes} bytes waited for ${options.slowMs} ms`);
    }
  }

  #shut(): void {
    this.#phase = "closed";
    this.#greetTimer?.cancel();
    this.#tickTimer?.cancel();
    this.#flushTimer?.cancel();
  }
}
