// HOT: every answered turn of a connection is counted here.

/** Parts of an octave: a value is known to within an eighth of itself. */
const partBits = 2;
const parts = 1 << partBits;
/** 2^26 µs is more than a minute; what takes longer counts as that. */
const octaves = 26;

/** Durations in microseconds, by size. Counts only grow: whoever looks twice knows about the time between. */
export class LatencyHistogram {
  readonly counts = new Float64Array((octaves - partBits + 1) * parts);

  record(us: number): void {
    const at = bucketOf(us);
    this.counts[at] = (this.counts[at] as number) + 1;
  }

  reset(): void {
    this.counts.fill(0);
  }

  get total(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }

  /** µs that `permille` thousandths of the durations do not exceed, to within a bucket; 0: there are none. */
  quantile(permille: number): number {
    const wanted = Math.ceil((this.total * permille) / 1_000);
    let seen = 0;
    for (let at = 0; at < this.counts.length; at++) {
      seen += this.counts[at] as number;
      if (seen >= wanted && seen > 0) return bucketEnd(at);
    }
    return 0;
  }

  /** [the bucket's upper end in µs, count], of those that counted something. */
  buckets(): [end: number, count: number][] {
    return [...this.counts].flatMap((count, at) => (count === 0 ? [] : [[bucketEnd(at), count]]));
  }
}

/** Small values each have a bucket; above, the octave and its two next bits say which. */
function bucketOf(us: number): number {
  const whole = us > 0 ? Math.min(Math.floor(us), 2 ** octaves - 1) : 0;
  if (whole < parts) return whole;
  const octave = 31 - Math.clz32(whole);
  return (octave - partBits + 1) * parts + ((whole >>> (octave - partBits)) & (parts - 1));
}

/** The largest whole number of µs in it. */
function bucketEnd(at: number): number {
  if (at < parts) return at;
  const octave = Math.floor(at / parts) + partBits - 1;
  return (parts + (at % parts) + 1) * 2 ** (octave - partBits) - 1;
}
