import { decode } from "../core/bytes/layout.ts";
import type { Disk } from "../core/env/disk.ts";
import { corruption, NokvError } from "../core/errors.ts";
import { type FileHeader, fileMagic, readFileHeader } from "../core/wal/file-header.ts";
import { FrameReader, frameType } from "../core/wal/frame.ts";
import { readStable } from "../core/wal/stable-read.ts";
import type { RootToken } from "./journal.ts";
import { contentLengthBytes, type JournalContent, journalContentLayout, journalFileName } from "./journal-file.ts";
import { reduce } from "./reduce.ts";
import { type CoordinatorState, emptyState } from "./state.ts";

/** What a journal file says. */
export interface JournalImage {
  readonly state: CoordinatorState;
  readonly token: RootToken;
  /** Bytes at the end that a crash tore. */
  readonly tornBytes: number;
}

const remedy = "restore the file from a copy; nothing was changed";

/**
 * Reads journal file `number`, which has its final name: so header and checkpoint were durable once. Throws
 * `NOKV_CORRUPTION` naming file and offset, `NOKV_FORMAT`, or `DiskError`.
 */
export function readJournal(disk: Disk, directory: string, number: number): JournalImage {
  const path = `${directory}/${journalFileName(number)}`;
  const bytes = readStable(disk, path, (read) => isWhole(path, read, number));
  const header = readFileHeader(bytes, bytes.length, fileMagic.journal, number, path);
  if (header instanceof NokvError) throw header;
  return replay(path, bytes, header);
}

/** Whether one read suffices: everything in it passes its checksum. */
function isWhole(path: string, bytes: Uint8Array, number: number): boolean {
  const header = readFileHeader(bytes, bytes.length, fileMagic.journal, number, path);
  if (header instanceof NokvError) return false;
  const reader = new FrameReader(bytes, bytes.length, header.fileNumber, header.epoch);
  for (;;) {
    const step = reader.next();
    if (step !== "frame") return step === "end";
  }
}

function replay(path: string, bytes: Uint8Array, header: FileHeader): JournalImage {
  const reader = new FrameReader(bytes, bytes.length, header.fileNumber, header.epoch);
  let state = emptyState;
  let token: RootToken | null = null;
  let goodBytes = reader.position;
  for (;;) {
    const step = reader.next();
    if (step === "end") break;
    if (step === "bad") {
      refuseIfDurable(path, reader);
      break;
    }
    goodBytes = reader.position;
    if (reader.type === frameType.witness) continue;
    const content = contentOf(path, bytes, reader);
    if (content.kind === "checkpoint") {
      if (token !== null) throw corruption(path, reader.offset, "a second checkpoint", remedy);
      state = content.state;
      token = { term: content.term, index: content.index };
    } else {
      if (token === null) throw corruption(path, reader.offset, "events before a checkpoint", remedy);
      for (const event of content.events) state = reduce(state, event).state;
      token = { term: token.term, index: token.index + content.events.length };
    }
  }
  // The file got its name when its checkpoint was durable: without one this is damage, not a crash.
  if (token === null) throw corruption(path, goodBytes, reader.problem || "no checkpoint", remedy);
  return { state, token, tornBytes: bytes.length - goodBytes };
}

/** Only what was never durable may be dropped: nothing behind it vouches for it. */
function refuseIfDurable(path: string, reader: FrameReader): void {
  const { offset, problem } = reader;
  if (reader.impossible) throw corruption(path, offset, problem, remedy);
  if (reader.witnesses().durableBytes > offset) throw corruption(path, offset, problem, remedy);
}

function contentOf(path: string, bytes: Uint8Array, reader: FrameReader): JournalContent {
  const { offset, payloadStart, payloadEnd } = reader;
  if (reader.type !== frameType.edit || payloadEnd - payloadStart < contentLengthBytes) {
    throw corruption(path, offset, "no frame of a journal", remedy);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = payloadStart + contentLengthBytes;
  const end = start + view.getUint32(payloadStart, true);
  if (end > payloadEnd) throw corruption(path, offset, "a frame's content is longer than the frame", remedy);
  const content = decode(journalContentLayout, bytes, start, end);
  if (typeof content === "string") throw corruption(path, offset, content, remedy);
  return content.value;
}
