// HOT: asked for every record that a read finds or shows, once range tombstones exist.
import { assert } from "../assert.ts";
import {
  compareKeys, compareRanges, readFamily, readKeyLength, readValueLength, readVersion, recordHeaderBytes,
} from "../bytes/record.ts";
import { bound, compareBound, endsBefore } from "./table-meta.ts";
import type { KeySpan } from "./table-meta.ts";

/**
 * Hides every record in [start, end) with a lower version from everybody who reads at its version or later.
 * The ends are bounds (`bound`): a family byte, then a key. The end of family f is the bound of f + 1 alone.
 */
export interface RangeTombstone {
  readonly start: Uint8Array;
  readonly end: Uint8Array;
  readonly version: number;
}

/** A piece of the key space and the range tombstones over all of it. What tables store. */
export interface RangeFragment {
  readonly start: Uint8Array;
  readonly end: Uint8Array;
  /** Descending, at least one. */
  readonly versions: readonly number[];
}

/** The range tombstone whose record image is at `offset`: key and value are its ends, an empty end is open. */
export function rangeTombstoneAt(bytes: Uint8Array, view: DataView, offset: number): RangeTombstone {
  const family = readFamily(view, offset);
  const keyStart = offset + recordHeaderBytes;
  const keyEnd = keyStart + readKeyLength(view, offset);
  const end = bytes.subarray(keyEnd, keyEnd + readValueLength(view, offset));
  return {
    start: bound(family, bytes.subarray(keyStart, keyEnd)),
    end: end.length === 0 ? familyEnd(family) : bound(family, end),
    version: readVersion(view, offset),
  };
}

/** The least bound above all keys of `family`. */
export function familyEnd(family: number): Uint8Array {
  assert(family < 0xff, "the end of a family is the beginning of the next");
  return Uint8Array.of(family + 1);
}

/** Order of the (family, key) of the record image at `offset` against a bound. */
// oxlint-disable-next-line max-params
export function compareRecordToBound(
  bytes: Uint8Array,
  view: DataView,
  offset: number,
  encoded: Uint8Array,
): number {
  const byFamily = (bytes[offset + 7] as number) - (encoded[0] as number);
  if (byFamily !== 0) return byFamily;
  const keyLength = view.getUint16(offset + 4, true);
  return compareRanges(bytes, offset + recordHeaderBytes, keyLength, encoded, 1, encoded.length - 1);
}

/**
 * Range tombstones as a set. Immutable. Their ends cut the key space into intervals; a segment tree over
 * the intervals holds every tombstone in at most 2 log n nodes, each with its versions ascending. So n nested
 * ranges, which is what the removal of a queue's head leaves, take n log n entries and not n squared.
 */
export class RangeTombstones {
  /** By version, ascending. */
  readonly tombstones: readonly RangeTombstone[];
  readonly maxVersion: number;
  /** Ascending, distinct. Interval i is [edges[i], edges[i + 1]). */
  readonly edges: readonly Uint8Array[];
  readonly #intervals: number;
  /** Versions of tree node n: `#versions[#begins[n]]` up to `#begins[n + 1]`. */
  readonly #begins: Uint32Array;
  readonly #versions: Float64Array;

  private constructor(tombstones: readonly RangeTombstone[]) {
    this.tombstones = tombstones;
    this.maxVersion = tombstones[tombstones.length - 1]?.version ?? 0;
    this.edges = distinctEdges(tombstones);
    this.#intervals = Math.max(0, this.edges.length - 1);
    this.#begins = new Uint32Array(2 * this.#intervals + 2);
    let total = 0;
    for (const tombstone of tombstones) {
      total += this.#visitNodes(tombstone, (node) => {
        this.#begins[node + 1] = (this.#begins[node + 1] as number) + 1;
      });
    }
    for (let node = 1; node < this.#begins.length; node++) {
      this.#begins[node] = (this.#begins[node] as number) + (this.#begins[node - 1] as number);
    }
    this.#versions = new Float64Array(total);
    const ends = this.#begins.slice();
    for (const tombstone of tombstones) {
      this.#visitNodes(tombstone, (node) => {
        this.#versions[ends[node] as number] = tombstone.version;
        ends[node] = (ends[node] as number) + 1;
      });
    }
  }

  static of(tombstones: readonly RangeTombstone[]): RangeTombstones {
    return new RangeTombstones([...tombstones].sort((a, b) => a.version - b.version));
  }

  static ofFragments(fragments: readonly RangeFragment[]): RangeTombstones {
    return RangeTombstones.of(
      fragments.flatMap(({ start, end, versions }) => versions.map((version) => ({ start, end, version }))),
    );
  }

  get count(): number {
    return this.tombstones.length;
  }

  get intervalCount(): number {
    return this.#intervals;
  }

  /** The highest version up to `atVersion` of a tombstone that covers (family, key); 0 if there is none. */
  cover(family: number, key: Uint8Array, atVersion: number): number {
    let low = 0;
    let high = this.edges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareBound(this.edges[middle] as Uint8Array, family, key) <= 0) low = middle + 1;
      else high = middle;
    }
    return this.coverOfInterval(low - 1, atVersion);
  }

  /** `interval`: as `intervalOf` gives it. */
  coverOfInterval(interval: number, atVersion: number): number {
    if (interval < 0 || interval >= this.#intervals) return 0;
    let highest = 0;
    for (let node = interval + this.#intervals; node >= 1; node >>>= 1) {
      const at = this.#firstAbove(node, atVersion) - 1;
      if (at < (this.#begins[node] as number)) continue;
      const version = this.#versions[at] as number;
      if (version > highest) highest = version;
    }
    return highest;
  }

  /** The lowest version above `version` of a tombstone over the interval; infinity if there is none. */
  leastAbove(interval: number, version: number): number {
    if (interval < 0 || interval >= this.#intervals) return Infinity;
    let least = Infinity;
    for (let node = interval + this.#intervals; node >= 1; node >>>= 1) {
      const at = this.#firstAbove(node, version);
      if (at === this.#begins[node + 1]) continue;
      const above = this.#versions[at] as number;
      if (above < least) least = above;
    }
    return least;
  }

  /**
   * The interval that holds the record's key: -1 before the first edge, `intervalCount` from the last one on.
   * `hint`: the last answer, right again more often than not.
   */
  // oxlint-disable-next-line max-params
  intervalOf(bytes: Uint8Array, view: DataView, offset: number, hint: number): number {
    const { edges } = this;
    const from = edges[hint];
    const until = edges[hint + 1];
    if (
      from !== undefined && compareRecordToBound(bytes, view, offset, from) >= 0 &&
      (until === undefined || compareRecordToBound(bytes, view, offset, until) < 0)
    ) {
      return hint;
    }
    let low = 0;
    let high = edges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareRecordToBound(bytes, view, offset, edges[middle] as Uint8Array) >= 0) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** Whether everywhere in `range` there is a version above `version` and up to `atVersion`. */
  hidesAll(range: KeySpan, version: number, atVersion: number): boolean {
    let interval = upperEdge(this.edges, range.smallest) - 1;
    for (;;) {
      if (this.coverOfInterval(interval, atVersion) <= version) return false;
      interval++;
      const until = this.edges[interval];
      assert(until !== undefined, "what is covered ends at an edge");
      if (endsBefore(range, until)) return true;
    }
  }

  /** Index of the first of the node's versions above `version`; the end of the node if there is none. */
  #firstAbove(node: number, version: number): number {
    let low = this.#begins[node] as number;
    let high = this.#begins[node + 1] as number;
    // Most reads are at the present, above everything.
    if (low === high || (this.#versions[high - 1] as number) <= version) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#versions[middle] as number) <= version) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Calls `visit` with the tree nodes that together are the tombstone's range; returns how many. */
  #visitNodes(tombstone: RangeTombstone, visit: (node: number) => void): number {
    let visited = 0;
    let left = upperEdge(this.edges, tombstone.start) - 1 + this.#intervals;
    let right = upperEdge(this.edges, tombstone.end) - 1 + this.#intervals;
    assert(left < right, "a range tombstone is not empty");
    for (; left < right; left >>>= 1, right >>>= 1) {
      if ((left & 1) === 1) {
        visit(left++);
        visited++;
      }
      if ((right & 1) === 1) {
        visit(--right);
        visited++;
      }
    }
    return visited;
  }
}

function distinctEdges(tombstones: readonly RangeTombstone[]): Uint8Array[] {
  const edges = tombstones.flatMap(({ start, end }) => [start, end]).sort(compareKeys);
  return edges.filter((edge, i) => i === 0 || compareKeys(edges[i - 1] as Uint8Array, edge) !== 0);
}

/** Index of the first edge above `encoded`. */
function upperEdge(edges: readonly Uint8Array[], encoded: Uint8Array): number {
  let low = 0;
  let high = edges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareKeys(edges[middle] as Uint8Array, encoded) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The parts of sorted, disjoint `fragments` in [from, to); null: no bound on that side. */
export function clipFragments(
  fragments: readonly RangeFragment[],
  from: Uint8Array | null,
  to: Uint8Array | null,
): RangeFragment[] {
  const clipped: RangeFragment[] = [];
  for (const fragment of fragments) {
    const start = from !== null && compareKeys(fragment.start, from) < 0 ? from : fragment.start;
    const end = to !== null && compareKeys(fragment.end, to) > 0 ? to : fragment.end;
    if (compareKeys(start, end) < 0) clipped.push({ start, end, versions: fragment.versions });
  }
  return clipped;
}

/** Range tombstones in all: a fragment counts once per version. */
export function countVersions(fragments: readonly RangeFragment[]): number {
  return fragments.reduce((sum, { versions }) => sum + versions.length, 0);
}
