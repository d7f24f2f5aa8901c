import type { RegionMeta } from "./region.ts";

/**
 * Who votes and who listens, derived from the roles of a region's peers and never kept beside them. All lists are
 * sorted. `votersOutgoing` is not empty exactly while the configuration is joint.
 */
export interface VoterConfiguration {
  readonly voters: readonly number[];
  readonly votersOutgoing: readonly number[];
  readonly learners: readonly number[];
  /** Voters of the old half that are learners once the joint configuration is left. */
  readonly learnersNext: readonly number[];
}

export function voterConfiguration(region: RegionMeta): VoterConfiguration {
  const voters: number[] = [];
  const votersOutgoing: number[] = [];
  const learners: number[] = [];
  const learnersNext: number[] = [];
  const joint = isJoint(region);
  for (const { peerId, role } of region.peers) {
    if (role === "voter" || role === "incoming-voter") voters.push(peerId);
    if (joint && (role === "voter" || role === "demoting-voter")) votersOutgoing.push(peerId);
    if (role === "learner") learners.push(peerId);
    if (role === "demoting-voter") learnersNext.push(peerId);
  }
  return { voters, votersOutgoing, learners, learnersNext };
}

export function isJoint(region: RegionMeta): boolean {
  return region.peers.some(({ role }) => role === "incoming-voter" || role === "demoting-voter");
}
