import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Db } from "../core/engine/db.ts";
import type { Durability } from "../core/engine/options.ts";
import { open } from "../host/open.ts";
import type { BenchStore } from "./ycsb.ts";

/** This engine behind the benchmark's interface, in a fresh directory under `parent` that `close` removes. */
export class NokvStore implements BenchStore {
  readonly #db: Db;
  readonly #directory: string;

  private constructor(db: Db, directory: string) {
    this.#db = db;
    this.#directory = directory;
  }

  static async open(parent: string, durability: Durability): Promise<NokvStore> {
    const directory = mkdtempSync(join(parent, "nokv-bench-"));
    const db = await open(join(directory, "db"), { durability });
    return new NokvStore(db, directory);
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#db.get(key);
  }

  set(key: Uint8Array, value: Uint8Array): Promise<void> {
    return this.#db.set(key, value);
  }

  scan(start: Uint8Array, limit: number): number {
    const iterator = this.#db.iterator({ gte: start, limit });
    let touched = 0;
    let count = 0;
    while (iterator.next()) {
      touched += iterator.value.length;
      count++;
    }
    iterator.close();
    if (touched < 0) throw new RangeError("lengths are not negative");
    return count;
  }

  async close(): Promise<void> {
    await this.#db.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  counts(): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const [name, value] of Object.entries(this.#db.stats())) {
      if (typeof value === "number") counts[name] = value;
    }
    return counts;
  }
}
