import type { ByteReader } from "../../core/bytes/byte-reader.ts";
import type { ByteWriter } from "../../core/bytes/byte-writer.ts";

const metaBytesMax = 32 * 1024;
const filesMax = 4096;
const reasonBytesMax = 1024;

/** One of the files that a stream carries. */
export interface StreamFile {
  readonly sizeBytes: number;
  /** CRC-32 of its content. */
  readonly crc: number;
}

/** What a stream carries, before any of it. */
export interface StreamManifest {
  /** The same content has the same id for as long as the sender lives, so an interrupted stream can go on. */
  readonly snapshotId: number;
  /** For the receiving node: region, epoch, index and whatever it needs to say yes or no. */
  readonly meta: Uint8Array;
  readonly files: readonly StreamFile[];
}

/** Everything before `offset` of file number `file`, and all files before it. */
export interface StreamPosition {
  readonly file: number;
  readonly offset: number;
}

/** snapshotId (varint), meta (bytes), files (list of: size varint, crc u32) */
export function writeManifest(writer: ByteWriter, manifest: StreamManifest): void {
  writer.varint(manifest.snapshotId);
  writer.bytes(manifest.meta);
  writer.list(manifest.files, writeFile);
}

/** Throws `MalformedError`. Owns what it holds. */
export function readManifest(reader: ByteReader): StreamManifest {
  return {
    snapshotId: reader.varint("snapshot id"),
    meta: reader.copy("snapshot meta", metaBytesMax),
    files: reader.list("snapshot files", filesMax, readFile),
  };
}

/** file, offset (varints) */
export function writePosition(writer: ByteWriter, position: StreamPosition): void {
  writer.varint(position.file);
  writer.varint(position.offset);
}

/** Throws `MalformedError`. */
export function readPosition(reader: ByteReader): StreamPosition {
  return { file: reader.varint("file"), offset: reader.varint("offset") };
}

/** `final`: trying again is of no use. final u8, reason (text) */
export interface StreamAbort {
  readonly final: boolean;
  readonly reason: string;
}

export function writeAbort(writer: ByteWriter, abort: StreamAbort): void {
  writer.bool(abort.final);
  writer.text(abort.reason.slice(0, reasonBytesMax / 4).toWellFormed());
}

/** Throws `MalformedError`. */
export function readAbort(reader: ByteReader): StreamAbort {
  return { final: reader.bool("final"), reason: reader.text("reason", reasonBytesMax) };
}

export function sameManifest(a: StreamManifest, b: StreamManifest): boolean {
  if (a.snapshotId !== b.snapshotId || a.files.length !== b.files.length) return false;
  if (a.meta.length !== b.meta.length || !a.meta.every((byte, i) => byte === b.meta[i])) return false;
  return a.files.every(({ sizeBytes, crc }, i) => sizeBytes === b.files[i]?.sizeBytes && crc === b.files[i]?.crc);
}

/** `position` as the beginning of a file that has something left, or behind the last file. */
export function settledPosition(files: readonly StreamFile[], position: StreamPosition): StreamPosition {
  let { file, offset } = position;
  for (let current = files[file]; current !== undefined && offset >= current.sizeBytes; current = files[file]) {
    file++;
    offset = 0;
  }
  return { file, offset };
}

function writeFile(writer: ByteWriter, file: StreamFile): void {
  writer.varint(file.sizeBytes);
  writer.u32(file.crc);
}

function readFile(reader: ByteReader): StreamFile {
  return { sizeBytes: reader.varint("file size"), crc: reader.u32("file checksum") };
}
