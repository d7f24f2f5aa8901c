import { assert } from "../assert.ts";
import type { Disk } from "../env/disk.ts";
import { corruption, NokvError } from "../errors.ts";
import { type FileHeader, fileHeaderBytes, fileMagic, readFileHeader } from "../wal/file-header.ts";
import { FrameReader, frameType } from "../wal/frame.ts";
import { readStable } from "../wal/stable-read.ts";
import { currentCrc, type CurrentLine, currentName, parseCurrent } from "./current.ts";
import { decodeEdit } from "./edit.ts";
import { ManifestState } from "./state.ts";

/** A manifest as found on disk. */
export interface ManifestImage {
  readonly path: string;
  readonly number: number;
  readonly epoch: number;
  readonly state: ManifestState;
  /** Bytes of a last edit that a crash tore. */
  readonly tornBytes: number;
}

const remedy = "restore the file from a copy; nothing was changed";

/**
 * Reads the manifest that CURRENT names. Throws `NOKV_CORRUPTION` naming file and offset, `NOKV_FORMAT`, or
 * `DiskError`. CURRENT must exist.
 */
export function readManifest(disk: Disk, directory: string): ManifestImage {
  const currentPath = `${directory}/${currentName}`;
  // Its checksum needs the manifest to be verified: two reads must agree before it is believed.
  const text = readStable(disk, currentPath, () => false);
  const current = parseCurrent(text);
  if (typeof current === "string") throw corruption(currentPath, 0, current, remedy);
  const path = `${directory}/${current.manifestName}`;
  if (disk.kind(path) === null) {
    throw corruption(currentPath, 0, `it names ${current.manifestName}, which does not exist`, remedy);
  }
  const bytes = readStable(disk, path, (read) => isWhole(path, read, current));
  const header = readFileHeader(bytes, bytes.length, fileMagic.manifest, current.manifestNumber, path);
  if (header instanceof NokvError) throw header;
  // The checksum is of the name and the epoch together: a manifest of another database does not pass.
  if (currentCrc(current.manifestName, header.epoch) !== current.crc) {
    throw corruption(currentPath, 0, `its checksum does not fit ${current.manifestName}`, remedy);
  }
  return replay(path, bytes, header);
}

/** Whether one read suffices: everything in it passes its checksum. */
function isWhole(path: string, bytes: Uint8Array, current: CurrentLine): boolean {
  const header = readFileHeader(bytes, bytes.length, fileMagic.manifest, current.manifestNumber, path);
  if (header instanceof NokvError) return false;
  if (currentCrc(current.manifestName, header.epoch) !== current.crc) return false;
  const reader = new FrameReader(bytes, bytes.length, header.fileNumber, header.epoch);
  for (;;) {
    const step = reader.next();
    if (step !== "frame") return step === "end";
  }
}

function replay(path: string, bytes: Uint8Array, header: FileHeader): ManifestImage {
  const state = new ManifestState();
  const reader = new FrameReader(bytes, bytes.length, header.fileNumber, header.epoch);
  let goodBytes = fileHeaderBytes;
  for (;;) {
    const step = reader.next();
    if (step === "end") break;
    if (step === "bad") {
      refuseIfDurable(path, reader);
      break;
    }
    if (reader.type === frameType.edit) applyEdit(path, bytes, reader, state);
    else if (reader.type !== frameType.witness) {
      throw corruption(path, reader.offset, "no frame of a manifest");
    }
    goodBytes = reader.position;
  }
  // The base was durable before CURRENT named this manifest: without it this is damage, not a crash.
  if (state.nextFile === 0) throw corruption(path, fileHeaderBytes, reader.problem || "no base edit", remedy);
  const overlap = state.overlap() ?? state.valueProblem();
  if (overlap !== null) throw corruption(path, goodBytes, overlap, remedy);
  assert(goodBytes <= bytes.length, "good frames lie inside the image");
  return { path, number: header.fileNumber, epoch: header.epoch, state, tornBytes: bytes.length - goodBytes };
}

/** Only an edit that was never durable may be dropped: nothing behind it vouches for it. */
function refuseIfDurable(path: string, reader: FrameReader): void {
  const { offset, problem } = reader;
  if (reader.impossible) throw corruption(path, offset, problem, remedy);
  if (reader.witnesses().durableBytes > offset) throw corruption(path, offset, problem, remedy);
}

function applyEdit(path: string, bytes: Uint8Array, reader: FrameReader, state: ManifestState): void {
  const edit = decodeEdit(bytes, reader.payloadStart, reader.payloadEnd);
  if (typeof edit === "string") throw corruption(path, reader.offset, edit, remedy);
  const problem = state.apply(edit);
  if (problem !== null) throw corruption(path, reader.offset, problem, remedy);
}
