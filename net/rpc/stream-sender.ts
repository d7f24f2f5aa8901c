import { assert } from "../../core/assert.ts";
import { ByteReader, MalformedError } from "../../core/bytes/byte-reader.ts";
import { ByteWriter } from "../../core/bytes/byte-writer.ts";
import type { Timer } from "../../core/env/clock.ts";
import { Dialer, type DialerOwner } from "./dialer.ts";
import { Fifo } from "./fifo.ts";
import type { FrameReader } from "./frame-reader.ts";
import type { FrameWriter } from "./frame-writer.ts";
import type { NetContext } from "./net-world.ts";
import { OutFrame } from "./out-frame.ts";
import {
  type StreamManifest,
  type StreamPosition,
  readAbort,
  readPosition,
  settledPosition,
  writeAbort,
  writeManifest,
  writePosition,
} from "./stream-messages.ts";
import { TokenBucket } from "./token-bucket.ts";
import { frameType, messageClass } from "./wire.ts";

/** What is sent. */
export interface StreamSource {
  readonly manifest: StreamManifest;
  /** Exactly `length` bytes of a file; null: they cannot be read. Called back at once or later; one call at a time. */
  // oxlint-disable-next-line max-params
  read(file: number, offset: number, length: number, done: (bytes: Uint8Array | null) => void): void;
}

/** `done`: the receiver has everything, verified. `refused`: it does not want it. `failed`: time or source ran out. */
export interface StreamOutcome {
  readonly kind: "done" | "refused" | "failed" | "cancelled";
  readonly reason: string;
}

/** Called exactly once, never inside the call that began or cancelled the stream. */
export type StreamDone = (outcome: StreamOutcome) => void;

export interface StreamHandle {
  cancel(): void;
  /** Everything before it was sent, or was there already. */
  readonly position: StreamPosition;
}

const noBytes = new Uint8Array(0);
/** A receiver that was too busy is asked again after so many times its own hint. */
const busyTimes = 10;

/** All streams that a node sends: at most so many at a time, at most so many bytes per second together. */
export class StreamSenders {
  readonly #context: NetContext;
  readonly #bucket: TokenBucket;
  readonly #peers = new Map<number, BulkPeer>();
  readonly #waiting = new Fifo<OutStream>();
  #running = 0;
  #unfinished = 0;
  #closed = false;

  constructor(context: NetContext) {
    this.#context = context;
    const { streamBytesPerSecond, chunkBytes } = context.options;
    this.#bucket = new TokenBucket(context.world.clock, streamBytesPerSecond, chunkBytes);
  }

  /** Streams without an outcome. */
  get active(): number {
    return this.#unfinished;
  }

  start(storeId: number, source: StreamSource, done: StreamDone): StreamHandle {
    assert(storeId !== this.#context.identity.storeId, "a node does not stream to itself");
    let peer = this.#peers.get(storeId);
    if (peer === undefined || this.#closed) {
      peer = new BulkPeer(this.#context, storeId);
      this.#peers.set(storeId, peer);
    }
    this.#unfinished++;
    const stream = new OutStream({ context: this.#context, peer, bucket: this.#bucket, source, done }, (ran) => {
      this.#unfinished--;
      if (ran) this.#running--;
      this.#admit();
    });
    if (this.#closed) stream.finish("failed", "closed here");
    else this.#waiting.push(stream);
    this.#admit();
    return stream;
  }

  forget(storeId: number): void {
    this.#peers.get(storeId)?.close(`store ${storeId} was removed`);
    this.#peers.delete(storeId);
  }

  close(): void {
    this.#closed = true;
    for (let stream = this.#waiting.shift(); stream !== null; stream = this.#waiting.shift()) {
      stream.finish("failed", "closed here");
    }
    for (const peer of this.#peers.values()) peer.close("closed here");
    this.#peers.clear();
  }

  #admit(): void {
    while (this.#running < this.#context.options.streamsOutMax) {
      const stream = this.#waiting.shift();
      if (stream === null) return;
      if (stream.finished) continue;
      this.#running++;
      stream.run();
    }
  }
}

/** The bulk connection to one store, and the streams that go over it. */
class BulkPeer implements DialerOwner {
  readonly dialer: Dialer;
  readonly #streams = new Map<number, OutStream>();
  readonly #frames = new Fifo<OutFrame>();
  #bytes = 0;
  #lastId = 0;

  constructor(context: NetContext, storeId: number) {
    this.dialer = new Dialer(context, this, storeId, "bulk");
  }

  add(stream: OutStream): number {
    const id = ++this.#lastId;
    this.#streams.set(id, stream);
    return id;
  }

  remove(id: number): void {
    this.#streams.delete(id);
  }

  send(frame: OutFrame): void {
    if (!this.dialer.ready) return;
    this.#frames.push(frame);
    this.#bytes += frame.bytes;
    this.dialer.flushSoon();
  }

  close(reason: string): void {
    this.dialer.close();
    for (const stream of this.#streams.values()) stream.finish("failed", reason);
  }

  onReady(): void {
    for (const stream of this.#streams.values()) stream.begin();
  }

  onFrame(frame: FrameReader): void {
    const known = frame.id >= 1 && frame.id <= this.#lastId;
    if (!known) throw new MalformedError("stream id", frame.id, `not one of the ${this.#lastId} that were begun`);
    this.#streams.get(frame.id)?.onFrame(frame);
  }

  fill(writer: FrameWriter, room: number): void {
    while (writer.length < room) {
      const frame = this.#frames.shift();
      if (frame === null) return;
      this.#bytes -= frame.bytes;
      frame.write(writer);
    }
  }

  queuedBytes(): number {
    return this.#bytes;
  }

  onLost(reason: string): void {
    void reason;
    this.#frames.retain(() => false);
    this.#bytes = 0;
    for (const stream of this.#streams.values()) stream.interrupted();
  }

  wants(): boolean {
    return this.#streams.size > 0;
  }
}

interface OutStreamParts {
  readonly context: NetContext;
  readonly peer: BulkPeer;
  readonly bucket: TokenBucket;
  readonly source: StreamSource;
  readonly done: StreamDone;
}

/** `asking`: the receiver has to say where to go on. */
type Phase = "waiting" | "apart" | "asking" | "flowing" | "ending" | "finished";

class OutStream implements StreamHandle {
  readonly #parts: OutStreamParts;
  readonly #onFinished: (ran: boolean) => void;
  #phase: Phase = "waiting";
  #id = 0;
  #ran = false;
  /** Next to read; everything before it was sent on this connection, or taken before. */
  #next: StreamPosition = { file: 0, offset: 0 };
  /** Sent on this connection and not credited. */
  #owed = 0;
  #window = 0;
  /** Counts connections and restarts: what an earlier read brings is not wanted any more. */
  #attempt = 0;
  #reading = false;
  #pumping = false;
  #progressUs = 0;
  #progress = 0;
  #pumpTimer: Timer | null = null;
  #watchTimer: Timer | null = null;

  constructor(parts: OutStreamParts, onFinished: (ran: boolean) => void) {
    this.#parts = parts;
    this.#onFinished = onFinished;
  }

  get finished(): boolean {
    return this.#phase === "finished";
  }

  get position(): StreamPosition {
    return this.#next;
  }

  cancel(): void {
    if (this.#phase === "finished") return;
    this.#abort("cancelled by the sender");
    this.finish("cancelled", "");
  }

  /** It is this stream's turn. */
  run(): void {
    this.#ran = true;
    this.#phase = "apart";
    this.#progressUs = this.#parts.context.world.clock.monotonicUs();
    this.#watch();
    const { peer } = this.#parts;
    if (peer.dialer.closed) {
      this.finish("failed", "the store was removed while this waited");
      return;
    }
    this.#id = peer.add(this);
    if (peer.dialer.ready) this.begin();
    else peer.dialer.demand();
  }

  /** There is a connection: says what is to come. */
  begin(): void {
    if (this.#phase !== "apart" || !this.#parts.peer.dialer.ready) return;
    this.#phase = "asking";
    this.#owed = 0;
    this.#attempt++;
    this.#reading = false;
    const writer = new ByteWriter();
    writeManifest(writer, this.#parts.source.manifest);
    this.#send(frameType.streamBegin, writer.toBytes());
  }

  /** The connection is gone; another one will begin where the receiver says. */
  interrupted(): void {
    if (this.#phase !== "finished") this.#phase = "apart";
    this.#attempt++;
    this.#reading = false;
  }

  onFrame(frame: FrameReader): void {
    const reader = new ByteReader(frame.body);
    if (this.#phase === "apart" || this.#phase === "finished") return;
    switch (frame.type) {
      case frameType.streamResume:
        this.#resume(readPosition(reader), reader.varint("window"));
        return;
      case frameType.streamCredit:
        this.#credit(reader.varint("credit"));
        return;
      case frameType.streamDone:
        this.finish("done", "");
        return;
      case frameType.streamAbort: {
        const { final, reason } = readAbort(reader);
        if (final) this.finish("refused", reason);
        else this.#tryLater();
        return;
      }
      default:
        throw new MalformedError("frame type", frame.type, "nothing that a receiver of streams sends");
    }
  }

  finish(kind: StreamOutcome["kind"], reason: string): void {
    if (this.#phase === "finished") return;
    this.#phase = "finished";
    this.#pumpTimer?.cancel();
    this.#watchTimer?.cancel();
    this.#parts.peer.remove(this.#id);
    const { done, context } = this.#parts;
    context.world.clock.soon(() => {
      this.#onFinished(this.#ran);
      done({ kind, reason });
    });
  }

  #resume(position: StreamPosition, windowBytes: number): void {
    if (this.#phase !== "asking") throw new MalformedError("stream resume", position.file, "not asked for");
    const { files } = this.#parts.source.manifest;
    const file = files[position.file];
    const sizeBytes = file === undefined ? 0 : file.sizeBytes;
    if (position.file > files.length || position.offset > sizeBytes) {
      throw new MalformedError("stream position", position.offset, `beyond file ${position.file}`);
    }
    this.#moved(position);
    this.#next = settledPosition(files, position);
    this.#window = Math.min(windowBytes, this.#parts.context.options.windowBytes);
    this.#phase = "flowing";
    this.#pump();
  }

  #credit(bytes: number): void {
    if (bytes > this.#owed) throw new MalformedError("credit", bytes, `more than the ${this.#owed} bytes owed`);
    this.#owed -= bytes;
    this.#progressUs = this.#parts.context.world.clock.monotonicUs();
    this.#pump();
  }

  /** The receiver is further than ever: that is progress, coming back to the same place is not. */
  #moved(position: StreamPosition): void {
    const { files } = this.#parts.source.manifest;
    let bytes = 1 + position.offset;
    for (const { sizeBytes } of files.slice(0, position.file)) bytes += sizeBytes;
    if (bytes <= this.#progress) return;
    this.#progress = bytes;
    this.#progressUs = this.#parts.context.world.clock.monotonicUs();
  }

  /** The receiver has no room for another stream now. */
  #tryLater(): void {
    const { context } = this.#parts;
    this.#phase = "apart";
    this.#attempt++;
    this.#reading = false;
    context.world.clock.after(context.options.busyRetryMs * busyTimes * 1_000, () => this.begin());
  }

  /** Reads and sends while the receiver's window, the rate and the source allow. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#phase === "flowing" && !this.#reading && this.#pumpTimer === null) {
      if (!this.#readNext()) break;
    }
    this.#pumping = false;
  }

  #readNext(): boolean {
    const { source, bucket, context } = this.#parts;
    const { files } = source.manifest;
    const { file, offset } = this.#next;
    const current = files[file];
    if (current === undefined) {
      this.#phase = "ending";
      this.#send(frameType.streamEnd, noBytes);
      return false;
    }
    const room = this.#window - this.#owed;
    const length = Math.min(current.sizeBytes - offset, context.options.chunkBytes, room);
    if (length <= 0) return false;
    const waitUs = bucket.take(length);
    if (waitUs > 0) {
      this.#pumpTimer = context.world.clock.after(waitUs, () => {
        this.#pumpTimer = null;
        this.#pump();
      });
      return false;
    }
    this.#reading = true;
    this.#owed += length;
    this.#next = settledPosition(files, { file, offset: offset + length });
    const attempt = this.#attempt;
    source.read(file, offset, length, (bytes) => {
      if (attempt !== this.#attempt || this.#phase !== "flowing") return;
      this.#reading = false;
      this.#read({ file, offset }, length, bytes);
    });
    return true;
  }

  #read(position: StreamPosition, length: number, bytes: Uint8Array | null): void {
    if (bytes === null) {
      this.#abort("the source cannot be read");
      this.finish("failed", "the source cannot be read");
      return;
    }
    assert(bytes.length === length, "a source reads what was asked");
    const writer = new ByteWriter(length + 16);
    writePosition(writer, position);
    writer.raw(bytes);
    this.#send(frameType.streamChunk, writer.toBytes());
    this.#pump();
  }

  #abort(reason: string): void {
    if (this.#phase === "waiting" || this.#phase === "apart") return;
    const writer = new ByteWriter();
    writeAbort(writer, { final: true, reason });
    this.#send(frameType.streamAbort, writer.toBytes());
  }

  #send(type: number, body: Uint8Array): void {
    this.#parts.peer.send(new OutFrame(messageClass.bulk, type, this.#id, body, null));
  }

  #watch(): void {
    const { context, peer } = this.#parts;
    const { streamStallMs, streamIdleMs } = context.options;
    this.#watchTimer = context.world.clock.after(streamStallMs * 1_000, () => {
      const stillUs = context.world.clock.monotonicUs() - this.#progressUs;
      if (stillUs >= streamIdleMs * 1_000) {
        this.#abort("no progress");
        this.finish("failed", `no progress within ${streamIdleMs} ms`);
        return;
      }
      if (stillUs >= streamStallMs * 1_000) peer.dialer.restart(`a stream made no progress within ${streamStallMs} ms`);
      this.#watch();
    });
  }
}
