import { columnFamily } from "../core/bytes/record.ts";
import { crc32 } from "../core/bytes/crc32.ts";
import { type Engine, openEngine } from "../core/engine/engine.ts";
import type { KeyRange } from "../core/engine/range-estimate.ts";
import type { RangeExport } from "../core/engine/range-export.ts";
import type { Env } from "../core/env/env.ts";
import { NokvError } from "../core/errors.ts";
import { toBytes } from "../sim/checkers/text.ts";
import {
  idOf,
  isWithin,
  type ModelEntry,
  type ModelRange,
  type ModelReplacement,
  VersionedModel,
} from "../sim/checkers/versioned-model.ts";
import type { Dice } from "../sim/dice.ts";
import type { Machine } from "../sim/machine.ts";
import type { World } from "../sim/world.ts";
import type { VersionedWrites } from "./versions-plan.ts";
import { batchOf } from "./versions-plan.ts";

const exportsMax = 8;
const { data, lock, txn, local } = columnFamily;

/** What an export that ended holds: whatever comes, it is there. */
interface Exported {
  readonly directory: string;
  readonly ranges: readonly ModelRange[];
  readonly entries: readonly ModelEntry[];
}

/** A replacement that was asked for, and may have happened. */
export interface Replacing extends ModelReplacement {
  /** It comes after so many batches, of all since the beginning, and before no other that has to do with it. */
  readonly after: number;
}

/** What a replacement needs of the run. */
export interface MoveHost {
  readonly world: World;
  readonly machine: Machine;
  readonly writes: VersionedWrites;
  /** Batches applied since the beginning. */
  appliedCount(): number;
  nextVersion(engine: Engine): number;
  /** Unless the disk refuses like that, a violation. */
  explain(what: string, error: NokvError): void;
  /** It has happened, durably. */
  replaced(engine: Engine, replacing: Replacing): void;
}

/** Whole ranges out of the engine and into it, while everything else goes on. */
export class VersionsMoves {
  readonly #host: MoveHost;
  readonly #dice: Dice;
  #exports: Exported[] = [];
  #exportCount = 0;
  /** Null: none is under way, nor did one end unknown. */
  #replacing: Replacing | null = null;

  constructor(host: MoveHost, dice: Dice) {
    this.#host = host;
    this.#dice = dice;
  }

  /** Exports of another store, whose versions are ahead of those here. Without faults. */
  async prepare(env: Env): Promise<void> {
    const { writes } = this.#host;
    const options = { versions: "given", durability: "none", memtableBytes: 65_536 } as const;
    const other = await openEngine(env, "/other", options);
    const model = new VersionedModel();
    const ahead = this.#dice.pick([0, 1_000_000, 2 ** 40]);
    for (let left = this.#dice.between(1, 20); left > 0; left--) {
      const drawn = writes.draw(model, () => other.nextVersion(), () => false);
      const entries = drawn.map((entry) => {
        return { ...entry, version: entry.version + (entry.family === data ? ahead : 0) };
      });
      other.apply(batchOf(entries));
      model.apply(entries);
    }
    const ranges = this.#ranges();
    await other.transfer.exportAt(keyRanges(ranges), "/export-0");
    await other.close();
    this.#exports.push({ directory: "/export-0", ranges, entries: model.entries(ranges) });
  }

  get replacing(): Replacing | null {
    return this.#replacing;
  }

  /** Recovery has told what became of it. */
  forget(): void {
    this.#replacing = null;
  }

  /** Nobody may write here now, and nobody knows what stands here. */
  isBusy(family: number, key: string): boolean {
    const replacing = this.#replacing;
    if (replacing === null) return false;
    const id = idOf(family, key);
    if (replacing.ranges.some((range) => isWithin(id, range))) return true;
    return replacing.batch.some((entry) => entry.family === family && entry.key === key);
  }

  exportAt(engine: Engine, model: VersionedModel): void {
    if (this.#replacing !== null) return;
    const ranges = this.#ranges();
    const directory = `/export-${++this.#exportCount}`;
    const entries = model.entries(ranges);
    engine.transfer.exportAt(keyRanges(ranges), directory).then(
      (made) => {
        this.#judge(made);
        this.#exports = [...this.#exports.slice(1 - exportsMax), { directory, ranges, entries }];
      },
      (error: unknown) => this.#failed("export", error),
    );
  }

  replace(engine: Engine): void {
    if (this.#replacing !== null) return;
    const { writes } = this.#host;
    const { keyspace } = writes;
    const exported = this.#exports.length > 0 && this.#dice.chance(3, 4) ? this.#dice.pick(this.#exports) : null;
    const batch: ModelEntry[] = [];
    if (this.#dice.chance(3, 4)) {
      const version = this.#host.nextVersion(engine);
      const value = this.#dice.chance(1, 4) ? null : keyspace.value();
      batch.push({ family: local, key: keyspace.key(), version, value, expiresAtMs: 0 });
    }
    const ranges = exported?.ranges ?? this.#ranges();
    const replacing = { ranges, entries: exported?.entries ?? [], batch, after: this.#host.appliedCount() };
    // Before the call: if the node dies inside it, it may have happened.
    this.#replacing = replacing;
    engine.transfer.replace(keyRanges(ranges), exported?.directory ?? null, batchOf(batch)).then(
      () => {
        if (this.#replacing !== replacing) return;
        this.#replacing = null;
        this.#host.replaced(engine, replacing);
      },
      (error: unknown) => {
        const known = error instanceof NokvError && error.code !== "NOKV_POISONED";
        if (known && this.#replacing === replacing) this.#replacing = null;
        this.#failed("replace", error);
      },
    );
  }

  #failed(what: string, error: unknown): void {
    if (!(error instanceof NokvError)) throw error;
    this.#host.explain(what, error);
  }

  /** What is listed is there, durable, as long and with the checksum that is said. */
  #judge({ directory, files }: RangeExport): void {
    const { world, machine } = this.#host;
    for (const { name, sizeBytes, crc } of files) {
      const file = machine.disk.inspect(`${directory}/${name}`);
      const bytes = file?.cached ?? new Uint8Array(0);
      const isRight = bytes.length === sizeBytes && crc32(bytes, 0, sizeBytes, 0) === crc;
      if (!isRight) world.fail("export", `${directory}/${name} is not the file that was listed`);
    }
  }

  #ranges(): ModelRange[] {
    const bounds = this.#host.writes.ranges();
    const families = this.#dice.chance(2, 3) ? [data, lock, txn] : [this.#dice.pick([data, lock, txn])];
    return families.map((family) => ({ family, ...bounds }));
  }
}

function keyRanges(ranges: readonly ModelRange[]): KeyRange[] {
  return ranges.map(({ family, start, end }) => {
    return { family, start: toBytes(start), end: end === null ? null : toBytes(end) };
  });
}
