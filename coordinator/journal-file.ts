import { assert } from "../core/assert.ts";
import { encode, type Layout, list, struct, u53, variants } from "../core/bytes/layout.ts";
import type { DiskFile, SyncDone } from "../core/env/disk.ts";
import { writeFully } from "../core/env/whole-io.ts";
import { closeFile } from "../core/wal/close-file.ts";
import { fileHeaderBytes, fileMagic, writeFileHeader } from "../core/wal/file-header.ts";
import { frameHeaderBytes, frameType, FrameWriter } from "../core/wal/frame.ts";
import { startSync } from "../core/wal/start-sync.ts";
import { type RootEvent, rootEventLayout } from "./root-event.ts";
import { type CoordinatorState, stateLayout } from "./state.ts";

/**
 * A journal file is a log file of `core/wal`: its header, then frames of type "edit". The payload of a frame is the
 * length of its content as u32, the content, and zeros up to a multiple of 4. The first frame holds a checkpoint, each
 * later one the events of one sync.
 */
export type JournalContent =
  | {
      readonly kind: "checkpoint";
      readonly term: number;
      readonly index: number;
      readonly state: CoordinatorState;
    }
  | { readonly kind: "events"; readonly events: readonly RootEvent[] };

export const journalContentLayout: Layout<JournalContent> = variants<JournalContent>({
  checkpoint: [1, struct({ term: u53, index: u53, state: stateLayout })],
  events: [2, struct({ events: list(rootEventLayout) })],
});

export const contentLengthBytes = 4;
const imageBytesMin = 4_096;

const journalName = /^journal-(\d{6,10})\.(log|tmp)$/;

/** What counts. */
export function journalFileName(number: number): string {
  return `journal-${String(number).padStart(6, "0")}.log`;
}

/** The next one, until it is durable and renamed. */
export function journalTempName(number: number): string {
  return `journal-${String(number).padStart(6, "0")}.tmp`;
}

/** The number in the name of one of ours, or null. */
export function journalFileNumber(name: string): { readonly number: number; readonly temporary: boolean } | null {
  const number = Number(journalName.exec(name)?.[1] ?? "0");
  if (number < 1) return null;
  if (name === journalFileName(number)) return { number, temporary: false };
  return name === journalTempName(number) ? { number, temporary: true } : null;
}

/** One file that is being written, and its image in memory. */
export class JournalFile {
  readonly number: number;
  readonly epoch: number;
  #file: DiskFile | null = null;
  #bytes = new Uint8Array(imageBytesMin);
  #view = new DataView(this.#bytes.buffer);
  #frames: FrameWriter;
  #endBytes = fileHeaderBytes;
  #checkpointBytes = 0;

  constructor(number: number, epoch: number) {
    this.number = number;
    this.epoch = epoch;
    this.#frames = new FrameWriter(this.#bytes, this.#view, number, epoch);
    writeFileHeader(this.#bytes, this.#view, fileMagic.journal, {
      fileNumber: number, epoch, previousNumber: 0, previousBytes: 0,
    });
  }

  get sizeBytes(): number {
    return this.#endBytes;
  }

  /** A new checkpoint pays only when the events outgrow the one that is there. */
  hasGrown(): boolean {
    return this.#endBytes > 2 * this.#checkpointBytes;
  }

  /** Writes header and checkpoint to `file`, which stays the caller's when this throws `DiskError`. */
  begin(file: DiskFile, checkpoint: JournalContent): void {
    assert(checkpoint.kind === "checkpoint" && this.#checkpointBytes === 0, "a journal begins with one checkpoint");
    const end = this.#frame(checkpoint);
    writeFully(file, 0, this.#bytes, 0, end);
    this.#file = file;
    this.#endBytes = end;
    this.#checkpointBytes = end;
  }

  /** Throws `DiskError`: then the same content may be appended again, and lands in the same place. */
  append(content: JournalContent): void {
    assert(this.#checkpointBytes > 0, "events follow a checkpoint");
    const end = this.#frame(content);
    writeFully(this.#opened(), this.#endBytes, this.#bytes, this.#endBytes, end);
    this.#endBytes = end;
  }

  /** Everything so far becomes durable, and later frames vouch for it. */
  sync(done: SyncDone): void {
    const covered = this.#endBytes;
    startSync(this.#opened(), (error) => {
      if (error === null) this.#frames.durableBytes = covered;
      done(error);
    });
  }

  /** Says that the last frame was durable, so that damage to it is not taken for a torn write. */
  writeWitness(): void {
    assert(this.#frames.durableBytes === this.#endBytes, "a witness follows what is durable");
    this.#reserve(this.#endBytes + frameHeaderBytes);
    this.#frames.write(this.#endBytes, 0, frameType.witness, 0);
    // Half a witness is none. The next frame is written over the same place.
    this.#opened().write(this.#endBytes, this.#bytes, this.#endBytes, this.#endBytes + frameHeaderBytes);
  }

  close(): void {
    closeFile(this.#opened());
  }

  #opened(): DiskFile {
    assert(this.#file !== null, "a journal begins before it is used");
    return this.#file;
  }

  #frame(content: JournalContent): number {
    const bytes = encode(journalContentLayout, content);
    const padded = (contentLengthBytes + bytes.length + 3) & ~3;
    const payload = this.#endBytes + frameHeaderBytes;
    this.#reserve(payload + padded);
    this.#view.setUint32(payload, bytes.length, true);
    this.#bytes.set(bytes, payload + contentLengthBytes);
    this.#bytes.fill(0, payload + contentLengthBytes + bytes.length, payload + padded);
    this.#frames.write(this.#endBytes, padded, frameType.edit, 0);
    return payload + padded;
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(bytes, 2 * this.#bytes.length));
    larger.set(this.#bytes);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
    const frames = new FrameWriter(larger, this.#view, this.number, this.epoch);
    frames.durableBytes = this.#frames.durableBytes;
    this.#frames = frames;
  }
}
