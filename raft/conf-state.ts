import type { PeerId } from "./entry.ts";

/**
 * Who belongs to a group, and who decides. All lists are sorted and without duplicates. The runtime derives
 * it from its region's metadata; the machine only checks that it follows from the one before.
 *
 * While `votersOutgoing` is not empty the configuration is joint: elections, commits and reads need a
 * majority of both (Raft dissertation, section 4.3).
 */
export interface ConfState {
  readonly voters: readonly PeerId[];
  readonly votersOutgoing: readonly PeerId[];
  /** Get the log, decide nothing. */
  readonly learners: readonly PeerId[];
  /** Voters of the outgoing half that become learners when it is left. */
  readonly learnersNext: readonly PeerId[];
}

export function isJoint(conf: ConfState): boolean {
  return conf.votersOutgoing.length > 0;
}

/** Of a peer that was told nothing yet: it waits for a snapshot. */
export function isEmpty({ voters, votersOutgoing, learners }: ConfState): boolean {
  return voters.length === 0 && votersOutgoing.length === 0 && learners.length === 0;
}

/** Whether `peer` counts in either half. */
export function isVoter(conf: ConfState, peer: PeerId): boolean {
  return conf.voters.includes(peer) || conf.votersOutgoing.includes(peer);
}

/** Everyone who gets the log, sorted. */
export function membersOf(conf: ConfState): PeerId[] {
  return sortedPeers([...conf.voters, ...conf.votersOutgoing, ...conf.learners]);
}

export function sortedPeers(peers: Iterable<PeerId>): PeerId[] {
  return [...new Set(peers)].toSorted((a, b) => a - b);
}

/** What is wrong with `conf` by itself; null: nothing. */
export function confFault(conf: ConfState): string | null {
  const { voters, votersOutgoing, learners, learnersNext } = conf;
  if (voters.length === 0) return "a configuration has a voter";
  for (const list of [voters, votersOutgoing, learners, learnersNext]) {
    if (!isSortedOnce(list)) return "the peers of a configuration are sorted and occur once";
  }
  if (learners.some((peer) => isVoter(conf, peer))) return "a learner is no voter";
  if (learnersNext.some((peer) => voters.includes(peer))) return "who becomes a learner is no incoming voter";
  if (learnersNext.some((peer) => !votersOutgoing.includes(peer))) return "who becomes a learner is an outgoing voter";
  return null;
}

/**
 * Why `to` may not follow `from`; null: it may. Legal are: the same again; one voter more or less, and any
 * learners; entering a joint configuration whose outgoing half is the present one; leaving it.
 */
export function transitionFault(from: ConfState, to: ConfState): string | null {
  const fault = confFault(to);
  if (fault !== null || sameConf(from, to)) return fault;
  if (isJoint(from)) {
    if (isJoint(to)) return "a joint configuration is left before another change";
    if (!samePeers(to.voters, from.voters)) return "leaving a joint configuration keeps the incoming voters";
    const learners = sortedPeers([...from.learners, ...from.learnersNext]);
    return samePeers(to.learners, learners) ? null : "leaving a joint configuration makes learners of those announced";
  }
  if (isJoint(to)) {
    return samePeers(to.votersOutgoing, from.voters) ? null : "the outgoing half is the configuration before";
  }
  return voterDifference(from.voters, to.voters) <= 1 ? null : "a simple change adds or removes one voter";
}

/** How many peers vote in one of the two only. */
export function voterDifference(before: readonly PeerId[], after: readonly PeerId[]): number {
  const gone = before.filter((peer) => !after.includes(peer)).length;
  return gone + after.filter((peer) => !before.includes(peer)).length;
}

export function sameConf(a: ConfState, b: ConfState): boolean {
  return (
    samePeers(a.voters, b.voters) &&
    samePeers(a.votersOutgoing, b.votersOutgoing) &&
    samePeers(a.learners, b.learners) &&
    samePeers(a.learnersNext, b.learnersNext)
  );
}

function samePeers(a: readonly PeerId[], b: readonly PeerId[]): boolean {
  return a.length === b.length && a.every((peer, at) => peer === b[at]);
}

function isSortedOnce(peers: readonly PeerId[]): boolean {
  return peers.every((peer, at) => peer > (peers[at - 1] ?? 0));
}
