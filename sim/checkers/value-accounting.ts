import { crc32, salt } from "../../core/bytes/crc32.ts";
import type { Disk } from "../../core/env/disk.ts";
import { DiskError } from "../../core/env/disk.ts";
import { readFully } from "../../core/env/whole-io.ts";
import { NokvError } from "../../core/errors.ts";
import { BlockCache } from "../../core/lsm/block-cache.ts";
import { tablePath } from "../../core/lsm/table-meta.ts";
import { TableReader } from "../../core/lsm/table-reader.ts";
import { readManifest } from "../../core/manifest/reader.ts";
import type { ManifestState } from "../../core/manifest/state.ts";
import { type ValueFileMeta, valueFilePath } from "../../core/vlog/value-file.ts";

/** What one file's pointers were found to be, counted from the records of all tables. */
interface Recount {
  records: number;
  bytes: number;
}

const pointerKind = 3;
const headerBytes = 24;

/**
 * Whether the value files of a directory are what its manifest says, counted anew from the records of its tables
 * and decoded by hand: every pointer leads to an image of its own key and version with the right checksum, every
 * file that is pointed to is there, and what each table and the manifest say of them is exact. `garbageMax`: so
 * much garbage in percent no file may reach; null: any. Null: nothing wrong, or the machine refused to read.
 */
export function judgeValues(disk: Disk, directory: string, garbageMax: number | null): string | null {
  try {
    return judge(disk, directory, garbageMax);
  } catch (error) {
    if (error instanceof DiskError) return error.code === "ENOENT" ? `${error.path} is missing` : null;
    if (!(error instanceof NokvError)) throw error;
    return error.code === "NOKV_IO" ? null : `${error.code} ${error.message}`;
  }
}

function judge(disk: Disk, directory: string, garbageMax: number | null): string | null {
  const { state } = readManifest(disk, directory);
  const found = new Map<number, Recount>();
  for (const table of state.tablesInOrder()) {
    const recount = new Map<number, Recount>();
    const problem = recountTable(disk, directory, state, { number: table.number, recount });
    if (problem !== null) return `table ${table.number}: ${problem}`;
    const said = table.valueRefs.map((ref) => `${ref.file}: ${ref.records} of ${ref.bytes}`).join(", ");
    const counted = [...recount].sort(([a], [b]) => a - b);
    const are = counted.map(([file, { records, bytes }]) => `${file}: ${records} of ${bytes}`).join(", ");
    if (said !== are) return `table ${table.number} says that it points to ${said || "nothing"}, counted: ${are}`;
    for (const [file, { records, bytes }] of counted) add(found, file, records, bytes);
  }
  for (const file of state.valuesInOrder()) {
    const problem =
      judgeFile(file, found.get(file.number) ?? { records: 0, bytes: 0 }, garbageMax) ??
      judgeImages(disk, directory, file);
    if (problem !== null) return `value file ${file.number}: ${problem}`;
  }
  return null;
}

function judgeFile(file: ValueFileMeta, live: Recount, garbageMax: number | null): string | null {
  const { sizeBytes, separableBytes } = file;
  if (live.records === 0) return "no table points into it, and it is still there";
  if (live.bytes > separableBytes) return `${live.bytes} bytes are pointed to, ${separableBytes} were put in`;
  // Of a log segment, at most one byte in eight is something else.
  const isSparse = file.kind === "log" && separableBytes * 8 < sizeBytes * 7;
  if (isSparse) return `only ${separableBytes} of ${sizeBytes} bytes are values (${file.kind})`;
  const garbage = Math.floor(((separableBytes - live.bytes) * 100) / separableBytes);
  if (garbageMax !== null && garbage >= garbageMax) return `${garbage}% garbage after a collection at ${garbageMax}%`;
  return null;
}

/** The images that a job wrote, with the checksum behind each, make up the whole file, dead ones included. */
function judgeImages(disk: Disk, directory: string, file: ValueFileMeta): string | null {
  if (file.kind === "log") return null;
  const opened = disk.open(valueFilePath(directory, file), "read");
  const bytes = new Uint8Array(file.sizeBytes);
  try {
    if (readFully(opened, 0, bytes, 0, bytes.length) < bytes.length) return "it is cut short";
  } finally {
    opened.close();
  }
  const view = new DataView(bytes.buffer);
  let images = 0;
  let at = 32;
  while (at + headerBytes <= bytes.length) {
    const headEnd = at + headerBytes + view.getUint16(at + 4, true);
    const valueEnd = headEnd + view.getUint32(at, true);
    const end = at + Math.ceil((valueEnd - at) / 4) * 4;
    if (end + 4 > bytes.length) return `the image at ${at} is cut off`;
    const crc = crc32(bytes, at, headEnd, crc32(bytes, headEnd, valueEnd, salt(file.number, at)));
    if (crc !== view.getUint32(end, true)) return `the image at ${at} is not followed by its checksum`;
    images += end - at;
    at = end + 4;
  }
  if (at !== bytes.length) return `${bytes.length - at} bytes behind the last image`;
  return images === file.separableBytes ? null : `${images} bytes of images, ${file.separableBytes} were said`;
}

interface Counted {
  readonly number: number;
  readonly recount: Map<number, Recount>;
}

function recountTable(disk: Disk, directory: string, state: ManifestState, counted: Counted): string | null {
  const reader = TableReader.open(disk, tablePath(directory, counted.number), counted.number, new BlockCache(0, 1_024));
  const cursor = reader.cursor();
  try {
    for (cursor.seekFirst(); cursor.valid; cursor.next()) {
      const { view, bytes, offset } = cursor;
      if (view.getUint8(offset + 6) !== pointerKind) continue;
      const keyLength = view.getUint16(offset + 4, true);
      const at = offset + headerBytes + keyLength;
      const file = state.values.get(view.getUint32(at, true));
      if (file === undefined) return `points into value file ${view.getUint32(at, true)}, which is unknown`;
      const length = headerBytes + keyLength + view.getUint32(at + 12, true);
      const problem = followPointer(disk, directory, file, { view, bytes, offset, length });
      if (problem !== null) return problem;
      add(counted.recount, file.number, 1, Math.ceil(length / 4) * 4);
    }
    return null;
  } finally {
    cursor.release();
    reader.close();
  }
}

interface PointerRecord {
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly offset: number;
  /** Of the image pointed to, without padding. */
  readonly length: number;
}

function followPointer(disk: Disk, directory: string, file: ValueFileMeta, record: PointerRecord): string | null {
  const { view, bytes, offset, length } = record;
  const headEnd = headerBytes + view.getUint16(offset + 4, true);
  const at = offset + headEnd;
  const position = view.getUint32(at + 8, true) * 2 ** 32 + view.getUint32(at + 4, true);
  const opened = disk.open(valueFilePath(directory, file), "read");
  const image = new Uint8Array(length);
  try {
    if (opened.sizeBytes() !== file.sizeBytes) return `value file ${file.number} is of another size`;
    if (readFully(opened, position, image, 0, length) < length) return `points beyond value file ${file.number}`;
  } finally {
    opened.close();
  }
  for (let i = 4; i < headEnd; i++) {
    const expected = i === 6 ? 1 : bytes[offset + i];
    if (image[i] !== expected) return `points to another record at ${position} of value file ${file.number}`;
  }
  const crc = crc32(image, headEnd, length, salt(file.number, position));
  if (crc !== view.getUint32(at + 16, true)) return `points to another value at ${position} of file ${file.number}`;
  return null;
}

function add(counts: Map<number, Recount>, file: number, records: number, bytes: number): void {
  const count = counts.get(file) ?? { records: 0, bytes: 0 };
  count.records += records;
  count.bytes += bytes;
  counts.set(file, count);
}
