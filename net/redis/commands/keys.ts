import type { KvEntry, Outcome } from "../../../core/kv/kv.ts";
import type { Call } from "../call.ts";
import { allAreKeys, type Command, command, firstIsKey } from "../command.ts";
import type { ReplyWriter } from "../reply-writer.ts";

type Entries = readonly (KvEntry | null)[];

function renderPresent(reply: ReplyWriter, entries: Entries): void {
  let present = 0;
  for (const entry of entries) if (entry !== null) present++;
  reply.integer(present);
}

function renderType(reply: ReplyWriter, entries: Entries): void {
  reply.simple((entries[0] ?? null) === null ? "none" : "string");
}

function renderCount(reply: ReplyWriter, outcome: Outcome): void {
  reply.integer(outcome.count);
}

function remove(call: Call): void {
  call.mutate({ kind: "delete", keys: call.keysFrom(1, 1) }, renderCount);
}

function countPresent(call: Call): void {
  call.read(call.keysFrom(1, 1), renderPresent);
}

const group = "generic";

export const keyCommands: readonly Command[] = [
  command(
    "del",
    {
      arity: -2,
      flags: ["write"],
      keys: allAreKeys,
      group,
      since: "1.0.0",
      summary: "Deletes one or more keys.",
      caveat: "Atomic across a crash, too.",
    },
    remove,
  ),
  command(
    "unlink",
    {
      arity: -2,
      flags: ["write", "fast"],
      keys: allAreKeys,
      group,
      since: "4.0.0",
      summary: "Asynchronously deletes one or more keys.",
      caveat: "The same as DEL.",
    },
    remove,
  ),
  command(
    "exists",
    {
      arity: -2,
      flags: ["readonly", "fast"],
      keys: allAreKeys,
      group,
      since: "3.0.3",
      summary: "Determines whether one or more keys exist.",
    },
    countPresent,
  ),
  command(
    "touch",
    {
      arity: -2,
      flags: ["readonly", "fast"],
      keys: allAreKeys,
      group,
      since: "3.2.1",
      summary: "Returns the number of existing keys out of those specified.",
      caveat: "No access time is kept: the same as EXISTS.",
    },
    countPresent,
  ),
  command(
    "type",
    {
      arity: 2,
      flags: ["readonly", "fast"],
      keys: firstIsKey,
      group,
      since: "1.0.0",
      summary: "Determines the type of value stored at a key.",
      caveat: "string or none.",
    },
    (call) => call.read([call.args.bytes(1)], renderType),
  ),
];
