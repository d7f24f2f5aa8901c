import type { Driver, StorageMeta, TransactionOptions } from "unstorage";
import type { Db } from "../core/engine/db.ts";
import { NokvError } from "../core/errors.ts";
import type { OpenOptions } from "../host/open.ts";
import { DbSource, type Source } from "./db-source.ts";

export interface NokvDriverOptions extends OpenOptions {
  /** An open database, or the directory of one. */
  readonly source: Source;
  /** Begins every key of this driver, so that it can share a database with others. */
  readonly base?: string | undefined;
  /** Lifetime of what is written without one of its own, in seconds. */
  readonly ttl?: number | undefined;
}

const decoder = new TextDecoder();

/**
 * A `nokv` database as a driver of unstorage: `createStorage({ driver: nokvDriver({ source: "./data" }) })`.
 * `setItem` and `setItemRaw` take `ttl` in seconds.
 */
export function nokvDriver(options: NokvDriverOptions): Driver<NokvDriverOptions, Promise<Db>> {
  const { source: from, base = "", ttl, ...openOptions } = options;
  const source = new DbSource(from, openOptions);
  const prefix = base === "" || base.endsWith(":") ? base : `${base}:`;
  const items = new Items(source, prefix, ttl);
  return {
    name: "nokv",
    options,
    getInstance: () => source.db(),
    hasItem: (key) => items.has(key),
    getItem: (key) => items.text(key),
    getItems: (wanted) => items.texts(wanted.map(({ key }) => key)),
    getItemRaw: (key) => items.bytes(key),
    setItem: (key, value, transaction) => items.set([{ key, value, options: transaction }]),
    setItems: (entries, common) => items.set(entries.map((entry) => ({ ...entry, options: entry.options ?? common }))),
    setItemRaw: (key, value: unknown, transaction) => items.set([{ key, value, options: transaction }]),
    removeItem: (key) => items.remove(key),
    getMeta: (key) => items.meta(key),
    // The whole storage comes as undefined, whatever the types say.
    getKeys: (under: string | undefined) => items.keys(under ?? ""),
    clear: (under: string | undefined) => items.clear(under ?? ""),
    dispose: () => source.close(),
  };
}

interface Item {
  readonly key: string;
  readonly value: unknown;
  readonly options?: TransactionOptions | undefined;
}

class Items {
  readonly #source: DbSource;
  readonly #prefix: string;
  readonly #ttl: number | undefined;

  constructor(source: DbSource, prefix: string, ttl: number | undefined) {
    this.#source = source;
    this.#prefix = prefix;
    this.#ttl = ttl;
  }

  async has(key: string): Promise<boolean> {
    return (await this.#source.db()).has(this.#prefix + key);
  }

  async bytes(key: string): Promise<Uint8Array | null> {
    return (await this.#source.db()).get(this.#prefix + key) ?? null;
  }

  async text(key: string): Promise<string | null> {
    return textOf(await this.bytes(key));
  }

  async texts(keys: readonly string[]): Promise<{ key: string; value: string | null }[]> {
    const values = (await this.#source.db()).getMany(keys.map((key) => this.#prefix + key));
    return keys.map((key, i) => ({ key, value: textOf(values[i] ?? null) }));
  }

  /** All of them or none. */
  async set(items: readonly Item[]): Promise<void> {
    const batch = (await this.#source.db()).batch();
    for (const { key, value, options } of items) {
      const seconds: unknown = options?.["ttl"] ?? this.#ttl;
      batch.set(this.#prefix + key, toData(value), seconds === undefined ? {} : { ttlMs: toMs(seconds) });
    }
    await batch.commit();
  }

  async remove(key: string): Promise<void> {
    await (await this.#source.db()).delete(this.#prefix + key);
  }

  /** How long it has to live, in seconds, and how many bytes it takes. */
  async meta(key: string): Promise<StorageMeta | null> {
    const db = await this.#source.db();
    using iterator = db.iterator({ gte: this.#prefix + key, lte: this.#prefix + key });
    if (!iterator.next()) return null;
    const { value, expiresAtMs } = iterator;
    if (expiresAtMs === 0) return { size: value.length };
    return { size: value.length, ttl: Math.max(0, Math.ceil((expiresAtMs - Date.now()) / 1_000)) };
  }

  async keys(under: string): Promise<string[]> {
    const db = await this.#source.db();
    const keys: string[] = [];
    for await (const key of db.keys({ prefix: this.#prefix + under })) {
      keys.push(decoder.decode(key).slice(this.#prefix.length));
    }
    return keys;
  }

  async clear(under: string): Promise<void> {
    await (await this.#source.db()).deleteRange({ prefix: this.#prefix + under });
  }
}

function textOf(value: Uint8Array | null): string | null {
  return value === null ? null : decoder.decode(value);
}

function toData(value: unknown): Uint8Array | string {
  if (typeof value === "string" || value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  const message = `a raw item is text, a Uint8Array or an ArrayBuffer, not a ${typeof value}; setItem takes the rest`;
  throw new NokvError("NOKV_INVALID_ARGUMENT", message);
}

function toMs(seconds: unknown): number {
  if (typeof seconds === "number" && seconds > 0 && Number.isFinite(seconds)) return Math.ceil(seconds * 1_000);
  throw new NokvError("NOKV_INVALID_ARGUMENT", `ttl is ${String(seconds)}; it must be a number of seconds above 0`);
}
