import { type Disk, DiskError } from "../../core/env/disk.ts";
import type { Env } from "../../core/env/env.ts";
import { refusal } from "../../core/engine/failure.ts";

/** Directories are never removed, only emptied: so many are enough for all that is under way at once. */
const countMax = 64;

/** Makes the directory of snapshots, durably. Throws `NOKV_IO` and `NOKV_NO_SPACE`. */
export function enterSnapshotDirectory(disk: Disk, parent: string, name: string): string {
  const path = `${parent === "/" ? "" : parent}/${name}`;
  try {
    if (disk.kind(path) === null) {
      disk.mkdir(path);
      disk.syncDirNow(parent);
    }
  } catch (error) {
    if (error instanceof DiskError) throw refusal(error, `entering ${path} failed`);
    throw error;
  }
  return path;
}

/** Numbered directories, taken and given back empty. */
export class SnapshotDirectories {
  readonly #disk: Disk;
  readonly #parent: string;
  readonly #prefix: string;
  readonly #taken = new Set<string>();

  constructor(env: Env, parent: string, prefix: string) {
    this.#disk = env.disk;
    this.#parent = parent;
    this.#prefix = prefix;
  }

  pathOf(name: string): string {
    return `${this.#parent}/${name}`;
  }

  /** The name of an empty one, durable in its parent; a string with a blank: why there is none. Throws `DiskError`. */
  take(): string | null {
    for (let number = 1; number <= countMax; number++) {
      const name = `${this.#prefix}-${number}`;
      if (this.#taken.has(name)) continue;
      const path = this.pathOf(name);
      if (this.#disk.kind(path) === null) {
        this.#disk.mkdir(path);
        this.#disk.syncDirNow(this.#parent);
      }
      this.#empty(path);
      this.#taken.add(name);
      return name;
    }
    return null;
  }

  /** Throws `DiskError`; it is free all the same, and is emptied when it is taken again. */
  giveBack(name: string): void {
    this.#taken.delete(name);
    this.#empty(this.pathOf(name));
  }

  /** All others are given back. Throws `DiskError`. */
  sweep(keep: readonly string[]): void {
    for (const name of this.#disk.list(this.#parent)) {
      if (name.startsWith(`${this.#prefix}-`) && !keep.includes(name)) this.giveBack(name);
    }
  }

  #empty(path: string): void {
    for (const file of this.#disk.list(path)) this.#disk.remove(`${path}/${file}`);
  }
}
