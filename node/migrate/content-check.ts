import { ContentHash, type ContentSum, sameContent } from "../../core/bytes/content-hash.ts";
import { compareKeys } from "../../core/bytes/record.ts";
import type { Clock } from "../../core/env/clock.ts";
import { describeRpcError } from "../../net/rpc/rpc-error.ts";
import { type RegionMeta, describeKey } from "../../raft/region.ts";
import { behindCode } from "../../raft/store/admin-messages.ts";
import type { ReadEntry } from "../../txn/percolator/command.ts";
import { successor } from "../../txn/percolator/view.ts";
import { ledRegion } from "../survey.ts";
import type { ClusterAdmin } from "./cluster-admin.ts";

/** What one way of reading a region came to. */
export interface ContentReading {
  /** "scan": a transaction's, through the leader. A number: the records of that store, as they lie there. */
  readonly by: "scan" | number;
  readonly content: ContentSum;
}

/** Everybody's content of one region at one timestamp; a string: why it cannot be had now. */
export interface RegionContent {
  readonly readTs: number;
  readonly readings: readonly ContentReading[];
}

/** A part of a region: an empty `end` is the region's. */
interface Part {
  readonly region: RegionMeta;
  readonly start: Uint8Array;
  readonly end: Uint8Array;
}

export interface ContentWorld {
  readonly admin: ClusterAdmin;
  readonly clock: Clock;
  readonly pollMs: number;
  /** How long a replica may take to be as far as the leader was. */
  readonly waitMs: number;
}

const pageEntries = 256;
const hashEntries = 4_096;
const scanMs = 30_000;

export function sleep(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => clock.after(ms * 1_000, () => resolve()));
}

/**
 * Reads `region` at `readTs` (null: now) through its leader, and then the records of each of `stores`, once they have
 * applied what the leader had after that: nothing can commit below the timestamp any more, whoever writes meanwhile.
 */
export async function contentOfRegion(
  world: ContentWorld,
  region: RegionMeta,
  stores: readonly number[],
  atTs: number | null = null,
): Promise<RegionContent | string> {
  const { admin } = world;
  const given = atTs === null ? await admin.timestamp() : { value: atTs, error: null };
  if (given.error !== null) return `no timestamp: ${given.error.message}`;
  const readTs = given.value;
  const scanned = await scanRegion(admin, region, readTs);
  if (typeof scanned === "string") return scanned;
  const led = ledRegion(await admin.survey(stores), region.id);
  if (led === null) return `nobody leads region ${region.id}`;
  const readings: ContentReading[] = [{ by: "scan", content: scanned }];
  for (const storeId of stores) {
    const content = await hashReplica(world, storeId, wholeOf(region), { readTs, appliedMin: led.applied });
    if (typeof content === "string") return content;
    readings.push({ by: storeId, content });
  }
  return { readTs, readings };
}

/** The first reading that is not what the first one is; null: all are the same. */
export function differing({ readings }: RegionContent): ContentReading | null {
  const [first, ...others] = readings;
  return others.find(({ content }) => first !== undefined && !sameContent(content, first.content)) ?? null;
}

function wholeOf(region: RegionMeta): Part {
  return { region, start: region.start, end: region.end };
}

async function scanRegion(admin: ClusterAdmin, region: RegionMeta, readTs: number): Promise<ContentSum | string> {
  const hash = new ContentHash();
  const end = region.end.length === 0 ? null : region.end;
  let { start } = region;
  for (;;) {
    const entries = await new Promise<readonly ReadEntry[] | string>((resolve) => {
      const page = { limit: pageEntries, readTs, timeoutMs: scanMs };
      admin.client.scan({ start, end }, page, (error, found) => resolve(found ?? error?.message ?? "nothing came"));
    });
    if (typeof entries === "string") return `reading region ${region.id}: ${entries}`;
    for (const { key, value, expiresAtMs } of entries) hash.entry(key, value, expiresAtMs);
    const last = entries.at(-1);
    if (last === undefined || entries.length < pageEntries) return hash.sum;
    start = successor(last.key);
  }
}

interface HashTerms {
  readonly readTs: number;
  readonly appliedMin: number;
}

async function hashReplica(
  world: ContentWorld,
  storeId: number,
  { region, start, end }: Part,
  terms: HashTerms,
): Promise<ContentSum | string> {
  const { admin, clock, pollMs, waitMs } = world;
  const untilUs = clock.monotonicUs() + waitMs * 1_000;
  const hash = new ContentHash();
  for (let at: Uint8Array | null = start; at !== null;) {
    const told = await admin.hash(storeId, region, { ...terms, start: at, end, entriesMax: hashEntries });
    if (told.error === null) {
      hash.add(told.value.content);
      at = told.value.next;
      continue;
    }
    const { error } = told;
    const isBehind = error.kind === "application" && error.code === behindCode;
    if (!isBehind || clock.monotonicUs() > untilUs) return `store ${storeId}: ${describeRpcError(error)}`;
    await sleep(clock, pollMs);
  }
  return hash.sum;
}

/**
 * Keys in which the records of two stores differ, at most `max` of them, as people read keys: ranges whose sums differ
 * are cut smaller and smaller. A string: it cannot be said now.
 */
export async function differingKeys(
  world: ContentWorld,
  region: RegionMeta,
  stores: readonly [number, number],
  terms: HashTerms & { readonly max: number },
): Promise<readonly string[] | string> {
  const keys: string[] = [];
  const cut = async (part: Part, entriesMax: number): Promise<string | null> => {
    for (let start: Uint8Array | null = part.start; start !== null && keys.length < terms.max;) {
      const request = { readTs: terms.readTs, appliedMin: terms.appliedMin, start, end: part.end, entriesMax };
      const [one, other] = await Promise.all(stores.map((storeId) => world.admin.hash(storeId, region, request)));
      if (one === undefined || other === undefined) return "nobody was asked";
      if (one.error !== null || other.error !== null) return "a replica does not answer";
      const end = earlier(one.value.next, other.value.next) ?? part.end;
      const piece = { region, start, end };
      const sums = await Promise.all(stores.map((storeId) => hashReplica(world, storeId, piece, terms)));
      const [left, right] = sums;
      if (typeof left !== "object" || typeof right !== "object") return "a replica does not answer";
      if (!sameContent(left, right)) {
        // What comes next is right behind the key.
        if (entriesMax === 1) keys.push(describeKey(end === part.end ? start : end.subarray(0, -1), "-"));
        else {
          const problem = await cut(piece, Math.max(1, Math.floor(entriesMax / 16)));
          if (problem !== null) return problem;
        }
      }
      start = earlier(one.value.next, other.value.next);
    }
    return null;
  };
  return (await cut(wholeOf(region), hashEntries)) ?? keys;
}

/** Null: neither goes on. */
function earlier(one: Uint8Array | null, other: Uint8Array | null): Uint8Array | null {
  if (one === null || other === null) return one ?? other;
  return compareKeys(one, other) < 0 ? one : other;
}
