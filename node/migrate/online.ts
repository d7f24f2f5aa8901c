import { ContentHash, type ContentSum } from "../../core/bytes/content-hash.ts";
import type { RegionMeta } from "../../raft/region.ts";
import {
  type LedRegion,
  type MemberStatus,
  ledProblem,
  ledRegion,
  ledRegions,
  membersOf,
  replicasByRegion,
  silentStores,
} from "../survey.ts";
import { type ContentReading, contentOfRegion, differing, differingKeys, sleep } from "./content-check.ts";
import { findRegions } from "./expand.ts";
import type { ExpandReach } from "./region-expansion.ts";
import { Patience } from "./patience.ts";

export interface ExpandingRegion {
  readonly region: RegionMeta;
  readonly leaderStore: number;
  readonly term: number;
  readonly applied: number;
  readonly members: readonly MemberStatus[];
}

/** How far a cluster is on its way from one store to several. */
export interface OnlineStatus {
  readonly stage: "seeded" | "expanding" | "expanded" | "unknown";
  readonly regions: readonly ExpandingRegion[];
  /** Stores that do not answer, keys that nobody leads: one line each. */
  readonly problems: readonly string[];
}

export async function onlineStatus({ admin }: Pick<ExpandReach, "admin">): Promise<OnlineStatus> {
  const survey = await admin.survey([]);
  const told = replicasByRegion(survey);
  const led = ledRegions(survey);
  const regions = led.map(({ region, leaderStore, term, applied }): ExpandingRegion => {
    return { region, leaderStore, term, applied, members: membersOf(region, told.get(region.id) ?? []) };
  });
  const problem = ledProblem(led);
  const problems = [...silentStores(survey), ...(problem === null ? [] : [problem])];
  return { stage: problem === null ? stageOf(led) : "unknown", regions, problems };
}

function stageOf(regions: readonly LedRegion[]): OnlineStatus["stage"] {
  const settled = regions.every(({ region }) => region.peers.every(({ role }) => role === "voter"));
  if (!settled) return "expanding";
  const alone = regions.filter(({ region }) => region.peers.length === 1).length;
  if (alone === regions.length) return "seeded";
  return alone === 0 ? "expanded" : "expanding";
}

export interface VerifyOrder {
  /** A timestamp that was given out; null: now. */
  readonly readTs: number | null;
  readonly regionId: number | null;
}

export interface VerifiedRegion {
  readonly regionId: number;
  readonly readTs: number;
  readonly readings: readonly ContentReading[];
  /** Keys in which a replica differs from its leader, some of them; empty: none does. */
  readonly differing: readonly string[];
}

export interface Verified {
  readonly regions: readonly VerifiedRegion[];
  /** Of all regions, as transactions read them. */
  readonly content: ContentSum;
  readonly same: boolean;
}

/**
 * Reads every region through its leader as a transaction does, and the records of each of its replicas as they lie
 * there. Rejects with NOKV_BUSY where that cannot be had within the pace's patience.
 */
export async function verifyCluster(world: ExpandReach, { readTs, regionId }: VerifyOrder): Promise<Verified> {
  const total = new ContentHash();
  const regions: VerifiedRegion[] = [];
  for (const { region } of await findRegions(world, { regionId, stores: [] })) {
    const verified = await verifyRegion(world, region.id, readTs);
    regions.push(verified);
    const [scan] = verified.readings;
    if (scan !== undefined) total.add(scan.content);
  }
  return { regions, content: total.sum, same: regions.every((region) => differing(region) === null) };
}

async function verifyRegion(world: ExpandReach, regionId: number, readTs: number | null): Promise<VerifiedRegion> {
  const { admin, env, pace, report } = world;
  const patience = new Patience(env.clock, pace.stallMs, (text) => report({ kind: "wait", text }));
  const content = { admin, clock: env.clock, pollMs: pace.pollMs, waitMs: pace.stallMs };
  for (;;) {
    const led = ledRegion(await admin.survey([]), regionId);
    const stores = led?.region.peers.map(({ storeId }) => storeId) ?? [];
    const found = led === null ? "nobody leads it" : await contentOfRegion(content, led.region, stores, readTs);
    if (led !== null && typeof found !== "string") {
      const other = differing(found);
      report({ kind: "step", regionId, text: `${stores.length} replicas ${other === null ? "are equal" : "differ"}` });
      return { regionId, ...found, differing: await keysOf(content, led, other, found.readTs) };
    }
    patience.wait(`region ${regionId}: ${typeof found === "string" ? found : "nobody leads it"}`);
    await sleep(env.clock, pace.pollMs);
  }
}

// oxlint-disable-next-line max-params
async function keysOf(
  content: Parameters<typeof differingKeys>[0],
  { region, leaderStore }: LedRegion,
  other: ContentReading | null,
  readTs: number,
): Promise<readonly string[]> {
  if (other === null || other.by === "scan") return [];
  const keys = await differingKeys(content, region, [leaderStore, other.by], { readTs, appliedMin: 0, max: 10 });
  return typeof keys === "string" ? [keys] : keys;
}
