import type { Expiry, KvEntry, Mutation, Outcome } from "../../../core/kv/kv.ts";
import type { Call } from "../call.ts";
import { allAreKeys, type Command, command, everySecondIsKey, firstIsKey } from "../command.ts";
import { errorText } from "../error-text.ts";
import type { ReplyWriter } from "../reply-writer.ts";
import { wrongArity } from "./arity.ts";
import {
  inMilliseconds,
  inSeconds,
  keep,
  lifetimeOption,
  type LifetimeUnit,
  never,
  readLifetime,
} from "./lifetimes.ts";

type Entries = readonly (KvEntry | null)[];

function renderValue(reply: ReplyWriter, entries: Entries): void {
  const entry = entries[0] ?? null;
  if (entry === null) reply.null();
  else reply.bulk(entry.value);
}

function renderValues(reply: ReplyWriter, entries: Entries): void {
  reply.array(entries.length);
  for (const entry of entries) reply.bulkOrNull(entry === null ? null : entry.value);
}

function renderLength(reply: ReplyWriter, entries: Entries): void {
  const entry = entries[0] ?? null;
  reply.integer(entry === null ? 0 : entry.value.length);
}

function renderOk(reply: ReplyWriter): void {
  reply.ok();
}

function renderOkOrNull(reply: ReplyWriter, outcome: Outcome): void {
  if (outcome.applied) reply.ok();
  else reply.null();
}

function renderApplied(reply: ReplyWriter, outcome: Outcome): void {
  reply.integer(outcome.applied ? 1 : 0);
}

function renderPrevious(reply: ReplyWriter, outcome: Outcome): void {
  reply.bulkOrNull(outcome.previous === null ? null : outcome.previous.value);
}

function renderCount(reply: ReplyWriter, outcome: Outcome): void {
  if (outcome.rejected === null) reply.integer(outcome.count);
  else reply.error(errorText.tooLong);
}

interface SetOptions {
  condition: "always" | "absent" | "present";
  expiry: Expiry;
  returning: boolean;
}

function runSet(call: Call): void {
  const { args } = call;
  if (args.count === 3) {
    put(call, args.bytes(2), never);
    return;
  }
  const options = readSetOptions(call);
  if (options === null) return;
  const mutation: Mutation = {
    kind: "put",
    key: args.bytes(1),
    value: args.bytes(2),
    expiry: options.expiry,
    condition: options.condition,
    returning: options.returning,
  };
  call.mutate(mutation, options.returning ? renderPrevious : renderOkOrNull);
}

/** NX XX GET KEEPTTL EX PX EXAT PXAT in any order; null when the request was answered with an error. */
function readSetOptions(call: Call): SetOptions | null {
  const { args } = call;
  const options: SetOptions = { condition: "always", expiry: never, returning: false };
  let unit: LifetimeUnit | null = null;
  let valueIndex = 0;
  let keeps = false;
  for (let i = 3; i < args.count; i++) {
    const nextUnit = lifetimeOption(call, i);
    if (args.is(i, "nx") && options.condition !== "present") {
      options.condition = "absent";
    } else if (args.is(i, "xx") && options.condition !== "absent") {
      options.condition = "present";
    } else if (args.is(i, "get")) {
      options.returning = true;
    } else if (args.is(i, "keepttl") && unit === null) {
      keeps = true;
    } else if (nextUnit !== null && (unit ?? nextUnit) === nextUnit && !keeps && i + 1 < args.count) {
      unit = nextUnit;
      valueIndex = ++i;
    } else {
      call.error(errorText.syntax);
      return null;
    }
  }
  if (keeps) options.expiry = keep;
  if (unit === null) return options;
  const expiry = readLifetime(call, valueIndex, unit, { value: 1, command: "set" });
  if (expiry === null) return null;
  options.expiry = expiry;
  return options;
}

function put(call: Call, value: Uint8Array, expiry: Expiry): void {
  const key = call.args.bytes(1);
  call.mutate({ kind: "put", key, value, expiry, condition: "always", returning: false }, renderOk);
}

function putWithLifetime(call: Call, unit: LifetimeUnit, name: string): void {
  const expiry = readLifetime(call, 2, unit, { value: 1, command: name });
  if (expiry !== null) put(call, call.args.bytes(3), expiry);
}

function runSetNx(call: Call): void {
  const { args } = call;
  const [key, value] = [args.bytes(1), args.bytes(2)];
  call.mutate(
    { kind: "put", key, value, expiry: never, condition: "absent", returning: false },
    renderApplied,
  );
}

function runGetSet(call: Call): void {
  const { args } = call;
  const [key, value] = [args.bytes(1), args.bytes(2)];
  call.mutate(
    { kind: "put", key, value, expiry: never, condition: "always", returning: true },
    renderPrevious,
  );
}

function runGetEx(call: Call): void {
  const { args } = call;
  if (args.count === 2) {
    call.read([args.bytes(1)], renderValue);
    return;
  }
  const unit = lifetimeOption(call, 2);
  const persists = args.is(2, "persist");
  if (args.count !== (persists ? 3 : 4) || (unit === null && !persists)) {
    call.error(errorText.syntax);
    return;
  }
  const expiry = unit === null ? never : readLifetime(call, 3, unit, { value: 1, command: "getex" });
  if (expiry === null) return;
  call.mutate({ kind: "expire", key: args.bytes(1), expiry, condition: "always" }, renderPrevious);
}

function putMany(call: Call, name: string, condition: "always" | "all-absent"): void {
  if (call.args.count % 2 === 0) {
    wrongArity(call, name);
    return;
  }
  const keys = call.keysFrom(1, 2);
  const values = call.keysFrom(2, 2);
  call.mutate(
    { kind: "put-many", keys, values, condition },
    condition === "always" ? renderOk : renderApplied,
  );
}

const group = "string";

export const stringCommands: readonly Command[] = [
  command(
    "get",
    {
      arity: 2,
      flags: ["readonly", "fast"],
      keys: firstIsKey,
      group,
      since: "1.0.0",
      summary: "Returns the string value of a key.",
    },
    (call) => call.read([call.args.bytes(1)], renderValue),
  ),
  command(
    "set",
    {
      arity: -3,
      flags: ["write", "denyoom"],
      keys: firstIsKey,
      group,
      since: "7.0.0",
      summary: "Sets the string value of a key, ignoring its type. Creates the key if it doesn't exist.",
      caveat: "NX XX GET EX PX EXAT PXAT KEEPTTL; lifetimes end within 285,000 years.",
    },
    runSet,
  ),
  command(
    "setnx",
    {
      arity: 3,
      flags: ["write", "denyoom", "fast"],
      keys: firstIsKey,
      group,
      since: "1.0.0",
      summary: "Sets the string value of a key only when the key doesn't exist.",
    },
    runSetNx,
  ),
  command(
    "setex",
    {
      arity: 4,
      flags: ["write", "denyoom"],
      keys: firstIsKey,
      group,
      since: "2.0.0",
      summary: "Sets the string value and expiration time of a key.",
    },
    (call) => putWithLifetime(call, inSeconds, "setex"),
  ),
  command(
    "psetex",
    {
      arity: 4,
      flags: ["write", "denyoom"],
      keys: firstIsKey,
      group,
      since: "2.6.0",
      summary: "Sets the string value and expiration time in milliseconds of a key.",
    },
    (call) => putWithLifetime(call, inMilliseconds, "psetex"),
  ),
  command(
    "getset",
    {
      arity: 3,
      flags: ["write", "denyoom", "fast"],
      keys: firstIsKey,
      group,
      since: "1.0.0",
      summary: "Returns the previous string value of a key after setting it to a new value.",
    },
    runGetSet,
  ),
  command(
    "getdel",
    {
      arity: 2,
      flags: ["write", "fast"],
      keys: firstIsKey,
      group,
      since: "6.2.0",
      summary: "Returns the string value of a key after deleting the key.",
    },
    (call) => call.mutate({ kind: "take", key: call.args.bytes(1) }, renderPrevious),
  ),
  command(
    "getex",
    {
      arity: -2,
      flags: ["write", "fast"],
      keys: firstIsKey,
      group,
      since: "6.2.0",
      summary: "Returns the string value of a key after setting its expiration time.",
      caveat: "Options are checked even where there is no key.",
    },
    runGetEx,
  ),
  command(
    "append",
    {
      arity: 3,
      flags: ["write", "denyoom", "fast"],
      keys: firstIsKey,
      group,
      since: "2.0.0",
      summary: "Appends a string to the value of a key. Creates the key if it doesn't exist.",
      caveat: "The value is written whole each time.",
    },
    (call) => {
      const suffix = call.args.bytes(2);
      call.mutate({ kind: "append", key: call.args.bytes(1), suffix }, renderCount);
    },
  ),
  command(
    "strlen",
    {
      arity: 2,
      flags: ["readonly", "fast"],
      keys: firstIsKey,
      group,
      since: "2.2.0",
      summary: "Returns the length of a string value.",
    },
    (call) => call.read([call.args.bytes(1)], renderLength),
  ),
  command(
    "mget",
    {
      arity: -2,
      flags: ["readonly", "fast"],
      keys: allAreKeys,
      group,
      since: "1.0.0",
      summary: "Atomically returns the string values of one or more keys.",
      caveat: "Refused when the values together exceed the reply limit.",
    },
    (call) => call.read(call.keysFrom(1, 1), renderValues),
  ),
  command(
    "mset",
    {
      arity: -3,
      flags: ["write", "denyoom"],
      keys: everySecondIsKey,
      group,
      since: "1.0.1",
      summary: "Atomically creates or modifies the string values of one or more keys.",
      caveat: "Atomic across a crash, too.",
    },
    (call) => putMany(call, "mset", "always"),
  ),
  command(
    "msetnx",
    {
      arity: -3,
      flags: ["write", "denyoom"],
      keys: everySecondIsKey,
      group,
      since: "1.0.1",
      summary: "Atomically modifies the string values of one or more keys only when none of them exists.",
      caveat: "Atomic across a crash, too.",
    },
    (call) => putMany(call, "msetnx", "all-absent"),
  ),
];
