import type { DiskFile } from "../env/disk.ts";
import { readFully } from "../env/whole-io.ts";
import { corruption } from "../errors.ts";
import { checksumBytes, isPartSealed, viewOf } from "./table-format.ts";
import type { TableParts } from "./table-parts.ts";

/** Damage on the way from the disk heals when it is read again, damage at rest stays. */
const attemptsMax = 3;

/** Judges parts of a table by the checksum that each ends with. Throws `NOKV_CORRUPTION` and `DiskError`. */
export class PartWalk {
  readonly #file: DiskFile;
  readonly #number: number;
  readonly #parts: TableParts;
  #ends: Float64Array | null = null;
  #at = 0;
  #window = new Uint8Array(0);
  /** Everything below was sound. */
  position: number;

  // oxlint-disable-next-line max-params
  constructor(file: DiskFile, number: number, parts: TableParts, from: number) {
    this.#file = file;
    this.#number = number;
    this.#parts = parts;
    this.position = from;
  }

  /** Works through about `budgetBytes`, one part at least; false when all is done. */
  step(budgetBytes: number): boolean {
    const ends = this.#ends ?? this.#readEnds();
    this.#ends = ends;
    const first = ends[this.#at];
    if (first === undefined) return false;
    let last = this.#at;
    while (last + 1 < ends.length && (ends[last + 1] as number) - this.position <= budgetBytes) last++;
    this.#check(ends, last);
    return this.#at < ends.length;
  }

  /** Parts up to `last`, by one read. */
  #check(ends: Float64Array, last: number): void {
    const start = this.position;
    const length = (ends[last] as number) - start;
    if (this.#window.length < length) this.#window = new Uint8Array(length);
    const filled = readFully(this.#file, start, this.#window, 0, length);
    for (; this.#at <= last; this.#at++) {
      const end = ends[this.#at] as number;
      const isWhole = end - start <= filled;
      const at = this.position - start;
      if (!isWhole || !isPartSealed(this.#window, at, end - this.position, this.#number, this.position)) {
        this.#readAgain(end - this.position);
      }
      this.position = end;
    }
  }

  /** The part at the position, alone, which one read found damaged. Its bytes. */
  #readAgain(length: number, attempts = attemptsMax - 1): Uint8Array {
    const { path } = this.#file;
    const bytes = new Uint8Array(length);
    let filled = length;
    for (let attempt = 0; attempt < attempts; attempt++) {
      filled = readFully(this.#file, this.position, bytes, 0, length);
      if (filled === length && isPartSealed(bytes, 0, length, this.#number, this.position)) return bytes;
    }
    const what = filled < length ? "the table is cut short" : "bad checksum of a part of the table";
    throw corruption(path, this.position, what);
  }

  #readEnds(): Float64Array {
    const { ends, points } = this.#parts;
    if (points === null) return ends;
    const { start, end, pages } = points;
    const { path } = this.#file;
    const directoryBytes = 4 * pages + checksumBytes;
    const from = this.position;
    this.position = start;
    const directory = viewOf(this.#readAgain(directoryBytes, attemptsMax));
    this.position = from;
    const all = [start + directoryBytes];
    for (let i = 0; i < pages; i++) {
      const pageEnd = start + directory.getUint32(4 * i, true);
      if (pageEnd <= (all[i] as number)) throw corruption(path, start, "pages of the point index out of order");
      all.push(pageEnd);
    }
    if (all.at(-1) !== end) throw corruption(path, start, "the point index ends elsewhere");
    return Float64Array.from(all.filter((partEnd) => partEnd > from));
  }
}
