import type { Jobs } from "../env/jobs.ts";
import { Memtable } from "../lsm/memtable.ts";

/** A guess at the size of a record, for the first size of a memtable's index: it grows by itself. */
const recordBytesGuess = 256;
const entriesGuessMax = 1 << 16;
/** Memtables whose memory waits to be used again; one more serves nobody, as flushes end one by one. */
const spareMax = 2;

/**
 * The memory of memtables. What a flush has emptied serves again with its index: the first touch of fresh
 * memory costs more than all else that a write does, and an index that has grown to its size stays so.
 */
export class Arenas {
  readonly #jobs: Jobs;
  /** The usual length; others are made for one large batch and not kept. */
  readonly #arenaBytes: number;
  readonly #spares: Memtable[] = [];
  reuseCount = 0;

  constructor(jobs: Jobs, arenaBytes: number) {
    this.#jobs = jobs;
    this.#arenaBytes = arenaBytes;
  }

  /** An empty memtable over an arena of `bytes` at least. What is in the arena is arbitrary. */
  take(bytes: number): Memtable {
    if (bytes > this.#arenaBytes) return this.#make(bytes);
    const spare = this.#spares.pop();
    if (spare === undefined) return this.#make(this.#arenaBytes);
    this.reuseCount++;
    return new Memtable(spare.arena, 0, spare);
  }

  /** Nobody reads `memtable` any more, nor will. */
  give(memtable: Memtable): void {
    if (memtable.arena.length === this.#arenaBytes && this.#spares.length < spareMax) {
      this.#spares.push(memtable);
    }
  }

  #make(bytes: number): Memtable {
    const entries = Math.min(entriesGuessMax, Math.ceil(bytes / recordBytesGuess));
    return new Memtable(this.#jobs.shared(bytes), entries);
  }
}
