import type { Disk } from "../env/disk.ts";
import { NokvError, corruption } from "../errors.ts";
import { fileHeaderBytes, fileMagic, readFileHeader } from "../wal/file-header.ts";
import { FrameReader, frameType } from "../wal/frame.ts";
import { readStable } from "../wal/stable-read.ts";
import { currentName, manifestName } from "./current.ts";
import { decodeEdit } from "./edit.ts";
import { type ManifestImage, readManifest } from "./reader.ts";
import { ManifestState } from "./state.ts";

/**
 * The manifest that CURRENT names when that is sound; else the newest of `numbers` of which at least the base is,
 * up to its first bad edit. `note` hears what is wrong with every file looked at. Null: there is none.
 */
export function salvageManifest(
  disk: Disk,
  directory: string,
  numbers: readonly number[],
  note: (error: NokvError) => void,
): ManifestImage | null {
  try {
    const current = `${directory}/${currentName}`;
    if (disk.kind(current) === null) throw corruption(current, 0, "the file is missing");
    return readManifest(disk, directory);
  } catch (error) {
    if (!(error instanceof NokvError)) throw error;
    note(error);
  }
  for (const number of [...numbers].sort((a, b) => b - a)) {
    const path = `${directory}/${manifestName(number)}`;
    try {
      return readBeginning(disk, path, number, note);
    } catch (error) {
      if (!(error instanceof NokvError)) throw error;
      note(error);
    }
  }
  return null;
}

function readBeginning(
  disk: Disk,
  path: string,
  number: number,
  note: (error: NokvError) => void,
): ManifestImage {
  const bytes = readStable(disk, path, () => false);
  const header = readFileHeader(bytes, bytes.length, fileMagic.manifest, number, path);
  if (header instanceof NokvError) throw header;
  const reader = new FrameReader(bytes, bytes.length, number, header.epoch);
  let state = new ManifestState();
  let goodBytes = fileHeaderBytes;
  for (let step = reader.next(); step !== "end"; step = reader.next()) {
    if (step === "bad") {
      note(corruption(path, reader.offset, reader.problem));
      break;
    }
    if (reader.type === frameType.edit) {
      const next = withEdit(state, bytes, reader);
      if (typeof next === "string") {
        note(corruption(path, reader.offset, next));
        break;
      }
      state = next;
    }
    goodBytes = reader.position;
  }
  if (state.nextFile === 0) throw corruption(path, fileHeaderBytes, reader.problem || "no base edit");
  const overlap = state.overlap();
  if (overlap !== null) throw corruption(path, goodBytes, overlap);
  return { path, number, epoch: header.epoch, state, tornBytes: bytes.length - goodBytes };
}

/** A state that an edit does not fit is of no use afterwards: the edit is tried on a copy. */
function withEdit(state: ManifestState, bytes: Uint8Array, reader: FrameReader): ManifestState | string {
  const edit = decodeEdit(bytes, reader.payloadStart, reader.payloadEnd);
  if (typeof edit === "string") return edit;
  const next = new ManifestState();
  if (state.nextFile > 0) next.apply(state.base());
  return next.apply(edit) ?? next;
}
