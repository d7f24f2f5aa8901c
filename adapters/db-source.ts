import { Db } from "../core/engine/db.ts";
import { NokvError } from "../core/errors.ts";
import { open, type OpenOptions } from "../host/open.ts";

/** An open database of the caller's, or a directory to be opened when it is first needed. */
export type Source = Db | string | URL;

/** The database behind an adapter. Closes what it opened, and leaves alone what it was given. */
export class DbSource {
  readonly #source: Source;
  readonly #options: OpenOptions;
  #opening: Promise<Db> | null = null;

  constructor(source: Source, options: OpenOptions = {}) {
    if (!(source instanceof Db) && typeof source !== "string" && !(source instanceof URL)) {
      const message = "give an open database, a directory or a file: URL";
      throw new NokvError("NOKV_INVALID_ARGUMENT", message);
    }
    this.#source = source;
    this.#options = options;
  }

  db(): Promise<Db> {
    if (this.#opening !== null) return this.#opening;
    const opening = this.#source instanceof Db ? Promise.resolve(this.#source) : this.#open(this.#source);
    this.#opening = opening;
    return opening;
  }

  /** May be used again afterwards: it is opened again. */
  async close(): Promise<void> {
    const opening = this.#opening;
    this.#opening = null;
    if (opening === null || this.#source instanceof Db) return;
    await (await opening).close();
  }

  /** An opening that failed is tried again by the next call. */
  async #open(directory: string | URL): Promise<Db> {
    try {
      return await open(directory, this.#options);
    } catch (error) {
      this.#opening = null;
      throw error;
    }
  }
}
