import * as zlib from "node:zlib";

/** How the blocks of a table are compressed. */
export type Compression = "none" | "deflate" | "zstd";

/** As files name it. 0 never changes: it is what a block that is stored as it is needs. */
export const codecId: Readonly<Record<Compression, number>> = { none: 0, deflate: 1, zstd: 2 };

/** A pure pair of functions over whole images. */
export interface Codec {
  readonly name: Compression;
  readonly compress: (image: Uint8Array) => Uint8Array;
  /**
   * The `rawBytes` bytes whose `compress` gave `packed`, or null: it is not that. Never takes memory for more than
   * `rawBytes` of output, whatever `packed` says, and `packed` may be anything.
   */
  readonly decompress: (packed: Uint8Array, rawBytes: number) => Uint8Array | null;
}

/** Chosen by measurement on JSON-like values in blocks of 4 to 16 KiB: beyond them time doubles for a few percent. */
const deflateLevel = 3;
const zstdLevel = 3;
const chunkBytesMin = 64;
const windowLogMin = 10;

const deflateCodec: Codec = {
  name: "deflate",
  compress: (image) => zlib.deflateRawSync(image, { level: deflateLevel, chunkSize: chunkFor(image.length) }),
  decompress: (packed, rawBytes) =>
    exactly(rawBytes, () =>
      zlib.inflateRawSync(packed, { chunkSize: chunkFor(rawBytes), maxOutputLength: rawBytes }),
    ),
};

const zstdCodec: Codec = {
  name: "zstd",
  compress: (image) =>
    zlib.zstdCompressSync(image, {
      chunkSize: chunkFor(image.length),
      // Known in advance, the window is no larger than the image.
      pledgedSrcSize: image.length,
      params: { [zlib.constants.ZSTD_c_compressionLevel]: zstdLevel },
    }),
  decompress: (packed, rawBytes) =>
    exactly(rawBytes, () =>
      zlib.zstdDecompressSync(packed, {
        chunkSize: chunkFor(rawBytes),
        maxOutputLength: rawBytes,
        // A frame may ask for a window of gigabytes.
        params: { [zlib.constants.ZSTD_d_windowLogMax]: Math.max(windowLogMin, 32 - Math.clz32(rawBytes)) },
      }),
    ),
};

/** Every codec by its number; `none` needs no functions. */
const codecs: readonly (Codec | null)[] = [null, deflateCodec, zstdCodec];

/** Node.js has zstd since 22.15 and 23.8. */
export function isAvailable(compression: Compression): boolean {
  return compression !== "zstd" || typeof (zlib as Partial<typeof zlib>).zstdCompressSync === "function";
}

/** Null for `none`. The codec must be known and available. */
export function codecOf(id: number): Codec | null {
  return codecs[id] ?? null;
}

/** What a table of codec `id` needs that this program does not have; null: nothing. */
export function missingCodec(id: number): string | null {
  if (!Number.isSafeInteger(id) || id < 0 || id >= codecs.length) return `the codec number ${id} is unknown here`;
  if (isAvailable(codecs[id]?.name ?? "none")) return null;
  return "zstd needs Node.js 22.15 or later";
}

export function codecName(id: number): string {
  return id === codecId.none ? "none" : (codecs[id]?.name ?? `unknown (${id})`);
}

function exactly(rawBytes: number, decompress: () => Uint8Array): Uint8Array | null {
  let image: Uint8Array;
  try {
    image = decompress();
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return null;
  }
  if (image.length !== rawBytes) return null;
  // What zlib returns may be a corner of a larger buffer, which it would keep alive.
  return Uint8Array.from(image);
}

/** What zlib throws for an image that is no product of its codec, or of a larger one than was asked for. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code: unknown = "code" in error ? error.code : null;
  return typeof code === "string" && /^(?:Z_|ZSTD_|ERR_BUFFER_TOO_LARGE$)/.test(code);
}

function chunkFor(bytes: number): number {
  return Math.max(chunkBytesMin, bytes);
}
