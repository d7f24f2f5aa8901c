import { manifestAfterCurrent, manifestBeforeCurrent } from "../../failpoints/catalog.ts";
import { crc32 } from "../bytes/crc32.ts";
import { DiskError, type DiskFile, type SyncDone } from "../env/disk.ts";
import type { Env } from "../env/env.ts";
import { writeFully } from "../env/whole-io.ts";
import { closeFile } from "../wal/close-file.ts";
import type { DirectorySync } from "../wal/directory-sync.ts";
import { fileNumberMax } from "../wal/file-header.ts";
import type { SyncDesk } from "../wal/sync-desk.ts";

/**
 * `CURRENT` names the manifest that counts: one line, `MANIFEST-000007 1f2e3d4c\n`. The eight hex digits
 * are the CRC-32 of the name, continued from the manifest's epoch, so that it fits one manifest of one
 * database only.
 */
export const currentName = "CURRENT";
export const currentTempName = "CURRENT.tmp";

const line = /^(MANIFEST-(\d{6,10})) ([0-9a-f]{8})\n$/;

export interface CurrentLine {
  readonly manifestName: string;
  readonly manifestNumber: number;
  readonly crc: number;
}

export function manifestName(number: number): string {
  return `MANIFEST-${String(number).padStart(6, "0")}`;
}

export function formatCurrent(manifestNumber: number, epoch: number): string {
  const name = manifestName(manifestNumber);
  return `${name} ${currentCrc(name, epoch).toString(16).padStart(8, "0")}\n`;
}

export function currentCrc(name: string, epoch: number): number {
  const bytes = new TextEncoder().encode(name);
  return crc32(bytes, 0, bytes.length, epoch);
}

/** What the bytes of a CURRENT file say, or what is wrong with them. */
export function parseCurrent(bytes: Uint8Array): CurrentLine | string {
  if (bytes.length === 0) return "the file is empty";
  if (bytes[bytes.length - 1] !== 0x0a) return "the file does not end with a newline";
  const match = line.exec(new TextDecoder().decode(bytes));
  const number = Number(match?.[2]);
  if (match === null || number < 1 || number > fileNumberMax || match[1] !== manifestName(number)) {
    return "the line does not read MANIFEST-<number> <checksum>";
  }
  const crc = Number.parseInt(match[3] ?? "", 16);
  return { manifestName: manifestName(number), manifestNumber: number, crc };
}

/**
 * Makes CURRENT name manifest `number`, which is durable already. Until `done(null)` either manifest may be
 * found after a crash; after an error too. `done` may be called inside the call.
 */
export function switchCurrent(
  env: Env,
  directory: DirectorySync,
  manifest: { readonly number: number; readonly epoch: number },
  done: SyncDone,
): void {
  env.failpoints.hit(manifestBeforeCurrent);
  const temp = `${directory.path}/${currentTempName}`;
  const text = new TextEncoder().encode(formatCurrent(manifest.number, manifest.epoch));
  writeTemp({ env, syncs: directory.syncs, temp }, text, (error) => {
    if (error !== null) return done(error);
    try {
      env.disk.rename(temp, `${directory.path}/${currentName}`);
    } catch (failure) {
      if (!(failure instanceof DiskError)) throw failure;
      return done(failure);
    }
    directory.sync((syncError) => {
      if (syncError === null) env.failpoints.hit(manifestAfterCurrent);
      done(syncError);
    });
  });
}

interface TempFile {
  readonly env: Env;
  readonly syncs: SyncDesk;
  readonly temp: string;
}

/**
 * Renaming before the content is durable could leave an empty CURRENT after a crash: `done` after the sync.
 */
function writeTemp({ env, syncs, temp }: TempFile, text: Uint8Array, done: SyncDone): void {
  let file: DiskFile | null = null;
  try {
    if (env.disk.kind(temp) !== null) env.disk.remove(temp);
    file = env.disk.open(temp, "create");
    writeFully(file, 0, text, 0, text.length);
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    if (file !== null) closeFile(file);
    return done(error);
  }
  const written = file;
  syncs.file(written, (error) => {
    closeFile(written);
    done(error);
  });
}
