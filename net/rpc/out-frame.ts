// HOT: one per frame that waits.
import type { ByteWriter } from "../../core/bytes/byte-writer.ts";
import { type FrameWriter, frameBytes } from "./frame-writer.ts";
import type { MessageClass } from "./wire.ts";

/** What a frame of the outbox belongs to; it is asked when its turn has come. */
export interface FrameOwner {
  /**
   * The frame leaves now: the id to send it under, or -1 to leave it out. The owner must know then that it was
   * written: what comes after is the network's.
   */
  leaving(): number;
  /** Writes what comes before the body. */
  prefix(writer: ByteWriter): void;
}

const prefixBytesMax = 64;

/** A frame that waits for its turn. Its body belongs to the network from here on and must not change. */
export class OutFrame {
  readonly cls: MessageClass;
  readonly type: number;
  readonly id: number;
  readonly flags: number;
  readonly body: Uint8Array;
  readonly owner: FrameOwner | null;
  /** Nobody wants it any more; it no longer counts. */
  dead = false;

  // oxlint-disable-next-line max-params
  constructor(cls: MessageClass, type: number, id: number, body: Uint8Array, owner: FrameOwner | null, flags = 0) {
    this.cls = cls;
    this.type = type;
    this.id = id;
    this.flags = flags;
    this.body = body;
    this.owner = owner;
  }

  /** What it takes on the wire, about. */
  get bytes(): number {
    return frameBytes(this.body.length) + (this.owner === null ? 0 : prefixBytesMax);
  }

  /** False: it was left out. */
  write(writer: FrameWriter): boolean {
    const id = this.owner === null ? this.id : this.owner.leaving();
    if (id < 0) return false;
    const body = writer.begin(this.cls, this.type, id, this.flags);
    this.owner?.prefix(body);
    body.raw(this.body);
    writer.end();
    return true;
  }
}
