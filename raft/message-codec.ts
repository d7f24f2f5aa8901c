// HOT: every message of every group is written and read here.
import { type ByteReader, MalformedError } from "../core/bytes/byte-reader.ts";
import type { ByteWriter } from "../core/bytes/byte-writer.ts";
import type { ConfState } from "./conf-state.ts";
import { type Entry, type EntryKind, type LogIndex, noEntries } from "./entry.ts";
import type { RegionEpoch } from "./epoch.ts";
import { Message, type MessageKind } from "./message.ts";
import type { SnapshotMeta } from "./snapshot-meta.ts";

/** By code, which never changes. */
const messageKinds: readonly MessageKind[] = [
  "append",
  "appendReply",
  "heartbeat",
  "heartbeatReply",
  "preVote",
  "preVoteReply",
  "vote",
  "voteReply",
  "snapshot",
  "timeoutNow",
  "quiesce",
];

/** As messages and logs name them; never reused. */
export const entryKindCodes: Readonly<Record<EntryKind, number>> = { normal: 0, noop: 1, conf: 2 };
const entryKinds: readonly EntryKind[] = ["normal", "noop", "conf"];

const flagReject = 1;
const flagForce = 2;

const entriesMax = 1 << 20;
const peersMax = 1 << 12;
/** No larger frame leaves a node. */
const bytesMax = 1 << 20;

/** A message and whose it is. */
export interface RegionMessage {
  readonly regionId: number;
  /** The sender's when it was sent; zeros of a peer that has no region yet. */
  readonly epoch: RegionEpoch;
  readonly message: Message;
}

export function messageCode(kind: MessageKind): number {
  return messageKinds.indexOf(kind);
}

export function entryKindOf(code: number): EntryKind | null {
  return entryKinds[code] ?? null;
}

/**
 * All integers are varints but where it says otherwise: kind u8, flags u8 (1 reject, 2 force), regionId, version,
 * confVer, from, to, term; then what the kind has, in the order in which `Message` declares it.
 */
// oxlint-disable-next-line max-params -- hot: an object per message would cost more than it
export function writeMessage(out: ByteWriter, regionId: number, epoch: RegionEpoch, message: Message): void {
  out.u8(messageKinds.indexOf(message.kind));
  out.u8((message.reject ? flagReject : 0) | (message.force ? flagForce : 0));
  out.varint(regionId);
  out.varint(epoch.version);
  out.varint(epoch.confVer);
  out.varint(message.from);
  out.varint(message.to);
  out.varint(message.term);
  writeFields(out, message);
}

function writeFields(out: ByteWriter, message: Message): void {
  switch (message.kind) {
    case "append":
      out.varint(message.index);
      out.varint(message.logTerm);
      out.varint(message.commit);
      out.varint(message.closedTs);
      writeEntries(out, message.entries);
      return;
    case "appendReply":
      out.varint(message.index);
      out.varint(message.hintIndex);
      out.varint(message.hintTerm);
      out.varint(message.applied);
      return;
    case "heartbeat":
      out.varint(message.commit);
      out.varint(message.readSeq);
      return;
    case "heartbeatReply":
      out.varint(message.readSeq);
      out.varint(message.applied);
      return;
    case "preVote":
    case "vote":
      out.varint(message.index);
      out.varint(message.logTerm);
      return;
    case "preVoteReply":
    case "voteReply":
      out.varint(message.logTerm);
      out.varint(message.commit);
      return;
    case "snapshot":
      out.bool(message.snapshot !== null);
      if (message.snapshot !== null) writeSnapshotMeta(out, message.snapshot);
      return;
    case "quiesce":
      out.varint(message.commit);
      return;
    case "timeoutNow":
      return;
  }
}

/** Count, then per entry: term, kind u8, data as bytes. Their indexes follow the message's. */
function writeEntries(out: ByteWriter, entries: readonly Entry[]): void {
  out.varint(entries.length);
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i] as Entry;
    out.varint(entry.term);
    out.u8(entryKindCodes[entry.kind]);
    out.bytes(entry.data);
  }
}

/** Throws `MalformedError`. Entries borrow what is read: whoever keeps them reads from memory that stays. */
export function readMessage(from: ByteReader): RegionMessage {
  const code = from.u8("message kind");
  const kind = messageKinds[code];
  if (kind === undefined) throw new MalformedError("message kind", code, "unknown");
  const flags = from.u8("message flags");
  if (flags > (flagReject | flagForce)) throw new MalformedError("message flags", flags, "unknown");
  const regionId = from.varint("region id");
  const epoch = { version: from.varint("region version"), confVer: from.varint("region confVer") };
  const sender = from.varint("sender");
  const message = new Message(kind, sender, from.varint("receiver"), from.varint("term"));
  if (message.from === 0 || message.to === 0) throw new MalformedError("sender or receiver", 0, "nobody");
  message.reject = (flags & flagReject) !== 0;
  message.force = (flags & flagForce) !== 0;
  readFields(from, message);
  from.end("message");
  return { regionId, epoch, message };
}

function readFields(from: ByteReader, message: Message): void {
  switch (message.kind) {
    case "append":
      message.index = from.varint("index");
      message.logTerm = from.varint("log term");
      message.commit = from.varint("commit");
      message.closedTs = from.varint("closed timestamp");
      message.entries = readEntries(from, message);
      return;
    case "appendReply":
      message.index = from.varint("index");
      message.hintIndex = from.varint("hint index");
      message.hintTerm = from.varint("hint term");
      message.applied = from.varint("applied");
      return;
    case "heartbeat":
      message.commit = from.varint("commit");
      message.readSeq = from.varint("read round");
      return;
    case "heartbeatReply":
      message.readSeq = from.varint("read round");
      message.applied = from.varint("applied");
      return;
    case "preVote":
    case "vote":
      message.index = from.varint("index");
      message.logTerm = from.varint("log term");
      return;
    case "preVoteReply":
    case "voteReply":
      message.logTerm = from.varint("log term");
      message.commit = from.varint("commit");
      return;
    case "snapshot":
      if (from.bool("has snapshot")) message.snapshot = readSnapshotMeta(from);
      return;
    case "quiesce":
      message.commit = from.varint("commit");
      return;
    case "timeoutNow":
      return;
  }
}

function readEntries(from: ByteReader, message: Message): readonly Entry[] {
  const count = from.bounded("entries", entriesMax);
  // Each takes three bytes at least.
  if (count * 3 > from.left) throw new MalformedError("entries", count, `more than ${from.left} bytes can hold`);
  if (count === 0) return noEntries;
  if (!Number.isSafeInteger(message.index + count)) throw new MalformedError("index", message.index, "too large");
  const entries: Entry[] = [];
  let before = message.logTerm;
  for (let i = 1; i <= count; i++) {
    entries.push(readEntry(from, message.index + i, before, message.term));
    before = (entries[i - 1] as Entry).term;
  }
  return entries;
}

// oxlint-disable-next-line max-params
function readEntry(from: ByteReader, index: LogIndex, termMin: number, termMax: number): Entry {
  const term = from.varint("entry term");
  if (term < termMin || term > termMax) throw new MalformedError("entry term", term, "out of order");
  const code = from.u8("entry kind");
  const kind = entryKinds[code];
  if (kind === undefined) throw new MalformedError("entry kind", code, "unknown");
  return { index, term, kind, data: from.bytes("entry data", bytesMax) };
}

/** index, term, history hash (two u32), voters, votersOutgoing, learners, learnersNext (lists of ids), context. */
export function writeSnapshotMeta(out: ByteWriter, snapshot: SnapshotMeta): void {
  out.varint(snapshot.index);
  out.varint(snapshot.term);
  out.u32(snapshot.historyHash[0]);
  out.u32(snapshot.historyHash[1]);
  const { voters, votersOutgoing, learners, learnersNext } = snapshot.conf;
  for (const peers of [voters, votersOutgoing, learners, learnersNext]) {
    out.list(peers, (writer, peer) => writer.varint(peer));
  }
  out.bytes(snapshot.context);
}

/** Throws `MalformedError`. Owns what it holds. */
export function readSnapshotMeta(from: ByteReader): SnapshotMeta {
  const index = from.varint("snapshot index");
  const term = from.varint("snapshot term");
  const historyHash = [from.u32("history hash"), from.u32("history hash")] as const;
  const peers = (field: string): number[] => from.list(field, peersMax, (reader) => reader.varint(field));
  const conf: ConfState = {
    voters: peers("voters"),
    votersOutgoing: peers("outgoing voters"),
    learners: peers("learners"),
    learnersNext: peers("next learners"),
  };
  return { index, term, conf, historyHash, context: from.copy("snapshot context", bytesMax) };
}
