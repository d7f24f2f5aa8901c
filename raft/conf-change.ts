import { type ConfState, confFault, isJoint, sortedPeers, voterDifference } from "./conf-state.ts";
import type { PeerId } from "./entry.ts";

/** `promote`: a learner becomes a voter. `demote`: a voter becomes a learner. */
export type ConfOp = "addVoter" | "addLearner" | "remove" | "promote" | "demote";

/**
 * What a configuration entry asks for: operations, or (`leaveJoint`) the end of a joint configuration. More
 * than one voter's difference enters a joint configuration.
 */
export interface ConfChange {
  readonly ops: readonly { readonly op: ConfOp; readonly peer: PeerId }[];
  readonly leaveJoint: boolean;
  /** The runtime's: region epoch, store of the new peer. */
  readonly context: Uint8Array;
}

interface Members {
  readonly voters: Set<PeerId>;
  readonly learners: Set<PeerId>;
}

/**
 * The configuration after `change`; null when it can not be applied to `conf`. For the runtime, which calls it
 * when it applies the entry; the machine calls it to refuse a proposal that could not be applied.
 */
export function changeConf(conf: ConfState, change: ConfChange): ConfState | null {
  const next = change.leaveJoint ? leaveJoint(conf, change) : withOps(conf, change);
  return next === null || confFault(next) !== null ? null : next;
}

function leaveJoint(conf: ConfState, change: ConfChange): ConfState | null {
  if (!isJoint(conf) || change.ops.length > 0) return null;
  const learners = sortedPeers([...conf.learners, ...conf.learnersNext]);
  return { voters: conf.voters, votersOutgoing: [], learners, learnersNext: [] };
}

function withOps(conf: ConfState, change: ConfChange): ConfState | null {
  if (isJoint(conf) || change.ops.length === 0) return null;
  const members = { voters: new Set(conf.voters), learners: new Set(conf.learners) };
  for (const { op, peer } of change.ops) {
    if (!applyOp(members, op, peer)) return null;
  }
  const voters = sortedPeers(members.voters);
  if (voterDifference(conf.voters, voters) <= 1) {
    return { voters, votersOutgoing: [], learners: sortedPeers(members.learners), learnersNext: [] };
  }
  // A peer can not be voter of one half and learner at once: it becomes a learner when the joint one is left.
  const outgoing = new Set(conf.voters);
  const learners = sortedPeers([...members.learners].filter((peer) => !outgoing.has(peer)));
  const learnersNext = sortedPeers([...members.learners].filter((peer) => outgoing.has(peer)));
  return { voters, votersOutgoing: conf.voters, learners, learnersNext };
}

/** False: the peer is not in the role that the operation starts from. */
function applyOp({ voters, learners }: Members, op: ConfOp, peer: PeerId): boolean {
  if (!Number.isSafeInteger(peer) || peer < 1) return false;
  const known = voters.has(peer) || learners.has(peer);
  switch (op) {
    case "addVoter":
      return !known && voters.add(peer).has(peer);
    case "addLearner":
      return !known && learners.add(peer).has(peer);
    case "remove":
      return voters.delete(peer) || learners.delete(peer);
    case "promote":
      return learners.delete(peer) && voters.add(peer).has(peer);
    case "demote":
      return voters.delete(peer) && learners.add(peer).has(peer);
    default:
      return false;
  }
}

const opCodes: readonly ConfOp[] = ["addVoter", "addLearner", "remove", "promote", "demote"];
const headerBytes = 3;
const opBytes = 9;

/** `leaveJoint u8 | count u16 | (op u8, peer f64)* | context`, big-endian. */
export function encodeConfChange(change: ConfChange): Uint8Array {
  const { ops, context } = change;
  const bytes = new Uint8Array(headerBytes + ops.length * opBytes + context.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, change.leaveJoint ? 1 : 0);
  view.setUint16(1, ops.length);
  let at = headerBytes;
  for (const { op, peer } of ops) {
    view.setUint8(at, opCodes.indexOf(op));
    view.setFloat64(at + 1, peer);
    at += opBytes;
  }
  bytes.set(context, at);
  return bytes;
}

/** Null: these bytes are no configuration change. */
export function decodeConfChange(bytes: Uint8Array): ConfChange | null {
  if (bytes.length < headerBytes) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint16(1);
  const contextAt = headerBytes + count * opBytes;
  if (bytes.length < contextAt || view.getUint8(0) > 1) return null;
  const ops: { op: ConfOp; peer: PeerId }[] = [];
  for (let at = headerBytes; at < contextAt; at += opBytes) {
    const op = opCodes[view.getUint8(at)];
    if (op === undefined) return null;
    ops.push({ op, peer: view.getFloat64(at + 1) });
  }
  return { ops, leaveJoint: view.getUint8(0) === 1, context: bytes.slice(contextAt) };
}
