// HOT: every separated value that is read passes here.
import { crc32, salt } from "../bytes/crc32.ts";
import { readKeyLength, recordHeaderBytes, recordKind } from "../bytes/record.ts";
import type { DiskFile } from "../env/disk.ts";
import { DiskError } from "../env/disk.ts";
import { readFully } from "../env/whole-io.ts";
import { NokvError, corruption } from "../errors.ts";
import type { ValueFileMeta } from "./value-file.ts";
import {
  pointedImageBytes, pointerAt, readPointedCrc, readPointedLength, readPointedOffset,
} from "./value-pointer.ts";

/** Damage on the way from the disk heals when it is read again, damage at rest stays. */
const readAttemptsMax = 3;
const kindAt = 6;
const versionAt = 8;

/**
 * Reads the record image that the record at `offset`, of kind "pointer", points to, from `file`, which is
 * `meta`. What is returned has that record's key, version and expiry, and its value matches its checksum; it
 * belongs to the caller. Throws `NOKV_CORRUPTION` naming file and offset, `NOKV_IO`.
 */
// oxlint-disable-next-line max-params
export function readValueImage(
  file: DiskFile,
  meta: ValueFileMeta,
  bytes: Uint8Array,
  view: DataView,
  offset: number,
): Uint8Array {
  const pointer = pointerAt(view, offset);
  const position = readPointedOffset(view, pointer);
  const length = pointedImageBytes(view, offset);
  if (position + length > meta.sizeBytes) {
    throw corruption(file.path, position, "a pointer leads beyond the end of the value file");
  }
  const image = new Uint8Array(length);
  let problem = "";
  for (let attempt = 0; attempt < readAttemptsMax; attempt++) {
    problem = "the value is cut off by the end of the file";
    if (fill(file, position, image) < length) continue;
    problem = imageProblem(image, meta.number, bytes, view, offset);
    if (problem === "") return image;
  }
  throw corruption(file.path, position, problem, "restore this file from a backup");
}

/** What is wrong with `image` as what the record at `offset` points to; "" when it is that. */
// oxlint-disable-next-line max-params
function imageProblem(
  image: Uint8Array,
  fileNumber: number,
  bytes: Uint8Array,
  view: DataView,
  offset: number,
): string {
  const pointer = pointerAt(view, offset);
  const keyLength = readKeyLength(view, offset);
  const valueLength = readPointedLength(view, pointer);
  // The lengths come first: all that follows relies on them.
  for (let i = 0; i < 4; i++) {
    if (image[i] !== ((valueLength >>> (8 * i)) & 0xff)) return "another value's length where a value is expected";
  }
  if (image[kindAt] !== recordKind.value) return "no value where a value is expected";
  const headEnd = recordHeaderBytes + keyLength;
  for (let i = 4; i < headEnd; i++) {
    if (i !== kindAt && image[i] !== bytes[offset + i]) {
      return i < versionAt || i >= recordHeaderBytes ? "the value of another key" : "the value of another version";
    }
  }
  const seed = salt(fileNumber, readPointedOffset(view, pointer));
  const crc = crc32(image, headEnd, headEnd + valueLength, seed);
  for (let i = headEnd + valueLength; i < image.length; i++) {
    if (image[i] !== 0) return "a value is not followed by zeros";
  }
  return crc === readPointedCrc(view, pointer) ? "" : "bad checksum of a value";
}

function fill(file: DiskFile, position: number, image: Uint8Array): number {
  try {
    return readFully(file, position, image, 0, image.length);
  } catch (error) {
    throw readFailure(error, file.path);
  }
}

/** A refusal of the machine as the error callers know; anything else is not ours to change. */
export function readFailure(error: unknown, path: string): unknown {
  if (!(error instanceof DiskError)) return error;
  return new NokvError("NOKV_IO", `reading a value failed: ${error.message}`, { path, cause: error });
}
