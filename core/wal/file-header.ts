import { assert } from "../assert.ts";
import { crc32, salt } from "../bytes/crc32.ts";
import { corruption, NokvError } from "../errors.ts";

/**
 * The first 32 bytes of a log file: a WAL segment, a manifest, a Coordinator's journal or a segment of a store's
 * Raft log. All integers are little-endian u32.
 *
 *     0   magic           "NOKVWAL\n", "NOKVMAN\n", "NOKVJNL\n" or "NOKVRFT\n"
 *     8   formatVersion
 *     12  fileNumber      the one in the file's name
 *     16  epoch           which opening of which database wrote it; every frame's checksum is salted with it
 *     20  previousNumber  WAL, Raft log: the segment before this one, 0: none
 *     24  previousBytes   the sealed length of that segment, known durable; 0: not known
 *     28  crc             of bytes [0, 28), salted with the file number
 *
 * The place and the meaning of magic, formatVersion, fileNumber and crc hold for every format version to
 * come.
 */
export const fileHeaderBytes = 32;
export const logFormatVersion = 1;
export const fileNumberMax = 0xffff_ffff;

export const fileMagic = {
  wal: "NOKVWAL\n", manifest: "NOKVMAN\n", journal: "NOKVJNL\n", raft: "NOKVRFT\n",
} as const;
export type FileMagic = (typeof fileMagic)[keyof typeof fileMagic];

export interface FileHeader {
  readonly fileNumber: number;
  readonly epoch: number;
  readonly previousNumber: number;
  readonly previousBytes: number;
}

const magicBytes = 8;
const crcOffset = 28;

export function writeFileHeader(
  bytes: Uint8Array,
  view: DataView,
  magic: FileMagic,
  header: FileHeader,
): void {
  assert(bytes.length >= fileHeaderBytes, "a file holds at least its header");
  assert(header.fileNumber > 0 && header.fileNumber <= fileNumberMax, "a file number is a positive u32");
  for (let i = 0; i < magicBytes; i++) bytes[i] = magic.charCodeAt(i);
  view.setUint32(8, logFormatVersion, true);
  view.setUint32(12, header.fileNumber, true);
  view.setUint32(16, header.epoch, true);
  view.setUint32(20, header.previousNumber, true);
  view.setUint32(24, header.previousBytes, true);
  view.setUint32(crcOffset, crc32(bytes, 0, crcOffset, salt(header.fileNumber, 0)), true);
}

/**
 * The header of the file `path` whose name carries `fileNumber` and whose first `end` bytes are in `bytes`,
 * or what is wrong with it: `NOKV_CORRUPTION`, or `NOKV_FORMAT` for an intact header of another format
 * version.
 */
// oxlint-disable-next-line max-params
export function readFileHeader(
  bytes: Uint8Array,
  end: number,
  magic: FileMagic,
  fileNumber: number,
  path: string,
): FileHeader | NokvError {
  if (end < fileHeaderBytes) return corruption(path, 0, `the file header is cut off after ${end} bytes`);
  for (let i = 0; i < magicBytes; i++) {
    if (bytes[i] === magic.charCodeAt(i)) continue;
    return corruption(path, 0, `the file does not begin with "${magic.trim()}"`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // Salted with the number from the name: a header that belongs under another name fails here.
  if (view.getUint32(crcOffset, true) !== crc32(bytes, 0, crcOffset, salt(fileNumber, 0))) {
    return corruption(path, 0, "the file header does not match its checksum, or is another file's");
  }
  const version = view.getUint32(8, true);
  if (version !== logFormatVersion) {
    const message = `${path}: format version ${version}; this program reads version ${logFormatVersion}`;
    return new NokvError("NOKV_FORMAT", message, { path, offset: 8 });
  }
  if (view.getUint32(12, true) !== fileNumber) {
    return corruption(path, 12, "the file number is another file's");
  }
  return {
    fileNumber,
    epoch: view.getUint32(16, true),
    previousNumber: view.getUint32(20, true),
    previousBytes: view.getUint32(24, true),
  };
}
