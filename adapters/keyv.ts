import { EventEmitter } from "node:events";
import {
  keyvStorageCapability,
  type KeyvStorageAdapter,
  type KeyvStorageCapability,
  type KeyvStorageEntry,
  type KeyvStorageGetResult,
} from "keyv";
import { NokvError } from "../core/errors.ts";
import type { OpenOptions } from "../host/open.ts";
import { DbSource, type Source } from "./db-source.ts";

export interface KeyvNokvOptions extends OpenOptions {
  /** Begins every key of this store, so that it can share a database with others. */
  readonly prefix?: string | undefined;
  readonly namespace?: string | undefined;
}

/** Node's emitter is what Keyv listens to, in all but the types of its listeners. */
const Emitter = EventEmitter as unknown as new () => Pick<
  KeyvStorageAdapter,
  Extract<keyof KeyvStorageAdapter, keyof EventEmitter>
>;

const decoder = new TextDecoder();

/**
 * A `nokv` database as a store of Keyv 6: `new Keyv({ store: new KeyvNokv("./cache") })`. Lifetimes are the
 * database's own: what has expired is not returned, and its space comes back. A value is what Keyv's serializer
 * made of it, so leave that on.
 *
 * Keys are laid out as prefix, namespace, a zero byte, key. `clear` without a namespace removes everything that
 * begins with the prefix.
 */
export class KeyvNokv extends Emitter implements KeyvStorageAdapter {
  readonly #source: DbSource;
  readonly #prefix: string;
  #namespace: string | undefined;

  constructor(source: Source, options: KeyvNokvOptions = {}) {
    super();
    const { prefix = "", namespace, ...openOptions } = options;
    this.#source = new DbSource(source, openOptions);
    this.#prefix = prefix;
    this.namespace = namespace;
  }

  get namespace(): string | undefined {
    return this.#namespace;
  }

  set namespace(namespace: string | undefined) {
    if (namespace?.includes("\0") === true) {
      throw new NokvError("NOKV_INVALID_ARGUMENT", "a namespace holds no zero byte: it ends with one");
    }
    this.#namespace = namespace;
  }

  get capabilities(): KeyvStorageCapability {
    return keyvStorageCapability(this);
  }

  async get<Value>(key: string): Promise<KeyvStorageGetResult<Value>> {
    const db = await this.#source.db();
    return textOf(db.get(this.#key(key)));
  }

  async getMany<Value>(keys: string[]): Promise<KeyvStorageGetResult<Value | undefined>[]> {
    const db = await this.#source.db();
    return db.getMany(keys.map((key) => this.#key(key))).map(textOf);
  }

  async has(key: string): Promise<boolean> {
    const db = await this.#source.db();
    return db.has(this.#key(key));
  }

  async hasMany(keys: string[]): Promise<boolean[]> {
    const db = await this.#source.db();
    return keys.map((key) => db.has(this.#key(key)));
  }

  async set(key: string, value: unknown, expires?: number): Promise<boolean> {
    await this.setMany([{ key, value, ...(expires !== undefined && { expires }) }]);
    return true;
  }

  /** All of them or none. */
  async setMany<Value>(entries: KeyvStorageEntry<Value>[]): Promise<boolean[]> {
    const db = await this.#source.db();
    const batch = db.batch();
    for (const { key, value, expires } of entries) {
      if (typeof value !== "string") {
        throw new NokvError("NOKV_INVALID_ARGUMENT", "this store holds text: leave Keyv's serialization on");
      }
      // What has expired already hides an older value like any other.
      batch.set(this.#key(key), value, { expiresAtMs: expires === undefined ? 0 : Math.max(1, Math.floor(expires)) });
    }
    await batch.commit();
    return entries.map(() => true);
  }

  async delete(key: string): Promise<boolean> {
    const [deleted = false] = await this.deleteMany([key]);
    return deleted;
  }

  /** All of them or none. True for those that were there. */
  async deleteMany(keys: string[]): Promise<boolean[]> {
    const db = await this.#source.db();
    const batch = db.batch();
    const there = keys.map((key) => db.has(this.#key(key)));
    for (const key of keys) batch.delete(this.#key(key));
    await batch.commit();
    return there;
  }

  async clear(): Promise<void> {
    const db = await this.#source.db();
    await db.deleteRange({ prefix: this.#namespace === undefined ? this.#prefix : this.#key("") });
  }

  /** The entries of the namespace as of now, in the order of their keys. */
  async *iterator<Value>(): AsyncGenerator<(string | Awaited<Value> | undefined)[], void> {
    const db = await this.#source.db();
    const prefix = this.#key("");
    for await (const [key, value] of db.entries({ prefix })) {
      yield [decoder.decode(key).slice(prefix.length), decoder.decode(value)];
    }
  }

  /** Closes the database if this store opened it. */
  async disconnect(): Promise<void> {
    await this.#source.close();
  }

  #key(key: string): string {
    return `${this.#prefix}${this.#namespace ?? ""}\0${key}`;
  }
}

function textOf(value: Uint8Array | undefined): string | undefined {
  return value === undefined ? undefined : decoder.decode(value);
}
