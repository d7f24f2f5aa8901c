import type { Call } from "../call.ts";
import type { Entry } from "../command-table.ts";
import { type Command, command, type CommandFlag } from "../command.ts";
import { errorText } from "../error-text.ts";
import { Glob } from "../glob.ts";
import type { ReplyWriter } from "../reply-writer.ts";
import { helpOf } from "./help.ts";

// COMMAND and its subcommands: the table about itself.

function topLevel(call: Call): readonly Entry[] {
  return call.gateway.commands.entries.filter(({ command: { name } }) => !name.includes("|"));
}

/** The categories that Redis's access control knows the command by. */
function categoriesOf({ flags, group, name }: Command): readonly string[] {
  const categories: string[] = [];
  const has = (flag: CommandFlag): boolean => flags.includes(flag);
  if (has("readonly") && group !== "connection") categories.push("@read");
  if (has("write")) categories.push("@write");
  if (group === "string") categories.push("@string");
  if (group === "generic") categories.push("@keyspace");
  if (has("admin")) categories.push("@admin", "@dangerous");
  if (name === "flushall" || name === "flushdb" || name === "keys") categories.push("@dangerous");
  if (group === "transactions") categories.push("@transaction");
  if (group === "connection") categories.push("@connection");
  categories.push(has("fast") ? "@fast" : "@slow");
  return categories;
}

function renderInfo(reply: ReplyWriter, entry: Entry): void {
  const row = entry.command;
  reply.array(10);
  reply.text(row.name);
  reply.integer(row.arity);
  reply.set(row.flags.length);
  for (const flag of row.flags) reply.simple(flag);
  reply.integer(row.keys.first);
  reply.integer(row.keys.last);
  reply.integer(row.keys.step);
  const categories = categoriesOf(row);
  reply.set(categories.length);
  for (const category of categories) reply.simple(category);
  reply.array(0);
  renderKeyPlaces(reply, row);
  reply.array(entry.subcommands.length);
  for (const subcommand of entry.subcommands) renderInfo(reply, subcommand);
}

function renderKeyPlaces(reply: ReplyWriter, { keys, flags }: Command): void {
  if (keys.first === 0) {
    reply.array(0);
    return;
  }
  const marks = flags.includes("write") ? ["RW", "access", "update"] : ["RO", "access"];
  reply.array(1);
  reply.map(3);
  reply.text("flags");
  reply.set(marks.length);
  for (const mark of marks) reply.simple(mark);
  reply.text("begin_search");
  reply.map(2);
  reply.text("type");
  reply.text("index");
  reply.text("spec");
  reply.map(1);
  reply.text("index");
  reply.integer(keys.first);
  reply.text("find_keys");
  reply.map(2);
  reply.text("type");
  reply.text("range");
  reply.text("spec");
  reply.map(3);
  reply.text("lastkey");
  reply.integer(keys.last < 0 ? keys.last : keys.last - keys.first);
  reply.text("keystep");
  reply.integer(keys.step);
  reply.text("limit");
  reply.integer(0);
}

function renderDocs(reply: ReplyWriter, entry: Entry): void {
  const row = entry.command;
  reply.text(row.name);
  reply.map(entry.subcommands.length > 0 ? 4 : 3);
  reply.text("summary");
  reply.text(row.summary);
  reply.text("since");
  reply.text(row.since);
  reply.text("group");
  reply.text(row.group);
  if (entry.subcommands.length === 0) return;
  reply.text("subcommands");
  reply.map(entry.subcommands.length);
  for (const subcommand of entry.subcommands) renderDocs(reply, subcommand);
}

function runAll(call: Call): void {
  const entries = topLevel(call);
  const { reply } = call;
  reply.array(entries.length);
  for (const entry of entries) renderInfo(reply, entry);
}

/** The command that token `index` names, "container|subcommand" included. */
function named(call: Call, index: number): Entry | null {
  const name = call.args.text(index, 64).toLowerCase();
  return call.gateway.commands.entries.find((entry) => entry.command.name === name) ?? null;
}

function runInfo(call: Call): void {
  const { args } = call;
  if (args.count === 2) {
    runAll(call);
    return;
  }
  const { reply } = call;
  reply.array(args.count - 2);
  for (let i = 2; i < args.count; i++) {
    const entry = named(call, i);
    if (entry === null) reply.nullArray();
    else renderInfo(reply, entry);
  }
}

function runDocs(call: Call): void {
  const { args, reply } = call;
  const entries: Entry[] = args.count === 2 ? [...topLevel(call)] : [];
  for (let i = 2; i < args.count; i++) {
    const entry = named(call, i);
    if (entry !== null && !entries.includes(entry)) entries.push(entry);
  }
  reply.map(entries.length);
  for (const entry of entries) renderDocs(reply, entry);
}

/** COMMAND LIST [FILTERBY MODULE name | ACLCAT category | PATTERN pattern] */
function runList(call: Call): void {
  const { args } = call;
  let names = call.gateway.commands.entries.map((entry) => entry.command);
  if (args.count === 5 && args.is(2, "filterby")) {
    if (args.is(3, "module")) {
      names = [];
    } else if (args.is(3, "aclcat")) {
      const category = `@${args.text(4, 64).toLowerCase()}`;
      names = names.filter((row) => categoriesOf(row).includes(category));
    } else if (args.is(3, "pattern")) {
      const glob = new Glob(args.bytes(4).slice(0, 1024));
      names = names.filter((row) => glob.matches(new TextEncoder().encode(row.name)));
    } else {
      call.error(errorText.syntax);
      return;
    }
  } else if (args.count !== 2) {
    call.error(errorText.syntax);
    return;
  }
  const { reply } = call;
  reply.set(names.length);
  for (const { name } of names) reply.text(name);
}

function runGetKeys(call: Call): void {
  const { args, gateway } = call;
  const entry = gateway.commands.find(args, 2);
  if (entry === null) {
    call.error("ERR Invalid command specified");
    return;
  }
  // Key places of a container are those of its subcommand, one token further on.
  const word = entry.subcommands.length > 0 && args.count > 3 ? args.text(3, 64).toLowerCase() : "";
  const target = entry.subcommands.find((subcommand) => subcommand.word === word) ?? entry;
  if (target.firstKey === 0) {
    call.error("ERR The command has no key arguments");
  } else if (!target.accepts(args.count - 2)) {
    call.error("ERR Invalid number of arguments specified for command");
  } else {
    const last = target.lastKey < 0 ? args.count + target.lastKey : target.lastKey + 2;
    const { reply } = call;
    reply.array(Math.floor((last - (target.firstKey + 2)) / target.keyStep) + 1);
    for (let i = target.firstKey + 2; i <= last; i += target.keyStep) reply.bulk(args.bytes(i));
  }
}

const group = "server";
const flags = ["loading", "stale"] as const;

function row(name: string, arity: number, summary: string, run: (call: Call) => void): Command {
  return command(`command|${name}`, { arity, flags, group, since: "7.0.0", summary }, run);
}

const rows: readonly Command[] = [
  row("count", 2, "Returns a count of commands.", (call) => call.reply.integer(topLevel(call).length)),
  row("info", -2, "Returns information about one, multiple or all commands.", runInfo),
  row("docs", -2, "Returns documentary information about one, multiple or all commands.", runDocs),
  row("list", -2, "Returns a list of command names.", runList),
  row("getkeys", -3, "Extracts the key names from an arbitrary command.", runGetKeys),
];

export const commandCommand: Command = command(
  "command",
  {
    arity: -1,
    flags,
    group,
    since: "7.0.0",
    summary: "Returns detailed information about all commands.",
    subcommands: [...rows, helpOf("command", group, rows)],
  },
  runAll,
);
