import { recordBytes } from "../../../core/bytes/record.ts";
import { parseDecimal } from "../../../core/bytes/decimal.ts";
import type { KvEntry } from "../../../core/kv/kv.ts";
import type { Call } from "../call.ts";
import { type Command, command, type CommandGroup, type KeyPlaces, noKeys } from "../command.ts";
import { errorText } from "../error-text.ts";
import type { ReplyWriter } from "../reply-writer.ts";
import { helpOf } from "./help.ts";

// OBJECT, MEMORY, SLOWLOG, TIME, LASTSAVE: what tools look at.

type Entries = readonly (KvEntry | null)[];

/** Values that Redis would keep inside the object's header. */
const embeddedBytesMax = 44;

function renderEncoding(reply: ReplyWriter, entries: Entries): void {
  const entry = entries[0] ?? null;
  if (entry === null) {
    reply.null();
    return;
  }
  const { length } = entry.value;
  const isInteger = parseDecimal(entry.value, 0, length) !== null;
  const string = length <= embeddedBytesMax ? "embstr" : "raw";
  reply.text(isInteger ? "int" : string);
}

function renderOneOrNull(reply: ReplyWriter, entries: Entries): void {
  if ((entries[0] ?? null) === null) reply.null();
  else reply.integer(1);
}

function renderIdle(reply: ReplyWriter, entries: Entries): void {
  if ((entries[0] ?? null) === null) reply.null();
  else reply.integer(0);
}

function renderFrequency(reply: ReplyWriter, entries: Entries): void {
  if ((entries[0] ?? null) === null) {
    reply.null();
    return;
  }
  reply.error(
    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when " +
      "switching between policies at runtime LRU and LFU data will take some time to adjust.",
  );
}

function renderUsage(reply: ReplyWriter, entries: Entries, keyLength: number): void {
  const entry = entries[0] ?? null;
  if (entry === null) reply.null();
  else reply.integer(recordBytes(keyLength, entry.value.length));
}

function runUsage(call: Call): void {
  const { args } = call;
  const samples = args.count === 5 && args.is(3, "samples");
  if (args.count !== 3 && !samples) {
    call.error(errorText.syntax);
  } else if (samples && args.integer(4) === null) {
    call.error(errorText.notAnInteger);
  } else {
    call.read([args.bytes(2)], renderUsage, args.length(2));
  }
}

function runSlowLogGet(call: Call): void {
  const { args } = call;
  const count = args.count === 3 ? args.integer(2) : 10;
  if (count === null || count < -1) call.error("ERR count should be greater than or equal to -1");
  else call.reply.array(0);
}

function runTime(call: Call): void {
  const nowMs = call.wallMs();
  const { reply } = call;
  const seconds = Math.floor(nowMs / 1000);
  reply.array(2);
  reply.text(String(seconds));
  reply.text(String((nowMs - seconds * 1000) * 1000));
}

interface Row {
  readonly name: string;
  readonly arity: number;
  readonly group: CommandGroup;
  readonly since: string;
  readonly summary: string;
  readonly caveat?: string;
  readonly keys?: KeyPlaces;
}

function row(about: Row, run: (call: Call) => void): Command {
  const { name, arity, group, since, summary } = about;
  const keys = about.keys ?? noKeys;
  const flags = keys === noKeys ? (["admin", "loading", "stale"] as const) : (["readonly"] as const);
  return command(name, { arity, group, since, summary, keys, flags, caveat: about.caveat ?? "" }, run);
}

function container(name: string, group: CommandGroup, summary: string, rows: readonly Command[]): Command {
  const subcommands = [...rows, helpOf(name, group, rows)];
  return command(name, { arity: -2, group, since: "2.2.3", summary, subcommands }, (call) =>
    call.error(errorText.syntax),
  );
}

const secondIsKey: KeyPlaces = { first: 2, last: 2, step: 1 };

function objectRow(name: string, since: string, summary: string, caveat = ""): Omit<Row, "run"> {
  return { name: `object|${name}`, arity: 3, group: "generic", since, summary, caveat, keys: secondIsKey };
}

const objectRows: readonly Command[] = [
  row(
    objectRow(
      "encoding",
      "2.2.3",
      "Returns the internal encoding of a Redis object.",
      "Judged by the value.",
    ),
    (call) => call.read([call.args.bytes(2)], renderEncoding),
  ),
  row(
    objectRow(
      "freq",
      "4.0.0",
      "Returns the logarithmic access frequency counter of a Redis object.",
      "Not kept.",
    ),
    (call) => call.read([call.args.bytes(2)], renderFrequency),
  ),
  row(
    objectRow("idletime", "2.2.3", "Returns the time since the last access to a Redis object.", "Always 0."),
    (call) => call.read([call.args.bytes(2)], renderIdle),
  ),
  row(
    objectRow("refcount", "2.2.3", "Returns the reference count of a value of a key.", "Always 1."),
    (call) => call.read([call.args.bytes(2)], renderOneOrNull),
  ),
];

const memoryRows: readonly Command[] = [
  row(
    {
      name: "memory|usage",
      arity: -3,
      group: "server",
      since: "4.0.0",
      summary: "Estimates the memory usage of a key.",
      caveat: "The bytes of its record.",
      keys: secondIsKey,
    },
    runUsage,
  ),
];

const nothingSlow = "Nothing is recorded yet: the log is always empty.";

const slowLogRows: readonly Command[] = [
  row(
    {
      name: "slowlog|get",
      arity: -2,
      group: "server",
      since: "2.2.12",
      summary: "Returns the slow log's entries.",
      caveat: nothingSlow,
    },
    runSlowLogGet,
  ),
  row(
    {
      name: "slowlog|len",
      arity: 2,
      group: "server",
      since: "2.2.12",
      summary: "Returns the number of entries in the slow log.",
      caveat: nothingSlow,
    },
    (call) => call.reply.integer(0),
  ),
  row(
    {
      name: "slowlog|reset",
      arity: 2,
      group: "server",
      since: "2.2.12",
      summary: "Clears all entries from the slow log.",
      caveat: nothingSlow,
    },
    (call) => call.reply.ok(),
  ),
];

export const inspectionCommands: readonly Command[] = [
  container("object", "generic", "A container for object introspection commands.", objectRows),
  container("memory", "server", "A container for memory diagnostics commands.", memoryRows),
  container("slowlog", "server", "A container for slow log commands.", slowLogRows),
  command(
    "time",
    {
      arity: 1,
      flags: ["loading", "stale", "fast"],
      group: "server",
      since: "2.6.0",
      summary: "Returns the server time.",
      caveat: "Milliseconds.",
    },
    runTime,
  ),
  command(
    "lastsave",
    {
      arity: 1,
      flags: ["loading", "stale", "fast"],
      group: "server",
      since: "1.0.0",
      summary: "Returns the Unix timestamp of the last successful save to disk.",
      caveat: "When the server started.",
    },
    (call) => call.reply.integer(Math.floor(call.gateway.startedMs / 1000)),
  ),
];
