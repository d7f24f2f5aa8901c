import { ByteReader, MalformedError } from "../../core/bytes/byte-reader.ts";
import { ByteWriter } from "../../core/bytes/byte-writer.ts";
import { crc32 } from "../../core/bytes/crc32.ts";
import type { Timer } from "../../core/env/clock.ts";
import type { FrameReader } from "./frame-reader.ts";
import type { Hello } from "./hello.ts";
import type { Inbound, StreamEnd } from "./inbound.ts";
import type { NetContext } from "./net-world.ts";
import { OutFrame } from "./out-frame.ts";
import {
  type StreamManifest,
  type StreamPosition,
  readAbort,
  readManifest,
  readPosition,
  sameManifest,
  settledPosition,
  writeAbort,
  writePosition,
} from "./stream-messages.ts";
import { frameType, messageClass } from "./wire.ts";

/** Takes what a stream brings. */
export interface StreamSink {
  /** What it has already from an earlier life of this process: whole files only, so the offset is 0. */
  readonly start: StreamPosition;
  /** The next bytes of a file, in order; valid only during the call. Several may be under way. False: it failed. */
  // oxlint-disable-next-line max-params
  write(file: number, offset: number, bytes: Uint8Array, done: (ok: boolean) => void): void;
  /** Everything is there and every checksum right. False: it failed, and the sender is told so. */
  finish(done: (ok: boolean) => void): void;
  /** It will never be complete. Not called after `finish`. */
  abandon(reason: string): void;
}

/** A stream under way, as its sink's owner may look at it. */
export interface IncomingStream {
  /** A connection brings it just now. False: it waits for its sender to come back, maybe for nothing. */
  readonly attached: boolean;
  /** Nobody waits for it any more. */
  abandon(reason: string): void;
}

/** Says whether a stream is welcome. */
export interface StreamAcceptor {
  /** A string: why not. Called back once, at once or later. */
  // oxlint-disable-next-line max-params
  begin(
    from: Hello,
    manifest: StreamManifest,
    done: (sink: StreamSink | string) => void,
    stream: IncomingStream,
  ): void;
}

const noBytes = new Uint8Array(0);
/** Interrupted streams are remembered, so many for each that may be active. */
const rememberedPerActive = 4;

/** All streams that a node receives. They outlive their connections. */
export class StreamReceivers {
  readonly #context: NetContext;
  readonly #acceptor: StreamAcceptor | null;
  /** By sender and snapshot, oldest first. */
  readonly #sessions = new Map<string, Session>();

  constructor(context: NetContext, acceptor: StreamAcceptor | null) {
    this.#context = context;
    this.#acceptor = acceptor;
  }

  /** Streams that are neither complete nor given up. */
  get active(): number {
    return [...this.#sessions.values()].filter((session) => !session.complete).length;
  }

  endOf(inbound: Inbound, hello: Hello): StreamEnd {
    return new ReceivingEnd(this, inbound, hello);
  }

  close(): void {
    for (const session of this.#sessions.values()) session.abandon("closed here");
  }

  /** Finds or makes the session of a stream and lets it answer through `line`. */
  begin(line: SessionLine, hello: Hello, manifest: StreamManifest): void {
    const key = `${hello.role}/${hello.storeId}/${manifest.snapshotId}`;
    const known = this.#sessions.get(key);
    if (known !== undefined && sameManifest(known.manifest, manifest)) {
      known.attach(line);
      return;
    }
    known?.abandon("another snapshot has its id");
    if (this.#acceptor === null) {
      line.abort({ final: true, reason: "nobody takes streams here" });
      return;
    }
    const { streamsInMax } = this.#context.options;
    const attached = [...this.#sessions.values()].filter((session) => session.attached).length;
    if (attached >= streamsInMax) {
      line.abort({ final: false, reason: `${attached} streams are being received` });
      return;
    }
    if (this.#sessions.size >= streamsInMax * rememberedPerActive) this.#forgetOldest();
    const session = new Session(this.#context, manifest, () => {
      if (this.#sessions.get(key) === session) this.#sessions.delete(key);
    });
    this.#sessions.set(key, session);
    session.attach(line);
    this.#acceptor.begin(hello, manifest, (sink) => session.accepted(sink), session);
  }

  #forgetOldest(): void {
    for (const session of this.#sessions.values()) {
      if (session.attached) continue;
      session.abandon("others came after it");
      return;
    }
  }
}

/** One connection's streams, by the ids that its sender gave them. */
class ReceivingEnd implements StreamEnd {
  readonly #receivers: StreamReceivers;
  readonly #inbound: Inbound;
  readonly #hello: Hello;
  readonly #lines = new Map<number, SessionLine>();

  constructor(receivers: StreamReceivers, inbound: Inbound, hello: Hello) {
    this.#receivers = receivers;
    this.#inbound = inbound;
    this.#hello = hello;
  }

  onFrame(frame: FrameReader): void {
    const reader = new ByteReader(frame.body);
    if (frame.type === frameType.streamBegin) {
      this.#lines.get(frame.id)?.session?.detach();
      const line = new SessionLine(this.#inbound, frame.id, () => this.#lines.delete(frame.id));
      this.#lines.set(frame.id, line);
      this.#receivers.begin(line, this.#hello, readManifest(reader));
      return;
    }
    // Of a stream that this side has aborted, more may be under way.
    const session = this.#lines.get(frame.id)?.session ?? null;
    switch (frame.type) {
      case frameType.streamChunk:
        session?.chunk(readPosition(reader), reader.rest());
        return;
      case frameType.streamEnd:
        session?.end();
        return;
      case frameType.streamAbort:
        session?.abandon(readAbort(reader).reason);
        return;
      default:
        throw new MalformedError("frame type", frame.type, "nothing that a sender of streams sends");
    }
  }

  onClosed(): void {
    for (const line of this.#lines.values()) line.session?.detach();
    this.#lines.clear();
  }
}

/** The way back to the sender of one stream, while its connection lasts. */
class SessionLine {
  session: Session | null = null;
  readonly #inbound: Inbound;
  readonly #id: number;
  readonly #onEnd: () => void;

  constructor(inbound: Inbound, id: number, onEnd: () => void) {
    this.#inbound = inbound;
    this.#id = id;
    this.#onEnd = onEnd;
  }

  resume(position: StreamPosition, windowBytes: number): void {
    const writer = new ByteWriter();
    writePosition(writer, position);
    writer.varint(windowBytes);
    this.#send(frameType.streamResume, writer.toBytes());
  }

  credit(bytes: number): void {
    const writer = new ByteWriter();
    writer.varint(bytes);
    this.#send(frameType.streamCredit, writer.toBytes());
  }

  done(): void {
    this.#send(frameType.streamDone, noBytes);
    this.#onEnd();
  }

  abort(abort: { readonly final: boolean; readonly reason: string }): void {
    const writer = new ByteWriter();
    writeAbort(writer, abort);
    this.#send(frameType.streamAbort, writer.toBytes());
    this.#onEnd();
  }

  #send(type: number, body: Uint8Array): void {
    this.#inbound.send(new OutFrame(messageClass.bulk, type, this.#id, body, null));
  }
}

/** One stream, from its beginning until it is complete or given up, over any number of connections. */
class Session implements IncomingStream {
  readonly manifest: StreamManifest;
  /** The sink has everything; kept for a while in case the sender did not hear of it. */
  complete = false;
  readonly #context: NetContext;
  readonly #onGone: () => void;
  #sink: StreamSink | null = null;
  #line: SessionLine | null = null;
  #expected: StreamPosition = { file: 0, offset: 0 };
  /** Of what came of the present file. */
  #crc = 0;
  /** Handed to the sink and not taken. */
  #writing = 0;
  /** The present connection was told where to go on. */
  #resumed = false;
  #ending = false;
  #finishing = false;
  #gone = false;
  #activeUs: number;
  #idleTimer: Timer | null = null;

  constructor(context: NetContext, manifest: StreamManifest, onGone: () => void) {
    this.#context = context;
    this.manifest = manifest;
    this.#onGone = onGone;
    this.#activeUs = context.world.clock.monotonicUs();
    this.#watch();
  }

  get attached(): boolean {
    return this.#line !== null;
  }

  /** From now on over this connection. */
  attach(line: SessionLine): void {
    this.detach();
    this.#active();
    if (this.complete) {
      line.done();
      return;
    }
    this.#line = line;
    this.#resumed = false;
    line.session = this;
    this.#ending = this.#finishing;
    this.#resume();
  }

  detach(): void {
    if (this.#line !== null) this.#line.session = null;
    this.#line = null;
  }

  accepted(sink: StreamSink | string): void {
    if (typeof sink === "string") {
      this.#fail(sink);
      return;
    }
    if (this.#gone) {
      sink.abandon("given up before it began");
      return;
    }
    this.#sink = sink;
    this.#expected = settledPosition(this.manifest.files, sink.start);
    if (!this.#emptyFilesAreRight({ file: 0, offset: 0 }, this.#expected, sink.start)) return;
    this.#resume();
  }

  /** Exactly the next bytes, and no more than the window: anything else is not this protocol. */
  chunk(position: StreamPosition, bytes: Uint8Array): void {
    const sink = this.#sink;
    const { file, offset } = this.#expected;
    if (position.file !== file || position.offset !== offset || sink === null || !this.#resumed) {
      const at = `${position.file}:${position.offset}`;
      throw new MalformedError("stream position", at, `expected ${file}:${offset}`);
    }
    const current = this.manifest.files[file];
    if (current === undefined || bytes.length === 0 || offset + bytes.length > current.sizeBytes) {
      throw new MalformedError("chunk length", bytes.length, `does not fit file ${file} at ${offset}`);
    }
    const { windowBytes } = this.#context.options;
    if (this.#writing + bytes.length > windowBytes) {
      throw new MalformedError("chunk length", bytes.length, `beyond the window of ${windowBytes}`);
    }
    this.#active();
    this.#crc = crc32(bytes, 0, bytes.length, this.#crc);
    const reached = { file, offset: offset + bytes.length };
    if (reached.offset === current.sizeBytes && this.#crc !== current.crc) {
      this.#fail(`file ${file} does not have the checksum that was announced`);
      return;
    }
    if (reached.offset === current.sizeBytes) this.#crc = 0;
    this.#expected = settledPosition(this.manifest.files, reached);
    if (!this.#emptyFilesAreRight({ file: file + 1, offset: 0 }, this.#expected, null)) return;
    this.#write(sink, { file, offset }, bytes);
  }

  end(): void {
    if (this.#expected.file < this.manifest.files.length) {
      throw new MalformedError("stream end", this.#expected.file, "before the end of the last file");
    }
    this.#active();
    this.#ending = true;
    this.#finish();
  }

  abandon(reason: string): void {
    if (this.#gone) return;
    this.detach();
    this.#go();
    if (!this.complete && !this.#finishing) this.#sink?.abandon(reason);
  }

  /**
   * Lets the sender go on, once the sink has written what came over earlier connections: else each of them would open
   * a window of its own.
   */
  #resume(): void {
    const line = this.#line;
    if (line === null || this.#sink === null || this.#resumed || this.#gone) return;
    if (this.#writing > 0) return;
    this.#resumed = true;
    line.resume(this.#expected, this.#context.options.windowBytes);
  }

  #write(sink: StreamSink, at: StreamPosition, bytes: Uint8Array): void {
    const { length } = bytes;
    this.#writing += length;
    const line = this.#line;
    sink.write(at.file, at.offset, bytes, (ok) => {
      this.#writing -= length;
      if (this.#gone) return;
      if (!ok) {
        this.#fail("the receiver cannot write");
        return;
      }
      this.#active();
      // What came over an earlier connection is not owed on this one.
      if (line !== null && line === this.#line) line.credit(length);
      this.#resume();
      this.#finish();
    });
  }

  #finish(): void {
    if (!this.#ending || this.#writing > 0 || this.#finishing || this.#sink === null) return;
    this.#finishing = true;
    this.#sink.finish((ok) => {
      if (this.#gone) return;
      if (!ok) {
        this.#fail("the receiver cannot complete it");
        return;
      }
      this.complete = true;
      this.#active();
      const line = this.#line;
      this.detach();
      line?.done();
    });
  }

  /** An empty file has no chunk that could be wrong; its checksum is that of nothing. */
  #emptyFilesAreRight(from: StreamPosition, to: StreamPosition, skipped: StreamPosition | null): boolean {
    for (let i = Math.max(from.file, skipped?.file ?? 0); i < to.file; i++) {
      const file = this.manifest.files[i];
      if (file === undefined || file.sizeBytes > 0 || file.crc === 0) continue;
      this.#fail(`file ${i} is empty and has a checksum`);
      return false;
    }
    return true;
  }

  #fail(reason: string): void {
    if (this.#gone) return;
    const line = this.#line;
    this.abandon(reason);
    line?.abort({ final: true, reason });
  }

  #active(): void {
    this.#activeUs = this.#context.world.clock.monotonicUs();
  }

  #go(): void {
    this.#gone = true;
    this.#idleTimer?.cancel();
    this.#onGone();
  }

  #watch(): void {
    const idleUs = this.#context.options.streamIdleMs * 1_000;
    const { clock } = this.#context.world;
    const leftUs = Math.max(1_000, this.#activeUs + idleUs - clock.monotonicUs());
    this.#idleTimer = clock.after(leftUs, () => {
      if (clock.monotonicUs() - this.#activeUs >= idleUs) this.#fail("no progress");
      else this.#watch();
    });
  }
}
