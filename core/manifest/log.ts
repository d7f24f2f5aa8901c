import { assert } from "../assert.ts";
import { DiskError, type DiskFile, type SyncDone } from "../env/disk.ts";
import type { Env } from "../env/env.ts";
import { writeFully } from "../env/whole-io.ts";
import { closeFile } from "../wal/close-file.ts";
import type { DirectorySync } from "../wal/directory-sync.ts";
import { fileHeaderBytes, fileMagic, writeFileHeader } from "../wal/file-header.ts";
import { frameHeaderBytes, frameType, FrameWriter } from "../wal/frame.ts";
import type { SyncDesk } from "../wal/sync-desk.ts";
import { manifestName } from "./current.ts";
import { editBytes, encodeEdit, type ManifestEdit } from "./edit.ts";

const imageBytesMin = 4096;

/** One manifest file and its image in memory. */
export class ManifestLog {
  readonly number: number;
  readonly epoch: number;
  #file: DiskFile | null = null;
  #bytes: Uint8Array;
  #view: DataView;
  #frames: FrameWriter;
  #endBytes = fileHeaderBytes;
  #baseBytes = 0;

  constructor(number: number, epoch: number) {
    this.number = number;
    this.epoch = epoch;
    this.#bytes = new Uint8Array(imageBytesMin);
    this.#view = new DataView(this.#bytes.buffer);
    this.#frames = new FrameWriter(this.#bytes, this.#view, number, epoch);
    writeFileHeader(this.#bytes, this.#view, fileMagic.manifest, {
      fileNumber: number, epoch, previousNumber: 0, previousBytes: 0,
    });
  }

  bytesAfter(edit: ManifestEdit): number {
    return this.#endBytes + frameHeaderBytes + editBytes(edit);
  }

  /** Whole frames end here, and what is before does not change. */
  get endBytes(): number {
    return this.#endBytes;
  }

  /** Rewriting pays only when the file is well above its own base. */
  hasGrown(): boolean {
    return this.#endBytes > 2 * this.#baseBytes;
  }

  /** Writes header and base to `file`, which stays the caller's when this throws `DiskError`. */
  begin(file: DiskFile, base: ManifestEdit): void {
    assert(base.kind === "base" && this.#baseBytes === 0, "a manifest begins with one base");
    const end = this.#encode(base);
    writeFully(file, 0, this.#bytes, 0, end);
    this.#file = file;
    this.#endBytes = end;
    this.#baseBytes = end;
  }

  /** Throws `DiskError`, after which the file must not be used. */
  append(edit: ManifestEdit): void {
    assert(this.#baseBytes > 0, "a change follows a base");
    const end = this.#encode(edit);
    writeFully(this.#opened(), this.#endBytes, this.#bytes, this.#endBytes, end);
    this.#endBytes = end;
  }

  /** Everything so far becomes durable, and later frames vouch for it. */
  sync(syncs: SyncDesk, done: SyncDone): void {
    const covered = this.#endBytes;
    syncs.file(this.#opened(), (error) => {
      if (error === null) this.#frames.durableBytes = covered;
      done(error);
    });
  }

  /** See `WalSegment.writeWitness`: damage to the last edit must not look like a torn one. */
  writeWitness(): void {
    assert(this.#frames.durableBytes === this.#endBytes, "a witness follows a durable edit");
    this.#reserve(this.#endBytes + frameHeaderBytes);
    this.#frames.write(this.#endBytes, 0, frameType.witness, 0);
    // A short write leaves half a witness, which is none. The next edit is written over the same place.
    this.#opened().write(this.#endBytes, this.#bytes, this.#endBytes, this.#endBytes + frameHeaderBytes);
  }

  close(): void {
    closeFile(this.#opened());
  }

  #opened(): DiskFile {
    assert(this.#file !== null, "a manifest begins before it is used");
    return this.#file;
  }

  #encode(edit: ManifestEdit): number {
    const payloadBytes = editBytes(edit);
    const payload = this.#endBytes + frameHeaderBytes;
    this.#reserve(payload + payloadBytes);
    encodeEdit(edit, this.#bytes, this.#view, payload);
    this.#frames.write(this.#endBytes, payloadBytes, frameType.edit, 0);
    return payload + payloadBytes;
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

/**
 * A new manifest file with its base, durable with its entry when `done` is told, which may be inside the
 * call. CURRENT does not name it yet.
 */
export function createManifest(
  env: Env,
  directory: DirectorySync,
  content: { readonly number: number; readonly epoch: number; readonly base: ManifestEdit },
  done: (error: DiskError | null, log: ManifestLog | null) => void,
): void {
  let file: DiskFile | null = null;
  const log = new ManifestLog(content.number, content.epoch);
  const finish = (error: DiskError | null): void => {
    if (error === null) return done(null, log);
    if (file !== null) closeFile(file);
    done(error, null);
  };
  try {
    file = env.disk.open(`${directory.path}/${manifestName(content.number)}`, "create");
    log.begin(file, content.base);
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    return finish(error);
  }
  log.sync(directory.syncs, (error) => {
    if (error !== null) return finish(error);
    // Before CURRENT may name the file, its entry must survive a crash.
    directory.sync(finish);
  });
}
