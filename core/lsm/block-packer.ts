// HOT: every block that is flushed or merged into a compressed table passes here.
import { assert } from "../assert.ts";
import type { Codec } from "../bytes/codec.ts";
import { crc32, salt } from "../bytes/crc32.ts";
import { blockTrailerBytes, checksumBytes, viewOf } from "./table-format.ts";

/** A block that does not shrink by one part in `2 ** savedShift` is stored as it is: reading it is then cheaper. */
const savedShift = 3;

/**
 * Compresses finished blocks into a buffer that it keeps. A packed block is the packed image, zeros up to a multiple
 * of 4, the length of the packed image, and a checksum of its own: damage is found before anything is unpacked.
 */
export class BlockPacker {
  readonly #codec: Codec;
  #bytes: Uint8Array = new Uint8Array(0);

  constructor(codec: Codec) {
    this.#codec = codec;
  }

  /** After `pack`: the packed block, from its first byte. Valid until the next call. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /**
   * Packs the finished block `image[0, rawBytes)` that will stand at `offset` of file `number`. Returns its length,
   * always below `rawBytes`; 0: it is not worth it.
   */
  pack(image: Uint8Array, rawBytes: number, number: number, offset: number): number {
    const packed = this.#codec.compress(image.subarray(0, rawBytes));
    const packedEnd = (packed.length + 3) & ~3;
    const length = packedEnd + blockTrailerBytes;
    if (length > rawBytes - (rawBytes >>> savedShift)) return 0;
    if (this.#bytes.length < length) this.#bytes = new Uint8Array(2 * length);
    const bytes = this.#bytes;
    const view = viewOf(bytes);
    bytes.set(packed);
    bytes.fill(0, packed.length, packedEnd);
    view.setUint32(packedEnd, packed.length, true);
    const crcAt = length - checksumBytes;
    view.setUint32(crcAt, crc32(bytes, 0, crcAt, salt(number, offset)), true);
    return length;
  }
}

/** The image of `rawBytes` bytes that `stored`, whose checksum holds, was packed from; null: it is no such block. */
export function unpackBlock(codec: Codec, stored: Uint8Array, rawBytes: number): Uint8Array | null {
  assert(stored.length < rawBytes, "a packed block is smaller than its image");
  const packedEnd = stored.length - blockTrailerBytes;
  if (packedEnd < 0) return null;
  const packedBytes = viewOf(stored).getUint32(packedEnd, true);
  if (packedBytes > packedEnd || packedEnd - packedBytes > 3) return null;
  return codec.decompress(stored.subarray(0, packedBytes), rawBytes);
}
