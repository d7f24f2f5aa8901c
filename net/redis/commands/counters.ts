import { int64Min } from "../../../core/bytes/decimal.ts";
import type { Outcome } from "../../../core/kv/kv.ts";
import type { Call } from "../call.ts";
import { type Command, command, firstIsKey } from "../command.ts";
import { errorText } from "../error-text.ts";
import type { ReplyWriter } from "../reply-writer.ts";

function renderCounter(reply: ReplyWriter, outcome: Outcome): void {
  if (outcome.rejected === "not-an-integer") reply.error(errorText.notAnInteger);
  else if (outcome.rejected !== null) reply.error(errorText.overflow);
  else reply.long(outcome.integer);
}

function increment(call: Call, delta: bigint): void {
  call.mutate({ kind: "increment", key: call.args.bytes(1), delta }, renderCounter);
}

function incrementBy(call: Call): void {
  const delta = call.args.integer(2);
  if (delta === null) call.error(errorText.notAnInteger);
  else increment(call, BigInt(delta));
}

function decrementBy(call: Call): void {
  const delta = call.args.integer(2);
  if (delta === null) call.error(errorText.notAnInteger);
  // The one integer whose negative is none.
  else if (delta === int64Min) call.error("ERR decrement would overflow");
  else increment(call, -BigInt(delta));
}

const group = "string";
const flags = ["write", "denyoom", "fast"] as const;
const keys = firstIsKey;

export const counterCommands: readonly Command[] = [
  command(
    "incr",
    {
      arity: 2,
      flags,
      keys,
      group,
      since: "1.0.0",
      summary: "Increments the integer value of a key by one.",
    },
    (call) => increment(call, 1n),
  ),
  command(
    "decr",
    {
      arity: 2,
      flags,
      keys,
      group,
      since: "1.0.0",
      summary: "Decrements the integer value of a key by one.",
    },
    (call) => increment(call, -1n),
  ),
  command(
    "incrby",
    {
      arity: 3,
      flags,
      keys,
      group,
      since: "1.0.0",
      summary: "Increments the integer value of a key by a number.",
    },
    incrementBy,
  ),
  command(
    "decrby",
    {
      arity: 3,
      flags,
      keys,
      group,
      since: "1.0.0",
      summary: "Decrements a number from the integer value of a key.",
    },
    decrementBy,
  ),
];
