import { ContentHash, type ContentSum } from "../../core/bytes/content-hash.ts";
import type { Engine } from "../../core/engine/engine.ts";
import type { Snapshot } from "../../core/engine/snapshot.ts";
import { timestampAt } from "../../coordinator/timestamp-oracle.ts";
import { commandLimitsDefault } from "../../txn/server/command-check.ts";
import { isTxnKey } from "../../txn/percolator/txn-record.ts";
import { describeKey } from "../../raft/region.ts";
import type { Progress } from "./read-regions.ts";

/** What a standalone database shows at one instant, read as its users read it. */
export interface Gathered {
  readonly content: ContentSum;
  /** Where to divide it. */
  readonly sampler: BoundSampler;
  /** Every record has a version up to it, and lifetimes that it judges as this reading did. */
  readonly baseTs: number;
  /** Entries that no cluster could give back or change, for people; the first few. */
  readonly unfit: readonly string[];
  readonly unfitCount: number;
}

const unfitShown = 5;
/** A thread that reads for long is to see to its timers now and then. */
const entriesPerTurn = 20_000;
const { valueBytesMax } = commandLimitsDefault;

/** Reads everything that `snapshot` shows, and releases it. `pause` lets the rest of the process run. */
// oxlint-disable-next-line max-params
export async function gather(
  engine: Engine,
  snapshot: Snapshot,
  progress: Progress,
  pause: () => Promise<void>,
): Promise<Gathered> {
  const hash = new ContentHash();
  const sampler = new BoundSampler();
  const unfit: string[] = [];
  let unfitCount = 0;
  const iterator = engine.iterator({ snapshot });
  let inTurn = 0;
  while (iterator.next()) {
    // Valid until the next step: nothing of it is kept.
    const { keyView: key, valueView: value, expiresAtMs } = iterator;
    hash.entry(key, value, expiresAtMs);
    sampler.add(key, value.length);
    const problem = unfitness(key, value);
    if (problem !== null && unfitCount++ < unfitShown) unfit.push(problem);
    if (++inTurn < entriesPerTurn) continue;
    inTurn = 0;
    const { count, bytes } = hash.sum;
    progress(count, bytes);
    await pause();
  }
  iterator.close();
  const baseTs = baseOf(snapshot);
  snapshot.release();
  const content = hash.sum;
  progress(content.count, content.bytes);
  return { content, sampler, baseTs, unfit, unfitCount };
}

function unfitness(key: Uint8Array, value: Uint8Array): string | null {
  const name = describeKey(key.subarray(0, 40), '""');
  if (!isTxnKey(key)) return `key ${name}... of ${key.length} bytes is too long for transactions`;
  if (value.length <= valueBytesMax) return null;
  return `the value of key ${name} has ${value.length} bytes; a cluster takes at most ${valueBytesMax}`;
}

/** The greatest timestamp of the snapshot's millisecond that is not above what it must be. */
function baseOf({ version, readAtMs }: Snapshot): number {
  return Math.max(version, timestampAt(readAtMs));
}

/**
 * Keys that divide what comes by, in order, into parts of about equal size, values in their own files included. At most
 * 8,192 of them are kept at a time, evenly spaced by bytes.
 */
class BoundSampler {
  #samples: { readonly key: Uint8Array; readonly before: number }[] = [];
  #stepBytes = 1;
  #bytes = 0;
  #nextAt = 0;

  add(key: Uint8Array, valueLength: number): void {
    if (this.#bytes >= this.#nextAt) {
      // The first key begins no second region.
      if (this.#bytes > 0) this.#samples.push({ key: key.slice(), before: this.#bytes });
      this.#nextAt = this.#bytes + this.#stepBytes;
      if (this.#samples.length > samplesMax) this.#thin();
    }
    this.#bytes += key.length + valueLength;
  }

  /** `count - 1` keys, or fewer where there are not as many. */
  bounds(count: number): readonly Uint8Array[] {
    const bounds: Uint8Array[] = [];
    let at = 0;
    for (let part = 1; part < count; part++) {
      const wanted = Math.floor((this.#bytes / count) * part);
      while (at < this.#samples.length && (this.#samples[at]?.before ?? 0) < wanted) at++;
      const sample = this.#samples[at++];
      if (sample !== undefined) bounds.push(sample.key);
    }
    return bounds;
  }

  #thin(): void {
    this.#samples = this.#samples.filter((_, i) => i % 2 === 0);
    this.#stepBytes = Math.max(2 * this.#stepBytes, Math.ceil(this.#bytes / samplesMax));
  }
}

const samplesMax = 8_192;
