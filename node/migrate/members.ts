import { NokvError } from "../../core/errors.ts";
import { expandAfterAbort, expandAfterAbortMark } from "../../failpoints/catalog.ts";
import { describeRpcError } from "../../net/rpc/rpc-error.ts";
import { type RegionPeer, peerById, peerOnStore } from "../../raft/region.ts";
import type { ConfOp } from "../../raft/conf-change.ts";
import { type LedRegion, type Survey, ledRegion, replicaOn, silentStores, unknownRegion } from "../survey.ts";
import { sleep } from "./content-check.ts";
import { type ExpandOrder, findRegions } from "./expand.ts";
import type { ExpandWorld } from "./region-expansion.ts";
import { Patience } from "./patience.ts";

/** What there is now: true, or why it is not what was asked for yet. */
type Look = (led: LedRegion, survey: Survey) => Promise<string | null>;

/** Looks again and again, and does what `look` does, until that says null. NOKV_BUSY: it takes too long. */
async function until(world: ExpandWorld, regionId: number, stores: readonly number[], look: Look): Promise<LedRegion> {
  const { env, admin, pace, report } = world;
  const patience = new Patience(env.clock, pace.stallMs, (text) => report({ kind: "wait", text }));
  for (;;) {
    const survey = await admin.survey(stores);
    const led = ledRegion(survey, regionId);
    const unknown = led === null ? unknownRegion(survey, regionId) : null;
    if (unknown !== null) refuse(unknown);
    const why = led === null ? ["nobody leads it", ...silentStores(survey)].join("; ") : await look(led, survey);
    if (why === null && led !== null) return led;
    patience.wait(`region ${regionId}: ${why ?? "nobody leads it"}`);
    await sleep(env.clock, pace.pollMs);
  }
}

function refuse(message: string): never {
  throw new NokvError("NOKV_INVALID_ARGUMENT", message);
}

/**
 * Takes back an expansion that did not come to its promotion: its learners go, and their ids are burnt. Rejects as
 * `expand`; NOKV_INVALID_ARGUMENT where a target votes already.
 */
export async function abortExpansion(world: ExpandWorld, order: ExpandOrder): Promise<LedRegion[]> {
  const { env, journal, report } = world;
  const aborted: LedRegion[] = [];
  for (const { region } of await findRegions(world, order)) {
    const marked = order.stores.flatMap((storeId) => {
      const peer = peerOnStore(region, storeId);
      if (peer !== null && peer.role !== "learner") {
        refuse(`store ${storeId} has voter ${peer.peerId} of region ${region.id}: nokv migrate remove-peer removes it`);
      }
      const peerId = peer?.peerId ?? journal.target(region.id, storeId)?.peerId;
      return peerId === undefined ? [] : [{ regionId: region.id, storeId, peerId, step: "aborting" as const }];
    });
    // A learner that is asked for just now may still come: its id is burnt before it is looked for.
    await journal.put(marked);
    env.failpoints.hit(expandAfterAbortMark);
    for (const { peerId } of marked) await removeLearner(world, region.id, peerId);
    env.failpoints.hit(expandAfterAbort);
    await journal.forget(marked);
    const [led] = await findRegions(world, { ...order, regionId: region.id });
    if (led !== undefined) aborted.push(led);
    report({ kind: "step", regionId: region.id, text: "its learners are gone" });
  }
  return aborted;
}

function removeLearner(world: ExpandWorld, regionId: number, peerId: number): Promise<LedRegion> {
  return until(world, regionId, [], async ({ region, leaderStore }) => {
    const peer = peerById(region, peerId);
    if (peer === null) return null;
    if (peer.role !== "learner") refuse(`peer ${peerId} of region ${regionId} votes: it was promoted meanwhile`);
    return await change(world, { region, leaderStore }, "remove", peer);
  });
}

/** What keeps it from being done; never null: whether it happened, the next look tells. */
async function change(
  { admin }: ExpandWorld,
  { region, leaderStore }: Pick<LedRegion, "region" | "leaderStore">,
  op: ConfOp,
  { peerId, storeId }: Pick<RegionPeer, "peerId" | "storeId">,
): Promise<string> {
  const told = await admin.changePeers(leaderStore, region, [{ op, peerId, storeId }]);
  return told.error === null ? `${op} of peer ${peerId} is under way` : describeRpcError(told.error);
}

export interface TransferOrder {
  readonly regionId: number;
  readonly storeId: number;
}

/** Hands leadership over. Resolves when the target leads, and says so itself. */
export async function transferLeader(world: ExpandWorld, { regionId, storeId }: TransferOrder): Promise<LedRegion> {
  const { admin, report } = world;
  const led = await until(world, regionId, [storeId], async ({ region, leaderStore }, survey) => {
    const peer = peerOnStore(region, storeId);
    if (peer === null) return refuse(`store ${storeId} has no peer of region ${regionId}: expand brings one`);
    if (peer.role === "learner") return refuse(`peer ${peer.peerId} on store ${storeId} is a learner: it cannot lead`);
    const own = replicaOn(survey, storeId, regionId);
    if (leaderStore === storeId) return own !== null && own.leadingTerm > 0 ? null : "it begins";
    const told = await admin.transferLeader(leaderStore, region, storeId);
    return told.error === null ? "the target takes over" : describeRpcError(told.error);
  });
  report({ kind: "step", regionId, text: `store ${storeId} leads in term ${led.term}` });
  return led;
}

export interface RemoveOrder extends TransferOrder {
  /** Two voters that are left are both needed for everything. */
  readonly allowTwo: boolean;
}

/**
 * Removes the region's peer on a store: it hands leadership over, becomes a learner, and goes. Resolves when the leader
 * has no such peer, and the store, if it answers, has no such replica. A store without one is what was asked for.
 */
export async function removePeer(world: ExpandWorld, order: RemoveOrder): Promise<LedRegion> {
  const { regionId, storeId } = order;
  const { admin, journal, report } = world;
  const led = await until(world, regionId, [storeId], async ({ region, leaderStore }, survey) => {
    const peer = peerOnStore(region, storeId);
    if (peer === null) return replicaOn(survey, storeId, regionId) === null ? null : `store ${storeId} hears of it`;
    if (peer.role === "learner") return await change(world, { region, leaderStore }, "remove", peer);
    if (peer.role !== "voter") return "the region leaves its joint configuration";
    const others = region.peers.filter((other) => other.role === "voter" && other.storeId !== storeId);
    const [heir] = others;
    if (heir === undefined) return refuse(`peer ${peer.peerId} is the last voter of region ${regionId}: it stays`);
    if (others.length === 2 && !order.allowTwo) {
      const what = `region ${regionId} would have two voters, and stop when either store does`;
      return refuse(`${what}: expand it first, or say --allow-two`);
    }
    if (leaderStore !== storeId) return await change(world, { region, leaderStore }, "demote", peer);
    const told = await admin.transferLeader(leaderStore, region, heir.storeId);
    return told.error === null ? `store ${heir.storeId} takes over` : describeRpcError(told.error);
  });
  const entry = journal.target(regionId, storeId);
  if (entry !== null) await journal.forget([entry]);
  report({ kind: "step", regionId, text: `store ${storeId} has no peer of it` });
  return led;
}
