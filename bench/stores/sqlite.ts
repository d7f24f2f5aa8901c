import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { BenchEngine, BenchStore, StoreOptions } from "../store.ts";
import { loadPeer, peerVersion } from "./peer-module.ts";

/** What better-sqlite3 and `node:sqlite` have in common. */
interface Database {
  exec(sql: string): unknown;
  prepare(sql: string): Statement;
  close(): unknown;
}

interface Row {
  readonly k: Uint8Array;
  readonly v: Uint8Array;
}

interface Statement {
  get(...parameters: readonly unknown[]): unknown;
  all(...parameters: readonly unknown[]): unknown[];
  run(...parameters: readonly unknown[]): unknown;
  iterate(...parameters: readonly unknown[]): Iterable<unknown>;
}

const table = "CREATE TABLE IF NOT EXISTS kv (k BLOB PRIMARY KEY, v BLOB NOT NULL)";

class SqliteStore implements BenchStore {
  readonly #database: Database;
  readonly #get: Statement;
  readonly #set: Statement;
  readonly #scan: Statement;

  constructor(database: Database, options: StoreOptions) {
    this.#database = database;
    database.exec("PRAGMA journal_mode = WAL");
    database.exec(`PRAGMA synchronous = ${options.durable ? "FULL" : "OFF"}`);
    database.exec(`PRAGMA cache_size = -${Math.floor(options.cacheBytes / 1024)}`);
    database.exec(`PRAGMA mmap_size = ${4 * 2 ** 30}`);
    // A table with a row id: WITHOUT ROWID keeps values in the inner pages, several times larger and slower.
    database.exec(table);
    this.#get = database.prepare("SELECT v FROM kv WHERE k = ?");
    this.#set = database.prepare("INSERT INTO kv (k, v) VALUES (?, ?) ON CONFLICT (k) DO UPDATE SET v = excluded.v");
    this.#scan = database.prepare("SELECT k, v FROM kv WHERE k >= ? ORDER BY k LIMIT ?");
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return (this.#get.get(key) as Row | undefined)?.v;
  }

  set(key: Uint8Array, value: Uint8Array): undefined {
    this.#set.run(key, value);
  }

  setMany(keys: readonly Uint8Array[], values: readonly Uint8Array[]): undefined {
    this.#database.exec("BEGIN");
    for (const [index, key] of keys.entries()) this.#set.run(key, values[index]);
    this.#database.exec("COMMIT");
  }

  scan(start: Uint8Array, limit: number): number {
    return visit(this.#scan.all(start, limit));
  }

  scanAll(reverse: boolean): number {
    return visit(this.#database.prepare(`SELECT k, v FROM kv ORDER BY k ${reverse ? "DESC" : "ASC"}`).iterate());
  }

  close(): Promise<void> {
    this.#database.close();
    return Promise.resolve();
  }

  counts(): Readonly<Record<string, number>> {
    return {};
  }
}

function visit(rows: Iterable<unknown>): number {
  let touched = 0;
  let count = 0;
  for (const row of rows) {
    const { k, v } = row as Row;
    touched += k.length + v.length;
    count++;
  }
  if (touched < 0) throw new RangeError("lengths are not negative");
  return count;
}

function pathIn(options: StoreOptions): string {
  mkdirSync(options.directory, { recursive: true });
  return join(options.directory, "kv.sqlite");
}

export function betterSqliteEngine(): BenchEngine {
  return {
    name: "better-sqlite3",
    label: `better-sqlite3 ${peerVersion("better-sqlite3")}, WAL`,
    immutableFile: null,
    open: async (options) => {
      const Constructor = loadPeer("better-sqlite3") as new (path: string) => Database;
      return new SqliteStore(new Constructor(pathIn(options)), options);
    },
  };
}

/** Stands in where better-sqlite3 has no binary for this Node.js. */
export const nodeSqliteEngine: BenchEngine = {
  name: "node:sqlite",
  label: `node:sqlite of ${process.version}, WAL`,
  immutableFile: null,
  open: async (options) => {
    const { DatabaseSync } = await import("node:sqlite");
    return new SqliteStore(new DatabaseSync(pathIn(options)) as unknown as Database, options);
  },
};
