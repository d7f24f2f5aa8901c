import { assert } from "../assert.ts";
import { crc32, salt } from "../bytes/crc32.ts";
import { NokvError, corruption } from "../errors.ts";
import { walName } from "../wal/segment-name.ts";

/**
 * A file that values of tables live in. "log": a log segment that was kept when its memtable was flushed.
 * "values": written by a flush or a compaction. Never written again either way.
 */
export type ValueFileKind = "log" | "values";

/** What the manifest says of a value file. Plain data. */
export interface ValueFileMeta {
  readonly number: number;
  readonly kind: ValueFileKind;
  readonly sizeBytes: number;
  /** Bytes of the record images that tables pointed to when the file came into use. */
  readonly separableBytes: number;
}

/** What one table points to in one value file: so many images of so many bytes. */
export interface ValueRef {
  readonly file: number;
  readonly records: number;
  readonly bytes: number;
}

/** A value file and what the tables of one version point to in it. */
export interface ValueUsage {
  readonly file: ValueFileMeta;
  readonly liveRecords: number;
  readonly liveBytes: number;
}

/**
 * A value file that was written as one begins with 32 bytes; record images follow, each with its checksum behind it:
 *
 *     0   magic          "NOKVVAL\n"
 *     8   formatVersion  u32
 *     12  fileNumber     u32   the one in the file's name
 *     16  zeros          12 bytes
 *     28  crc            u32   of [0, 28), salted with the file number
 *
 * The checksum of an image is that of its value, as in the pointer, continued over its head and key. So what nobody
 * points to any more can still be judged.
 */
export const valueHeaderBytes = 32;
export const valueTrailerBytes = 4;
export const valueFormatVersion = 2;

const magic = "NOKVVAL\n";
const crcOffset = 28;
const twoTo32 = 0x1_0000_0000;

export function valueFileName(number: number): string {
  return `value-${String(number).padStart(6, "0")}.vlog`;
}

export function valueFilePath(directory: string, file: ValueFileMeta): string {
  return `${directory}/${file.kind === "log" ? walName(file.number) : valueFileName(file.number)}`;
}

/** How much of what a file was made for nobody points to any more, in percent, rounded down. */
export function garbagePercent(usage: ValueUsage): number {
  const { separableBytes } = usage.file;
  assert(usage.liveBytes <= separableBytes, "tables point to no more than was put into a value file");
  return separableBytes === 0 ? 0 : Math.floor(((separableBytes - usage.liveBytes) * 100) / separableBytes);
}

export function encodeValueHeader(number: number): Uint8Array {
  assert(Number.isInteger(number) && number > 0 && number < twoTo32, "a file number is a positive u32");
  const bytes = new Uint8Array(valueHeaderBytes);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < magic.length; i++) bytes[i] = magic.charCodeAt(i);
  view.setUint32(8, valueFormatVersion, true);
  view.setUint32(12, number, true);
  view.setUint32(crcOffset, crc32(bytes, 0, crcOffset, salt(number, 0)), true);
  return bytes;
}

/** What is wrong with the header of value file `number`; null when it is in order. */
export function valueHeaderProblem(bytes: Uint8Array, number: number, path: string): NokvError | null {
  assert(bytes.length === valueHeaderBytes, "a header has its length");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i < magic.length; i++) {
    if (bytes[i] !== magic.charCodeAt(i)) return corruption(path, 0, "not a value file: bad magic");
  }
  if (view.getUint32(crcOffset, true) !== crc32(bytes, 0, crcOffset, salt(number, 0))) {
    return corruption(path, 0, "the header does not match its checksum, or is another file's");
  }
  const version = view.getUint32(8, true);
  if (version !== valueFormatVersion) {
    const message = `${path}: value file format ${version}; this program reads ${valueFormatVersion}`;
    return new NokvError("NOKV_FORMAT", message, { path, offset: 8 });
  }
  return view.getUint32(12, true) === number ? null : corruption(path, 12, "the value file of another number");
}
