import { assert } from "../../core/assert.ts";
import { columnFamily } from "../../core/bytes/record.ts";
import type { VersionedBatch } from "../../core/engine/versioned-batch.ts";
import type {
  VersionedEntry,
  VersionedRecord,
  VersionedScan,
  VersionedStore,
} from "../../core/engine/versioned-store.ts";
import type { Done } from "../../core/engine/waiters.ts";
import type { KeyRange } from "../percolator/command.ts";
import { keptVersions } from "../percolator/gc.ts";
import { KeyMap } from "../percolator/key-map.ts";

const everything: KeyRange = { start: new Uint8Array(0), end: null };

/** The engine as a replica uses it, in memory and always durable: for tests and models. */
export class MemoryVersionedStore implements VersionedStore {
  /** By family; of each key the newest record first. */
  readonly #families = new Map<number, KeyMap<readonly VersionedRecord[]>>();
  #lastVersion = 0;
  #tickets = 0;
  safePoint = 0;

  nextVersion(): number {
    return ++this.#lastVersion;
  }

  newest(family: number, key: Uint8Array, versionMax: number): VersionedRecord | null {
    return this.#family(family).get(key)?.find(({ version }) => version <= versionMax) ?? null;
  }

  scan({ family, start, end, versionMax, limit, live }: VersionedScan): VersionedEntry[] {
    assert(limit >= 1, "a scan has room for an entry");
    const found: VersionedEntry[] = [];
    for (const [key, versions] of this.#family(family).slice({ start, end }, Infinity)) {
      const record = versions.find(({ version }) => version <= versionMax);
      if (record === undefined || (live && record.value === null)) continue;
      found.push({ key, ...record });
      if (found.length === limit) break;
    }
    return found;
  }

  hasRoom(): boolean {
    return true;
  }

  whenRoom(run: () => void): void {
    run();
  }

  apply(batch: VersionedBatch): number {
    for (const { family, key, version, value, expiresAtMs } of batch.writes) {
      const versions = this.#family(family).get(key) ?? [];
      assert(version > (versions[0]?.version ?? 0), "a record is above the newest of its key");
      // As the engine does: nothing of the batch is kept by reference.
      const record = { version, value: value === null ? null : value.slice(), expiresAtMs };
      this.#family(family).set(key, [record, ...versions]);
      this.#lastVersion = Math.max(this.#lastVersion, version);
    }
    return ++this.#tickets;
  }

  whenDurable(_ticket: number, done: Done): void {
    done(null);
  }

  advanceSafePoint(safePoint: number): void {
    assert(safePoint >= this.safePoint, "a safe point does not go back");
    this.safePoint = safePoint;
  }

  /** What merges do to family `data`: nobody reads below the safe point any more. */
  compact(): void {
    const data = this.#family(columnFamily.data);
    for (const [key, versions] of data.slice(everything, Infinity)) {
      const kept = keptVersions(versions, this.safePoint);
      data.set(key, kept.length === 0 ? null : kept);
    }
  }

  /** Keys of `family` whose newest record is no tombstone. */
  liveCount(family: number): number {
    const all = this.#family(family).slice(everything, Infinity);
    return all.filter(([, versions]) => versions[0]?.value !== null).length;
  }

  #family(family: number): KeyMap<readonly VersionedRecord[]> {
    const known = this.#families.get(family);
    if (known !== undefined) return known;
    const made = new KeyMap<readonly VersionedRecord[]>();
    this.#families.set(family, made);
    return made;
  }
}
