/**
 * One write or truncation that no completed sync covers yet. `[from, to)` are the bytes it gave a new
 * content, `sizeAfter` the size of the file once it had happened.
 */
export class Change {
  /** Rising within a file: what a sync covers is everything up to a sequence. */
  readonly sequence: number;
  readonly from: number;
  readonly to: number;
  /** A truncation: `[from, to)` became zeros. */
  readonly zeros: boolean;
  readonly sizeAfter: number;
  /** What was written, or null while the cache still holds just that. */
  bytes: Uint8Array | null = null;

  constructor(sequence: number, range: { from: number; to: number }, zeros: boolean, sizeAfter: number) {
    this.sequence = sequence;
    this.from = range.from;
    this.to = range.to;
    this.zeros = zeros;
    this.sizeAfter = sizeAfter;
  }
}
