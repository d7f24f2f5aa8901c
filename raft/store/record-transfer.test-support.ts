import { assert } from "../../core/assert.ts";
import { ByteReader, MalformedError } from "../../core/bytes/byte-reader.ts";
import { ByteWriter } from "../../core/bytes/byte-writer.ts";
import { crc32 } from "../../core/bytes/crc32.ts";
import { columnFamily, compareKeys, keyLengthMax, versionMax } from "../../core/bytes/record.ts";
import { refusal } from "../../core/engine/failure.ts";
import { VersionedBatch } from "../../core/engine/versioned-batch.ts";
import type { VersionedEntry, VersionedStore } from "../../core/engine/versioned-store.ts";
import { type Disk, DiskError } from "../../core/env/disk.ts";
import { readFully } from "../../core/env/whole-io.ts";
import type { Env } from "../../core/env/env.ts";
import { NokvError, corruption } from "../../core/errors.ts";
import type { StreamFile } from "../../net/rpc/stream-messages.ts";
import type { RegionMeta } from "../region.ts";
import { withMachineState } from "./engine-transfer.ts";
import { FileReceiver } from "./file-receiver.ts";
import { SnapshotDirectories } from "./snapshot-directories.ts";
import type {
  FamilyRange,
  IncomingSnapshot,
  OutgoingSnapshot,
  RangesOf,
  SnapshotContent,
  SnapshotTransfer,
} from "./snapshot-transfer.ts";

const fileBytesMax = 4 * 1024 * 1024;
const scanMax = 256;
const valueBytesMax = 64 * 1024 * 1024;

/** What a read got wrong, the next one may get right. */
const readsMax = 4;

/** Throws `DiskError`, and `NOKV_CORRUPTION` when it is not what was announced. */
function readVerified(disk: Disk, path: string, { sizeBytes, crc }: StreamFile): Uint8Array {
  for (let reads = 0; reads < readsMax; reads++) {
    const file = disk.open(path, "read");
    const bytes = new Uint8Array(file.sizeBytes());
    readFully(file, 0, bytes, 0, bytes.length);
    file.close();
    if (bytes.length === sizeBytes && crc32(bytes, 0, bytes.length, 0) === crc) return bytes;
  }
  throw corruption(path, 0, "the file of a snapshot does not match its checksum", "it will be sent again");
}

/**
 * Region by region as single records, over nothing but a `VersionedStore`: the whole region is in memory for a while,
 * and comes in by one batch. For regions that a batch can hold.
 */
export class RecordTransfer implements SnapshotTransfer {
  readonly #env: Env;
  readonly #store: VersionedStore;
  readonly #directory: string;
  readonly #incoming: SnapshotDirectories;
  readonly #rangesOf: RangesOf;

  /** `directory` exists and holds nothing else. */
  // oxlint-disable-next-line max-params
  constructor(env: Env, store: VersionedStore, directory: string, rangesOf: RangesOf) {
    this.#env = env;
    this.#store = store;
    this.#directory = directory;
    this.#incoming = new SnapshotDirectories(env, directory, "in");
    this.#rangesOf = rangesOf;
  }

  exportAt(region: RegionMeta, done: (snapshot: OutgoingSnapshot | string) => void): void {
    const files: Uint8Array[] = [];
    const writer = new ByteWriter();
    for (const range of this.#ranges(region)) {
      this.#visit(range, true, (record) => {
        writeRecord(writer, range.family, record);
        if (writer.length < fileBytesMax) return;
        files.push(writer.toBytes());
        writer.clear();
      });
    }
    if (writer.length > 0) files.push(writer.toBytes());
    const described = files.map((bytes) => ({ sizeBytes: bytes.length, crc: crc32(bytes, 0, bytes.length, 0) }));
    const snapshot: OutgoingSnapshot = {
      content: { files: described, detail: new Uint8Array(0) },
      read: (file, offset, length, read) => read(files[file]?.subarray(offset, offset + length) ?? null),
      release: () => void files.splice(0, files.length),
    };
    this.#env.clock.soon(() => done(snapshot));
  }

  receive({ files }: SnapshotContent): IncomingSnapshot | string {
    const name = this.#incoming.take();
    if (name === null) return "too many";
    return new FileReceiver(this.#env.disk, this.#incoming.pathOf(name), name, files.map((_, i) => `${i}`));
  }

  has(name: string, { files }: SnapshotContent): boolean {
    return files.every((_, i) => this.#env.disk.kind(`${this.#incoming.pathOf(name)}/${i}`) === "file");
  }

  // oxlint-disable-next-line max-params
  replace(
    name: string,
    { files }: SnapshotContent,
    region: RegionMeta,
    batch: VersionedBatch,
    done: (error: NokvError | null) => void,
  ): void {
    const whole = new VersionedBatch();
    const seen = new Set<string>();
    try {
      for (const [i, file] of files.entries()) this.#take(`${this.#incoming.pathOf(name)}/${i}`, file, whole, seen);
    } catch (error) {
      if (error instanceof NokvError) return done(error);
      if (error instanceof DiskError) return done(refusal(error, `reading a snapshot in ${this.#directory} failed`));
      throw error;
    }
    this.#clearOthers(region, seen, whole);
    for (const { family, key, value } of batch.writes) {
      if (value === null) whole.delete(family, key, this.#store.nextVersion());
      else whole.set(family, key, this.#store.nextVersion(), value);
    }
    this.#applyWhenRoom(whole, done);
  }

  sweep(keep: readonly string[]): void {
    this.#incoming.sweep(keep);
  }

  clear(region: RegionMeta, done: (error: NokvError | null) => void): void {
    const batch = new VersionedBatch();
    this.#clearOthers(region, new Set(), batch);
    this.#applyWhenRoom(batch, done);
  }

  #applyWhenRoom(batch: VersionedBatch, done: (error: NokvError | null) => void): void {
    if (!this.#store.hasRoom(batch.byteLength)) {
      this.#store.whenRoom(() => this.#applyWhenRoom(batch, done));
      return;
    }
    this.#store.whenDurable(this.#store.apply(batch), done);
  }

  /** Of `data`, versions are commits: what is there already stays, and what is newer is added. */
  // oxlint-disable-next-line max-params
  #take(path: string, file: StreamFile, batch: VersionedBatch, seen: Set<string>): void {
    const bytes = readVerified(this.#env.disk, path, file);
    const from = new ByteReader(bytes);
    try {
      while (from.left > 0) {
        const { family, record } = readRecord(from);
        const { key, value, expiresAtMs } = record;
        seen.add(`${family}/${key.join()}`);
        const there = this.#store.newest(family, key, versionMax)?.version ?? 0;
        if (family === columnFamily.data && record.version <= there) continue;
        const version = family === columnFamily.data ? record.version : this.#store.nextVersion();
        if (value === null) batch.delete(family, key, version);
        else batch.set(family, key, version, value, expiresAtMs);
      }
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      throw corruption(path, 0, error.message, "it will be sent again");
    }
  }

  /** What the region has not, goes: but for `data`, which only ever grows, and whose garbage goes by itself. */
  #clearOthers(region: RegionMeta, seen: ReadonlySet<string>, batch: VersionedBatch): void {
    for (const range of this.#ranges(region)) {
      if (range.family === columnFamily.data) continue;
      this.#visit(range, false, ({ key }) => {
        if (!seen.has(`${range.family}/${key.join()}`)) batch.delete(range.family, key, this.#store.nextVersion());
      });
    }
  }

  #ranges(region: RegionMeta): FamilyRange[] {
    return withMachineState(region, this.#rangesOf);
  }

  /** `history`: of family `data` every version, the oldest first. */
  #visit(range: FamilyRange, history: boolean, visit: (record: VersionedEntry) => void): void {
    let { start } = range;
    for (;;) {
      const wish = { family: range.family, start, end: range.end, versionMax, limit: scanMax, live: false };
      const records = this.#store.scan(wish);
      for (const record of records) {
        if (history && range.family === columnFamily.data) this.#visitVersions(range.family, record, visit);
        else if (record.value !== null) visit(record);
      }
      const last = records.at(-1);
      if (last === undefined || records.length < scanMax) return;
      assert(compareKeys(last.key, start) >= 0, "a scan goes on");
      start = Uint8Array.of(...last.key, 0);
    }
  }

  #visitVersions(family: number, newest: VersionedEntry, visit: (record: VersionedEntry) => void): void {
    const versions: VersionedEntry[] = [newest];
    for (let version = newest.version; version > 1;) {
      const older = this.#store.newest(family, newest.key, version - 1);
      if (older === null) break;
      versions.unshift({ ...older, key: newest.key });
      version = older.version;
    }
    for (const record of versions) visit(record);
  }
}

/** family u8, key (bytes), version (varint), expiresAtMs (varint), has a value u8, value (bytes). */
function writeRecord(out: ByteWriter, family: number, record: VersionedEntry): void {
  out.u8(family);
  out.bytes(record.key);
  out.varint(record.version);
  out.varint(record.expiresAtMs);
  out.bool(record.value !== null);
  if (record.value !== null) out.bytes(record.value);
}

function readRecord(from: ByteReader): { readonly family: number; readonly record: VersionedEntry } {
  const family = from.u8("family");
  const key = from.copy("key", keyLengthMax);
  const version = from.varint("version");
  const expiresAtMs = from.varint("expiry");
  const value = from.bool("has value") ? from.copy("value", valueBytesMax) : null;
  return { family, record: { key, version, value, expiresAtMs } };
}
