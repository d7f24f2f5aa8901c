import { type Layout, decode, encode, list, text } from "../../core/bytes/layout.ts";
import { columnFamily } from "../../core/bytes/record.ts";
import type { Engine } from "../../core/engine/engine.ts";
import type { RangeExport } from "../../core/engine/range-export.ts";
import { VersionedBatch } from "../../core/engine/versioned-batch.ts";
import { DiskError, type DiskFile } from "../../core/env/disk.ts";
import type { Env } from "../../core/env/env.ts";
import { NokvError } from "../../core/errors.ts";
import { readFully } from "../../core/env/whole-io.ts";
import type { RegionMeta } from "../region.ts";
import { FileReceiver } from "./file-receiver.ts";
import { machineStateKey } from "./machine-state.ts";
import { SnapshotDirectories } from "./snapshot-directories.ts";
import type {
  FamilyRange,
  IncomingSnapshot,
  OutgoingSnapshot,
  RangesOf,
  SnapshotContent,
  SnapshotTransfer,
} from "./snapshot-transfer.ts";

/** Names of the files: a table knows its number. */
const detailLayout: Layout<readonly string[]> = list(text);
const fileName = /^table-\d{6,10}\.sst$/;

/** As tables: sealed where they are, streamed as files, and put in the place of what was there by one edit. */
export class EngineTransfer implements SnapshotTransfer {
  readonly #env: Env;
  readonly #engine: Engine;
  readonly #rangesOf: RangesOf;
  readonly #incoming: SnapshotDirectories;
  readonly #outgoing: SnapshotDirectories;

  /** `directory` exists and holds nothing else. */
  // oxlint-disable-next-line max-params
  constructor(env: Env, engine: Engine, directory: string, rangesOf: RangesOf) {
    this.#env = env;
    this.#engine = engine;
    this.#rangesOf = rangesOf;
    this.#incoming = new SnapshotDirectories(env, directory, "in");
    this.#outgoing = new SnapshotDirectories(env, directory, "out");
  }

  exportAt(region: RegionMeta, done: (snapshot: OutgoingSnapshot | NokvError | string) => void): void {
    void this.#export(region, done);
  }

  receive(content: SnapshotContent): IncomingSnapshot | string {
    const names = this.#names(content);
    if (typeof names === "string") return names;
    try {
      const name = this.#incoming.take();
      if (name === null) return "too many snapshots are coming in";
      return new FileReceiver(this.#env.disk, this.#incoming.pathOf(name), name, names);
    } catch (error) {
      if (error instanceof DiskError) return error.message;
      throw error;
    }
  }

  has(name: string, content: SnapshotContent): boolean {
    const { disk } = this.#env;
    const names = this.#names(content);
    const path = this.#incoming.pathOf(name);
    if (typeof names === "string" || disk.kind(path) !== "directory") return false;
    return names.every((file) => disk.kind(`${path}/${file}`) === "file");
  }

  // oxlint-disable-next-line max-params
  replace(
    name: string,
    _content: SnapshotContent,
    region: RegionMeta,
    batch: VersionedBatch,
    done: (error: NokvError | null) => void,
  ): void {
    void this.#replace(region, this.#incoming.pathOf(name), batch, done);
  }

  sweep(keep: readonly string[]): void {
    this.#incoming.sweep(keep);
  }

  clear(region: RegionMeta, done: (error: NokvError | null) => void): void {
    void this.#replace(region, null, new VersionedBatch(), done);
  }

  async #export(
    region: RegionMeta,
    done: (snapshot: OutgoingSnapshot | NokvError | string) => void,
  ): Promise<void> {
    let answer: OutgoingSnapshot | NokvError | string;
    try {
      const name = this.#outgoing.take();
      if (name === null) answer = "too many snapshots are under way";
      else answer = this.#reader(name, await this.#begin(region, name));
    } catch (error) {
      if (!(error instanceof NokvError) && !(error instanceof DiskError)) throw error;
      answer = error.code === "NOKV_CORRUPTION" ? error : error.message;
    }
    this.#env.clock.soon(() => done(answer));
  }

  /** Nothing may come between the call of `exportAt` and what it begins with. */
  async #begin(region: RegionMeta, name: string): Promise<RangeExport> {
    try {
      return await this.#engine.transfer.exportAt(this.#ranges(region), this.#outgoing.pathOf(name));
    } catch (error) {
      if (error instanceof NokvError) this.#giveBack(name);
      throw error;
    }
  }

  // oxlint-disable-next-line max-params
  async #replace(
    region: RegionMeta,
    directory: string | null,
    batch: VersionedBatch,
    done: (error: NokvError | null) => void,
  ): Promise<void> {
    let outcome: NokvError | null = null;
    try {
      await this.#engine.transfer.replace(this.#ranges(region), directory, batch);
    } catch (error) {
      if (!(error instanceof NokvError)) throw error;
      outcome = error;
    }
    this.#env.clock.soon(() => done(outcome));
  }

  #reader(name: string, { files }: RangeExport): OutgoingSnapshot {
    const path = this.#outgoing.pathOf(name);
    const content = {
      files: files.map(({ sizeBytes, crc }) => ({ sizeBytes, crc })),
      detail: encode(detailLayout, files.map((file) => file.name)),
    };
    const open = new Map<number, DiskFile>();
    return {
      content,
      read: (file, offset, length, done) => {
        try {
          const source = open.get(file) ?? this.#env.disk.open(`${path}/${files[file]?.name ?? ""}`, "read");
          open.set(file, source);
          const bytes = new Uint8Array(length);
          done(readFully(source, offset, bytes, 0, length) === length ? bytes : null);
        } catch (error) {
          if (!(error instanceof DiskError)) throw error;
          done(null);
        }
      },
      release: () => {
        for (const file of open.values()) file.close();
        open.clear();
        this.#giveBack(name);
      },
    };
  }

  #giveBack(name: string): void {
    try {
      this.#outgoing.giveBack(name);
    } catch (error) {
      // It is emptied when it is taken again.
      if (!(error instanceof DiskError)) throw error;
    }
  }

  #ranges(region: RegionMeta): FamilyRange[] {
    return withMachineState(region, this.#rangesOf);
  }

  #names({ files, detail }: SnapshotContent): readonly string[] | string {
    const read = decode(detailLayout, detail);
    if (typeof read === "string") return `its files have no names: ${read}`;
    const { value } = read;
    const isWhole = value.length === files.length && new Set(value).size === value.length;
    return isWhole && value.every((name) => fileName.test(name)) ? value : "its files are named as no tables are";
  }
}

/** For machines whose keys are what they are in every family. */
export function plainRanges(region: RegionMeta): readonly FamilyRange[] {
  const { data, lock, txn, prewrite } = columnFamily;
  const end = region.end.length === 0 ? null : region.end;
  return [data, lock, txn, prewrite].map((family) => ({ family, start: region.start, end }));
}

/** Everything that is a region's. */
export function withMachineState(region: RegionMeta, rangesOf: RangesOf): FamilyRange[] {
  const state = machineStateKey(region.id);
  return [...rangesOf(region), { family: columnFamily.local, start: state, end: Uint8Array.of(...state, 0) }];
}
