import { assert } from "../../core/assert.ts";
import { type Layout, decode, encode, list, struct, u53 } from "../../core/bytes/layout.ts";
import { type ConfChange, type ConfOp, changeConf } from "../conf-change.ts";
import { type ConfState, isJoint, isVoter, membersOf, sameConf } from "../conf-state.ts";
import type { PeerId } from "../entry.ts";
import { type RegionEpoch, epochAfterPeers, epochAllows } from "../epoch.ts";
import { type PeerRole, type RegionMeta, type RegionPeer, epochLayout, regionProblem } from "../region.ts";
import { voterConfiguration } from "../voter-configuration.ts";

/** One step of a change of peers. `storeId` counts for the two that add. */
export interface PeerChange {
  readonly op: ConfOp;
  readonly peerId: PeerId;
  readonly storeId: number;
}

/** What a configuration entry says beyond its operations. */
interface ChangeContext {
  /** The region's when the change was proposed. */
  readonly epoch: RegionEpoch;
  /** Where the peers live that it adds. */
  readonly places: readonly { readonly peerId: number; readonly storeId: number }[];
}

const contextLayout: Layout<ChangeContext> = struct({
  epoch: epochLayout,
  places: list(struct({ peerId: u53, storeId: u53 })),
});

export function confChangeOf(region: RegionMeta, changes: readonly PeerChange[]): ConfChange {
  const ops = changes.map(({ op, peerId }) => ({ op, peer: peerId }));
  const places = changes
    .filter(({ op }) => op === "addVoter" || op === "addLearner")
    .map(({ peerId, storeId }) => ({ peerId, storeId }));
  return { ops, leaveJoint: false, context: encode(contextLayout, { epoch: region.epoch, places }) };
}

export function leaveJointOf(region: RegionMeta): ConfChange {
  return { ops: [], leaveJoint: true, context: encode(contextLayout, { epoch: region.epoch, places: [] }) };
}

/** The region after a configuration entry; a string: why it does nothing, on every replica alike. */
export function regionAfterPeers(region: RegionMeta, change: ConfChange): RegionMeta | string {
  const context = decode(contextLayout, change.context);
  if (typeof context === "string") return `its context is damaged: ${context}`;
  const { epoch, places } = context.value;
  if (!epochAllows("change-peers", epoch, region.epoch)) return "the region's peers have changed since";
  const before = voterConfiguration(region);
  const conf = changeConf(before, change);
  if (conf === null) return "it does not apply to the peers as they are";
  const leaving = before.voters.filter((peer) => !membersOf(conf).includes(peer) || isLeaving(conf, peer));
  if (isJoint(conf) && leaving.length > 0) return `peer ${leaving[0]} becomes a learner before it is removed`;
  const storeOf = new Map(region.peers.map(({ peerId, storeId }) => [peerId, storeId]));
  for (const { peerId, storeId } of places) if (!storeOf.has(peerId)) storeOf.set(peerId, storeId);
  const peers: RegionPeer[] = [];
  for (const peerId of membersOf(conf)) {
    const storeId = storeOf.get(peerId);
    if (storeId === undefined) return `nobody says on which store peer ${peerId} lives`;
    peers.push({ peerId, storeId, role: roleIn(conf, peerId) });
  }
  const after = { ...region, epoch: epochAfterPeers(region.epoch, Math.max(1, change.ops.length)), peers };
  const problem = regionProblem(after);
  if (problem !== null) return problem;
  assert(sameConf(voterConfiguration(after), conf), "roles say what the configuration says");
  return after;
}

/** A voter of the old half that would be nothing afterwards: a role says no such thing. */
function isLeaving(conf: ConfState, peer: PeerId): boolean {
  return isJoint(conf) && !conf.voters.includes(peer) && !conf.learnersNext.includes(peer);
}

function roleIn(conf: ConfState, peer: PeerId): PeerRole {
  if (!isVoter(conf, peer)) return "learner";
  if (!isJoint(conf)) return "voter";
  if (!conf.votersOutgoing.includes(peer)) return "incoming-voter";
  return conf.voters.includes(peer) ? "voter" : "demoting-voter";
}
