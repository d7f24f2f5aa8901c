// How messages, tasks and machines read in a story.
import type { ConfState } from "./conf-state.ts";
import type { Entry } from "./entry.ts";
import type { Message } from "./message.ts";
import type { Status } from "./raft.ts";
import type { AppendTask } from "./ready.ts";

const decoder = new TextDecoder();

/** `7/3:x`: index, term, data. */
export function entryText({ index, term, kind, data }: Entry): string {
  return `${index}/${term}:${kind === "normal" ? decoder.decode(data) : kind}`;
}

export function confText({ voters, votersOutgoing, learners, learnersNext }: ConfState): string {
  const parts = [`voters ${voters.join(",")}`];
  if (votersOutgoing.length > 0) parts.push(`outgoing ${votersOutgoing.join(",")}`);
  if (learners.length > 0) parts.push(`learners ${learners.join(",")}`);
  if (learnersNext.length > 0) parts.push(`to become learners ${learnersNext.join(",")}`);
  return parts.join("; ");
}

export function messageText(message: Message): string {
  const { kind, from, to, term, index, logTerm, entries, commit, reject, hintIndex, hintTerm } = message;
  const head = `${from}->${to} ${kind} term ${term}`;
  switch (kind) {
    case "append": {
      const what = entries.length === 0 ? "nothing" : entries.map(entryText).join(" ");
      return `${head}: after ${index}/${logTerm} ${what}, commit ${commit}`;
    }
    case "appendReply":
      return reject ? `${head}: refuses ${index}, try ${hintIndex}/${hintTerm}` : `${head}: has ${index}`;
    case "heartbeat":
    case "heartbeatReply": {
      const round = message.readSeq === 0 ? "" : ` round ${message.readSeq}`;
      return `${head}:${kind === "heartbeat" ? ` commit ${commit}` : ""}${round}`.replace(/:$/, "");
    }
    case "preVote":
    case "vote":
      return `${head}: last ${index}/${logTerm}${message.force ? ", forced" : ""}`;
    case "preVoteReply":
    case "voteReply":
      return `${head}: ${reject ? `no, committed ${commit}/${logTerm}` : "yes"}`;
    case "snapshot":
      return `${head}: at ${message.snapshot?.index}/${message.snapshot?.term}`;
    case "timeoutNow":
      return head;
    case "quiesce":
      return `${head}: commit ${commit}`;
    default:
      return head;
  }
}

export function taskText({ seq, hard, snapshot, entries, sendAfter }: AppendTask): string {
  const parts: string[] = [];
  if (hard !== null) parts.push(`term ${hard.term} vote ${hard.vote} commit ${hard.commit}`);
  if (snapshot !== null) parts.push(`snapshot ${snapshot.index}/${snapshot.term}`);
  if (entries.length > 0) parts.push(entries.map(entryText).join(" "));
  if (sendAfter.length > 0) parts.push(`then ${sendAfter.map(({ kind, to }) => `${kind} to ${to}`).join(", ")}`);
  return `#${seq} (${parts.join("; ")})`;
}

export function statusText(status: Status): string {
  const { id, role, term, leader, committed, applied, stable, last, lastTerm, quiesced, peers, conf } = status;
  const head = `${id}: ${role}${quiesced ? " asleep" : ""}, term ${term}, leader ${leader === 0 ? "none" : leader}`;
  const marks = `applied ${applied}, committed ${committed}, stable ${stable}, last ${last}/${lastTerm}`;
  const rows = peers.map(
    (peer) =>
      `\n  ${peer.id}: ${peer.state}, match ${peer.match}, next ${peer.next}` +
      `${peer.inflights > 0 ? `, ${peer.inflights} on their way` : ""}` +
      `${peer.pendingSnapshot > 0 ? `, snapshot ${peer.pendingSnapshot}` : ""}`,
  );
  return `${head}; ${marks}; ${confText(conf)}${rows.join("")}`;
}
