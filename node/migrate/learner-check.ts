import { describeRpcError } from "../../net/rpc/rpc-error.ts";
import type { ReplicaProgress } from "../../raft/store/admin-messages.ts";
import type { LedRegion } from "../survey.ts";
import type { ClusterAdmin } from "./cluster-admin.ts";

interface Place {
  readonly peerId: number;
  readonly storeId: number;
}

/** A learner may be so many entries behind what is committed while somebody writes. */
const lagMax = 64;

/** What the leader waits for before its learners could vote; null: nothing. */
export function learnersBehind(progress: ReplicaProgress, peers: readonly Place[]): string | null {
  for (const { peerId, storeId } of peers) {
    const member = progress.members.find((at) => at.peerId === peerId);
    if (member === undefined) return "its leader is about to lead";
    if (member.state === "snapshot") return `store ${storeId} gets a snapshot`;
    if (member.state !== "replicate") return `store ${storeId} answers its leader`;
    const behind = progress.commit - member.match;
    if (behind > lagMax) return `store ${storeId} follows: ${behind} entries to go`;
  }
  return null;
}

export type HistoryJudgement =
  | { readonly kind: "same" }
  | { readonly kind: "differs"; readonly storeId: number; readonly index: number }
  /** There is no place yet at which both stopped. */
  | { readonly kind: "unknown"; readonly why: string };

/** The history hash of each peer against the leader's, at the last place where both stopped. */
export async function compareHistory(
  admin: ClusterAdmin,
  { region, leaderStore }: LedRegion,
  peers: readonly Place[],
): Promise<HistoryJudgement> {
  for (const { storeId } of peers) {
    const theirs = await admin.progress(storeId, region);
    const ours = await admin.progress(leaderStore, region);
    if (ours.error !== null) return { kind: "unknown", why: `its leader: ${describeRpcError(ours.error)}` };
    if (theirs.error !== null) return { kind: "unknown", why: `store ${storeId}: ${describeRpcError(theirs.error)}` };
    const judged = judgeHistory(ours.value, theirs.value);
    if (judged === null) return { kind: "unknown", why: `store ${storeId} stops where its leader stopped` };
    if (!judged.same) return { kind: "differs", storeId, index: judged.index };
  }
  return { kind: "same" };
}

/** Null: they have no place in common. */
function judgeHistory(
  ours: Pick<ReplicaProgress, "recent">,
  theirs: Pick<ReplicaProgress, "recent">,
): { readonly index: number; readonly same: boolean } | null {
  for (const place of theirs.recent.toReversed()) {
    const mine = ours.recent.find(({ index }) => index === place.index);
    if (mine !== undefined) return { index: place.index, same: mine.high === place.high && mine.low === place.low };
  }
  return null;
}
