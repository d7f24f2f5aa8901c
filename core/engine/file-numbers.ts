import { fileNumberMax } from "../wal/file-header.ts";
import { NokvError } from "../errors.ts";

/** The one counter that names all files of a database. Numbers are never given out twice. */
export class FileNumbers {
  #next: number;

  constructor(next: number) {
    this.#next = next;
  }

  /** Above every number given out so far. */
  get next(): number {
    return this.#next;
  }

  /** The first of `count` numbers in a row. */
  allocate(count = 1): number {
    const first = this.#next;
    if (first + count - 1 > fileNumberMax) {
      throw new NokvError("NOKV_NO_SPACE", `no file number is left (${fileNumberMax} is the last)`);
    }
    this.#next = first + count;
    return first;
  }
}
