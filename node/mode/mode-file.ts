import { type ContentSum, contentText, parseContentText } from "../../core/bytes/content-hash.ts";
import { crc32 } from "../../core/bytes/crc32.ts";
import { DiskError, type Disk, type DiskFile } from "../../core/env/disk.ts";
import type { Env } from "../../core/env/env.ts";
import { writeFully } from "../../core/env/whole-io.ts";
import { syncDirectory } from "../../core/engine/directory.ts";
import { refusal } from "../../core/engine/failure.ts";
import { modeName, modePreviousName } from "../../core/engine/file-names.ts";
import { corruption, NokvError } from "../../core/errors.ts";
import { isMigrationId } from "../../core/manifest/format-gate.ts";
import { closeFile } from "../../core/wal/close-file.ts";
import { readStable } from "../../core/wal/stable-read.ts";
import { bytesToHex, hexToBytes } from "./hex.ts";

const directoryModes = ["preparing", "seeded", "cluster"] as const;
/** What a directory is to a cluster; a directory without a file MODE is a standalone database. */
export type DirectoryMode = (typeof directoryModes)[number];

/** A region that a directory was divided into. */
export interface SeedRegion {
  readonly regionId: number;
  readonly peerId: number;
  readonly start: Uint8Array;
  readonly end: Uint8Array;
}

/** What the file MODE says. Text, so that people can read it; checksummed, so that nobody changes it by hand. */
export interface ModeFile {
  readonly mode: DirectoryMode;
  /** "": it was never anything else than a store's. */
  readonly migrationId: string;
  readonly clusterId: string;
  readonly storeId: number;
  /** Of the seed; a store that grew in a cluster has none here. */
  readonly regions: readonly SeedRegion[];
  /** Everything that was written before has a version up to this one; 0: nothing was. */
  readonly baseTs: number;
  /** What could be read at `baseTs`; null: nobody has looked. */
  readonly verify: ContentSum | null;
  /** What is under way. "joining": of a store of which no Coordinator can have heard. */
  readonly step: "init" | "rollback" | "joining" | "done";
}

const version = 1;
const remedy = `restore it from ${modePreviousName} or a copy; nothing was changed`;

/** Null: there is none. Throws `NOKV_CORRUPTION`, `NOKV_FORMAT`, `NOKV_IO`. */
export function readMode(disk: Disk, directory: string): ModeFile | null {
  const path = `${directory}/${modeName}`;
  try {
    if (disk.kind(path) === null) return null;
    const bytes = readStable(disk, path, (read) => typeof parseMode(read) !== "string");
    const mode = parseMode(bytes);
    if (typeof mode !== "string") return mode;
    if (mode === newerFormat) throw new NokvError("NOKV_FORMAT", `${path} ${mode}; use a newer nokv`, { path });
    throw corruption(path, 0, mode, remedy);
  } catch (error) {
    if (error instanceof DiskError) throw refusal(error, `reading ${path} failed`);
    throw error;
  }
}

/**
 * Replaces MODE, durably when it resolves; after a crash it is there as before or as given. What stood there is kept
 * under another name first. Rejects with `NOKV_IO` and `NOKV_NO_SPACE`; then either may be there.
 */
export async function writeMode(env: Env, directory: string, mode: ModeFile): Promise<void> {
  const path = `${directory}/${modeName}`;
  try {
    if (env.disk.kind(path) !== null) {
      const before = readStable(env.disk, path, () => true);
      await replaceFile(env, `${directory}/${modePreviousName}`, before);
    }
    await replaceFile(env, path, formatMode(mode));
    await syncDirectory(env, directory);
  } catch (error) {
    if (error instanceof DiskError) throw refusal(error, `writing ${path} failed`);
    throw error;
  }
}

/** The directory is a standalone database again, durably when it resolves. */
export async function removeMode(env: Env, directory: string): Promise<void> {
  const path = `${directory}/${modeName}`;
  try {
    if (env.disk.kind(path) !== null) env.disk.remove(path);
    await syncDirectory(env, directory);
  } catch (error) {
    if (error instanceof DiskError) throw refusal(error, `removing ${path} failed`);
    throw error;
  }
}

/** The content is durable before the name is; the name needs a sync of the directory. */
async function replaceFile(env: Env, path: string, bytes: Uint8Array): Promise<void> {
  const temp = `${path}.tmp`;
  if (env.disk.kind(temp) !== null) env.disk.remove(temp);
  const file = env.disk.open(temp, "create");
  try {
    writeFully(file, 0, bytes, 0, bytes.length);
    await syncFile(file);
  } catch (error) {
    if (error instanceof DiskError) closeFile(file);
    throw error;
  }
  closeFile(file);
  env.disk.rename(temp, path);
}

function syncFile(file: DiskFile): Promise<void> {
  return new Promise((resolve, reject) => {
    file.sync((error) => (error === null ? resolve() : reject(error)));
  });
}

/** One JSON object; the checksum is of the same without it and without blanks. */
export function formatMode(mode: ModeFile): Uint8Array {
  const body = toJson(mode);
  return new TextEncoder().encode(`${JSON.stringify({ ...body, crc: checksum(body) }, null, 2)}\n`);
}

const newerFormat = "is of a newer format";

/** What the bytes of a MODE file say, or what is wrong with them. */
export function parseMode(bytes: Uint8Array): ModeFile | string {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return "it is not JSON";
    throw error;
  }
  if (typeof value !== "object" || value === null) return "it is no object";
  const { crc, ...body } = value as Record<string, unknown>;
  // Of every format: a bit that flipped in the version is damage, and no newer program would read it.
  if (crc !== checksum(body)) return "its checksum is wrong: it was changed, or is damaged";
  if (typeof body["v"] === "number" && body["v"] > version) return newerFormat;
  return fromJson(body) ?? "a field is missing or of the wrong kind";
}

function checksum(body: object): string {
  const bytes = new TextEncoder().encode(JSON.stringify(body));
  return crc32(bytes, 0, bytes.length, 0).toString(16).padStart(8, "0");
}

function toJson({ mode, migrationId, clusterId, storeId, regions, baseTs, verify, step }: ModeFile): object {
  return {
    v: version, mode, step, migrationId, clusterId, storeId, baseTs,
    regions: regions.map(({ regionId, peerId, start, end }) => {
      return { regionId, peerId, start: bytesToHex(start), end: bytesToHex(end) };
    }),
    verify: verify === null ? null : { count: verify.count, bytes: verify.bytes, hash: contentText(verify) },
  };
}

function fromJson(body: Record<string, unknown>): ModeFile | null {
  const { migrationId, clusterId, storeId, baseTs } = body;
  const mode = directoryModes.find((known) => known === body["mode"]);
  const step = (["init", "rollback", "joining", "done"] as const).find((known) => known === body["step"]);
  if (mode === undefined || step === undefined || typeof clusterId !== "string") return null;
  if (typeof migrationId !== "string" || !isMigrationId(migrationId)) return null;
  if (!isNumber(storeId) || !isNumber(baseTs) || !Array.isArray(body["regions"])) return null;
  const regions = (body["regions"] as readonly unknown[]).map(regionOf);
  const verify = body["verify"] === null ? null : sumOf(body["verify"]);
  if (verify === undefined || !regions.every((region) => region !== null)) return null;
  return { mode, step, migrationId, clusterId, storeId, baseTs, regions, verify };
}

function regionOf(value: unknown): SeedRegion | null {
  const { regionId, peerId, start, end } = fieldsOf(value);
  if (!isNumber(regionId) || !isNumber(peerId)) return null;
  const [from, to] = [start, end].map((text) => (typeof text === "string" ? hexToBytes(text) : null));
  return from instanceof Uint8Array && to instanceof Uint8Array ? { regionId, peerId, start: from, end: to } : null;
}

function sumOf(value: unknown): ContentSum | undefined {
  const { count, bytes, hash } = fieldsOf(value);
  const sums = typeof hash === "string" ? parseContentText(hash) : null;
  return isNumber(count) && isNumber(bytes) && sums !== null ? { count, bytes, hash: sums } : undefined;
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
