import { viewOf } from "./table-format.ts";

/**
 * Where one record image is read to: after `reserve(length)` there is room for it at `offset` of `bytes`. Valid
 * until the next `reserve`.
 */
export interface ImageBuffer {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly offset: number;
  reserve(length: number): void;
}

/** Room for one image at a time, used again and again. A buffer that one long image left is given back. */
export class ScratchImage implements ImageBuffer {
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = viewOf(this.bytes);
  readonly offset = 0;

  reserve(length: number): void {
    const fits = length <= this.bytes.length;
    if (fits && (this.bytes.length <= keptBytesMax || length > keptBytesMax)) return;
    this.bytes = new Uint8Array(length > keptBytesMax ? length : Math.max(length * 2, keptBytesMin));
    this.view = viewOf(this.bytes);
  }
}

const keptBytesMin = 4096;
const keptBytesMax = 1024 * 1024;
