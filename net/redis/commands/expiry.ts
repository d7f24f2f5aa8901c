import type { ExpiryCondition, KvEntry, Outcome } from "../../../core/kv/kv.ts";
import type { Call } from "../call.ts";
import { type Command, command, firstIsKey } from "../command.ts";
import type { ReplyWriter } from "../reply-writer.ts";
import {
  atMillisecond,
  atSecond,
  inMilliseconds,
  inSeconds,
  type LifetimeUnit,
  never,
  readLifetime,
} from "./lifetimes.ts";

type Entries = readonly (KvEntry | null)[];

/** Milliseconds left at `nowMs`; -1: for ever; -2: there is nothing. Rounded as Redis does. */
function timeLeft(entries: Entries, nowMs: number): number {
  const entry = entries[0] ?? null;
  if (entry === null) return -2;
  return entry.expiresAtMs === 0 ? -1 : Math.max(0, entry.expiresAtMs - nowMs);
}

function deadline(entries: Entries): number {
  const entry = entries[0] ?? null;
  if (entry === null) return -2;
  return entry.expiresAtMs === 0 ? -1 : entry.expiresAtMs;
}

function seconds(ms: number): number {
  return ms < 0 ? ms : Math.floor((ms + 500) / 1000);
}

function renderTtl(reply: ReplyWriter, entries: Entries, nowMs: number): void {
  reply.integer(seconds(timeLeft(entries, nowMs)));
}

function renderPttl(reply: ReplyWriter, entries: Entries, nowMs: number): void {
  reply.integer(timeLeft(entries, nowMs));
}

function renderExpireTime(reply: ReplyWriter, entries: Entries): void {
  reply.integer(seconds(deadline(entries)));
}

function renderPexpireTime(reply: ReplyWriter, entries: Entries): void {
  reply.integer(deadline(entries));
}

function renderApplied(reply: ReplyWriter, outcome: Outcome): void {
  reply.integer(outcome.applied ? 1 : 0);
}

function expire(call: Call, unit: LifetimeUnit, name: string): void {
  const condition = readCondition(call);
  if (condition === null) return;
  const expiry = readLifetime(call, 2, unit, { value: -Infinity, command: name });
  if (expiry === null) return;
  call.mutate({ kind: "expire", key: call.args.bytes(1), expiry, condition }, renderApplied);
}

/** NX XX GT LT; null when the request was answered with an error. */
function readCondition(call: Call): ExpiryCondition | null {
  const { args } = call;
  let [none, some, later, sooner] = [false, false, false, false];
  for (let i = 3; i < args.count; i++) {
    if (args.is(i, "nx")) none = true;
    else if (args.is(i, "xx")) some = true;
    else if (args.is(i, "gt")) later = true;
    else if (args.is(i, "lt")) sooner = true;
    else {
      call.error(`ERR Unsupported option ${args.text(i, 128)}`);
      return null;
    }
  }
  if (none && (some || later || sooner)) {
    call.error("ERR NX and XX, GT or LT options at the same time are not compatible");
    return null;
  }
  if (later && sooner) {
    call.error("ERR GT and LT options at the same time are not compatible");
    return null;
  }
  if (none) return "none";
  // What never expires cannot be given a later deadline: XX says nothing more than GT does.
  if (later) return "later";
  if (sooner) return some ? "some-sooner" : "sooner";
  return some ? "some" : "always";
}

const group = "generic";
const keys = firstIsKey;
const reads = ["readonly", "fast"] as const;
const writes = ["write", "fast"] as const;

function row(name: string, since: string, summary: string, run: (call: Call) => void): Command {
  return command(name, { arity: 2, flags: reads, keys, group, since, summary }, run);
}

function expireRow(name: string, since: string, summary: string, unit: LifetimeUnit): Command {
  const facts = { arity: -3, flags: writes, keys, group, since, summary, caveat: "NX XX GT LT." } as const;
  return command(name, facts, (call) => expire(call, unit, name));
}

export const expiryCommands: readonly Command[] = [
  row("ttl", "2.8.0", "Returns the expiration time in seconds of a key.", (call) =>
    call.read([call.args.bytes(1)], renderTtl, call.wallMs()),
  ),
  row("pttl", "2.8.0", "Returns the expiration time in milliseconds of a key.", (call) =>
    call.read([call.args.bytes(1)], renderPttl, call.wallMs()),
  ),
  row("expiretime", "7.0.0", "Returns the expiration time of a key as a Unix timestamp.", (call) =>
    call.read([call.args.bytes(1)], renderExpireTime),
  ),
  row(
    "pexpiretime",
    "7.0.0",
    "Returns the expiration time of a key as a Unix milliseconds timestamp.",
    (call) => call.read([call.args.bytes(1)], renderPexpireTime),
  ),
  expireRow("expire", "7.0.0", "Sets the expiration time of a key in seconds.", inSeconds),
  expireRow("pexpire", "7.0.0", "Sets the expiration time of a key in milliseconds.", inMilliseconds),
  expireRow("expireat", "7.0.0", "Sets the expiration time of a key to a Unix timestamp.", atSecond),
  expireRow(
    "pexpireat",
    "7.0.0",
    "Sets the expiration time of a key to a Unix milliseconds timestamp.",
    atMillisecond,
  ),
  command(
    "persist",
    {
      arity: 2,
      flags: writes,
      keys,
      group,
      since: "2.2.0",
      summary: "Removes the expiration time of a key.",
    },
    (call) => {
      const key = call.args.bytes(1);
      call.mutate({ kind: "expire", key, expiry: never, condition: "always" }, renderApplied);
    },
  ),
];
