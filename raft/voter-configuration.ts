import type { ConfState } from "./conf-state.ts";
import type { RegionMeta } from "./region.ts";

/** Who votes and who listens, derived from the roles of a region's peers and never kept beside them. */
export function voterConfiguration(region: RegionMeta): ConfState {
  const voters: number[] = [];
  const votersOutgoing: number[] = [];
  const learners: number[] = [];
  const learnersNext: number[] = [];
  const joint = isJointRegion(region);
  for (const { peerId, role } of region.peers) {
    if (role === "voter" || role === "incoming-voter") voters.push(peerId);
    if (joint && (role === "voter" || role === "demoting-voter")) votersOutgoing.push(peerId);
    if (role === "learner") learners.push(peerId);
    if (role === "demoting-voter") learnersNext.push(peerId);
  }
  return { voters, votersOutgoing, learners, learnersNext };
}

export function isJointRegion(region: RegionMeta): boolean {
  return region.peers.some(({ role }) => role === "incoming-voter" || role === "demoting-voter");
}
