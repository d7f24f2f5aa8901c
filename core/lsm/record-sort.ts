// HOT: every memtable is sorted once for its flush, and its new records once per scan.
import { readKeyLength, recordHeaderBytes } from "../bytes/record.ts";
import { WideWords } from "../bytes/wide-words.ts";
import { compareRecords } from "./record-order.ts";

/** So few are sorted by insertion. */
const insertionMax = 12;
/** Bytes of key that are looked at in one go. */
const windowBytes = 32;
/** As many bits as a number holds exactly. */
const prefixBitsMax = 53;
/** Where a record has its family. */
const familyAt = 7;
const twoTo32 = 0x1_0000_0000;

/**
 * Sorts offsets of record images into record order, in place. No two may have equal (family, key, version), and
 * those of one key must come in the order of their versions, as they arrive in a memtable.
 *
 * The first bytes of family and key in which records differ are packed into a number, each in as few bits as its range
 * over all records needs, with the index of the record behind it: a 64 bit integer per record, and those are sorted
 * by the machine's own sort, without a comparator and without touching the records. Where the number does not
 * reach to the end of the longest key, records with the same number are sorted again by what follows.
 */
export function sortRecords(bytes: Uint8Array, view: DataView, offsets: Uint32Array): void {
  sortFrom({ bytes, view, from: 0 }, offsets);
}

/** Merges two sorted lists of offsets into a new one; cheap when one of them is short. */
export function mergeSorted(
  bytes: Uint8Array,
  view: DataView,
  a: Uint32Array,
  b: Uint32Array,
): Uint32Array {
  const long = a.length >= b.length ? a : b;
  const short = a.length >= b.length ? b : a;
  const merged = new Uint32Array(long.length + short.length);
  let from = 0;
  for (let i = 0; i < short.length; i++) {
    const offset = short[i] as number;
    const to = lowerBound(bytes, view, long, from, offset);
    merged.set(long.subarray(from, to), from + i);
    merged[to + i] = offset;
    from = to;
  }
  merged.set(long.subarray(from), from + short.length);
  return merged;
}

/** First index at or after `from` whose record is not below the record at `offset`. */
// oxlint-disable-next-line max-params
function lowerBound(
  bytes: Uint8Array,
  view: DataView,
  sorted: Uint32Array,
  from: number,
  offset: number,
): number {
  let low = from;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const order = compareRecords(bytes, view, sorted[middle] as number, bytes, view, offset);
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

interface Records {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Before this position all keys are alike. Position 0 is the family, the key follows. */
  readonly from: number;
}

/** How the bytes of a stretch of positions are packed: those in which no two records differ take no room. */
interface Packing {
  readonly positions: readonly number[];
  /** The least byte at the position. */
  readonly lows: readonly number[];
  /** How many different codes there are. */
  readonly radices: readonly number[];
  /** From here on some keys are over already, which comes before every byte. */
  readonly shortest: number;
  /** No key reaches beyond what is packed. */
  readonly complete: boolean;
  /** The position behind it. */
  readonly next: number;
}

function sortFrom(records: Records, offsets: Uint32Array): void {
  const count = offsets.length;
  if (count <= insertionMax) return insertionSort(records, offsets);
  const indexBits = 32 - Math.clz32(count - 1);
  const packing = packingOf(records, offsets, 2 ** Math.min(prefixBitsMax, 64 - indexBits));
  const wide = new WideWords(count);
  packInto(wide, records, offsets, packing);
  wide.sort();
  const { words, lowAt } = wide;
  const arrived = offsets.slice();
  const mask = 2 ** indexBits - 1;
  for (let i = 0; i < count; i++) {
    const index = (words[2 * i + lowAt] as number) & mask;
    offsets[i] = arrived[count - 1 - index] as number;
  }
  if (!packing.complete) sortTies({ ...records, from: packing.next }, offsets, wide, indexBits);
}

/** Of records with one number the one that arrived last comes first: where the key is complete, it is the newest. */
// oxlint-disable-next-line max-params
function sortTies(records: Records, offsets: Uint32Array, wide: WideWords, indexBits: number): void {
  const { words, lowAt, highAt } = wide;
  let start = 0;
  for (let i = 1; i <= offsets.length; i++) {
    const same =
      i < offsets.length &&
      words[2 * i + highAt] === words[2 * start + highAt] &&
      (words[2 * i + lowAt] as number) >>> indexBits === (words[2 * start + lowAt] as number) >>> indexBits;
    if (same) continue;
    if (i - start > 1) sortFrom(records, offsets.subarray(start, i).reverse());
    start = i;
  }
}

/** As many positions from `from` on as `limit` different numbers allow, one in which records differ at least. */
function packingOf(records: Records, offsets: Uint32Array, limit: number): Packing {
  const lows = new Uint8Array(windowBytes);
  const highs = new Uint8Array(windowBytes);
  for (let from = records.from; ; from += windowBytes) {
    const { shortest, longest } = rangesFrom(records, offsets, from, { lows, highs });
    const packing = packed(from, shortest, longest, { lows, highs, limit });
    if (packing.positions.length > 0 || packing.complete) return packing;
  }
}

interface Ranges {
  readonly lows: Uint8Array;
  readonly highs: Uint8Array;
}

/** The least and the greatest byte at each position of the window, and how far keys reach. */
// oxlint-disable-next-line max-params
function rangesFrom(
  { bytes, view }: Records,
  offsets: Uint32Array,
  from: number,
  { lows, highs }: Ranges,
): { shortest: number; longest: number } {
  lows.fill(255);
  highs.fill(0);
  let shortest = Number.MAX_SAFE_INTEGER;
  let longest = 0;
  for (let i = 0; i < offsets.length; i++) {
    const offset = offsets[i] as number;
    const length = 1 + readKeyLength(view, offset);
    if (length < shortest) shortest = length;
    if (length > longest) longest = length;
    const end = Math.min(length - from, windowBytes);
    const start = offset + recordHeaderBytes - 1 + from;
    for (let at = 0; at < end; at++) {
      const byte = from + at === 0 ? (bytes[offset + familyAt] as number) : (bytes[start + at] as number);
      if (byte < (lows[at] as number)) lows[at] = byte;
      if (byte > (highs[at] as number)) highs[at] = byte;
    }
  }
  return { shortest, longest };
}

// oxlint-disable-next-line max-params
function packed(
  from: number,
  shortest: number,
  longest: number,
  { lows, highs, limit }: Ranges & { readonly limit: number },
): Packing {
  const packing = { positions: [] as number[], lows: [] as number[], radices: [] as number[], shortest };
  let product = 1;
  let next = from;
  for (; next < longest && next < from + windowBytes; next++) {
    const low = lows[next - from] as number;
    const radix = (highs[next - from] as number) - low + (next < shortest ? 1 : 2);
    if (product * radix > limit) break;
    product *= radix;
    if (radix === 1) continue;
    packing.positions.push(next);
    packing.lows.push(low);
    packing.radices.push(radix);
  }
  return { ...packing, complete: next >= longest, next };
}

/** Per record the packed number, and behind it how many arrived later. */
// oxlint-disable-next-line max-params
function packInto(wide: WideWords, { bytes, view }: Records, offsets: Uint32Array, packing: Packing): void {
  const { words, lowAt, highAt } = wide;
  const { positions, lows, radices, shortest } = packing;
  const count = offsets.length;
  const indexBits = 32 - Math.clz32(count - 1);
  const lowRange = twoTo32 / 2 ** indexBits;
  for (let i = 0; i < count; i++) {
    const offset = offsets[i] as number;
    const length = 1 + readKeyLength(view, offset);
    let number = 0;
    for (let p = 0; p < positions.length; p++) {
      const position = positions[p] as number;
      let code = 0;
      if (position < length) {
        const at = position === 0 ? offset + familyAt : offset + recordHeaderBytes - 1 + position;
        code = (bytes[at] as number) - (lows[p] as number) + (position < shortest ? 0 : 1);
      }
      number = number * (radices[p] as number) + code;
    }
    const high = Math.floor(number / lowRange);
    words[2 * i + highAt] = high;
    words[2 * i + lowAt] = ((number - high * lowRange) << indexBits) | (count - 1 - i);
  }
}

function insertionSort({ bytes, view }: Records, offsets: Uint32Array): void {
  for (let i = 1; i < offsets.length; i++) {
    const moving = offsets[i] as number;
    let at = i;
    while (at > 0 && compareRecords(bytes, view, offsets[at - 1] as number, bytes, view, moving) > 0) {
      offsets[at] = offsets[at - 1] as number;
      at--;
    }
    offsets[at] = moving;
  }
}
