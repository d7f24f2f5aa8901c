/**
 * A walk over records in record order (`core/bytes/record.ts`), both ways, synchronous.
 *
 * A cursor starts invalid; a seek makes it valid unless there is nothing to stand on. Stepping off either end
 * makes it invalid, and then only a seek helps. It never shows two records of equal (family, key, version).
 * What it shows was fixed when it was made: later writes do not disturb it.
 *
 * Over tables, every method may throw `NokvError` (`NOKV_CORRUPTION`, `NOKV_IO`); the cursor is then invalid.
 */
export interface RecordCursor {
  readonly valid: boolean;
  /**
   * The buffer that holds the current record image. What it shows stays readable while the cursor stands
   * there, and until the second move after: then its memory may hold something else.
   */
  readonly bytes: Uint8Array;
  /** Over the same memory as `bytes`. */
  readonly view: DataView;
  /** Where in `bytes` the current record image begins. */
  readonly offset: number;
  seekFirst(): void;
  seekLast(): void;
  /** To the first record whose (family, key) is not below the given one: the newest version of that key. */
  seek(family: number, key: Uint8Array): void;
  /** Only while valid. */
  next(): void;
  /** Only while valid. */
  prev(): void;
  /**
   * Only while valid and below the bound `edge`. Forward by one record or by more, never past the first one at
   * or behind `edge`; what is passed has versions below `version`, the current record aside.
   */
  passForward(edge: Uint8Array, version: number): void;
  /**
   * The same backward: never past the last record before `edge`, which the current one is not before. Counts as two
   * moves.
   */
  passBackward(edge: Uint8Array, version: number): void;
  /** Gives back the memory it holds. It is invalid then; a seek makes it valid again. */
  release(): void;
}
