import type { Call } from "../call.ts";
import { type Command, command } from "../command.ts";
import type { Gateway } from "../gateway.ts";
import { Glob } from "../glob.ts";
import { helpOf } from "./help.ts";

/** Parameters by Redis's names, sorted. Few: test harnesses write back whatever they are shown. */
function parameters({ options, address }: Gateway): readonly (readonly [string, string])[] {
  return [
    ["appendonly", "no"],
    ["bind", address.host],
    ["databases", "1"],
    ["maxclients", String(options.clientsMax)],
    ["maxmemory", "0"],
    ["maxmemory-policy", "noeviction"],
    ["port", String(address.port)],
    ["proto-max-bulk-len", String(options.bulkBytesMax)],
    ["protected-mode", options.protectedMode ? "yes" : "no"],
    ["save", ""],
    ["timeout", String(Math.floor(options.idleMs / 1000))],
  ];
}

const encoder = new TextEncoder();

function runGet(call: Call): void {
  const { args } = call;
  const globs: Glob[] = [];
  for (let i = 2; i < args.count; i++) {
    globs.push(new Glob(encoder.encode(args.text(i, 256).toLowerCase())));
  }
  const chosen = parameters(call.gateway).filter(([name]) => {
    const bytes = encoder.encode(name);
    return globs.some((glob) => glob.matches(bytes));
  });
  const { reply } = call;
  reply.map(chosen.length);
  for (const [name, value] of chosen) {
    reply.text(name);
    reply.text(value);
  }
}

/** What runs is what was started with: setting a parameter to the value it has is accepted, nothing else. */
function runSet(call: Call): void {
  const { args } = call;
  const present = new Map(parameters(call.gateway));
  for (let i = 2; i < args.count; i += 2) {
    const name = args.text(i, 128);
    const value = present.get(name.toLowerCase());
    if (value === undefined || i + 1 === args.count) {
      call.error(`ERR Unknown option or number of arguments for CONFIG SET - '${name}'`);
      return;
    }
    if (args.text(i + 1) !== value) {
      const which = `(possibly related to argument '${name}')`;
      call.error(`ERR CONFIG SET failed ${which} - can't set immutable config`);
      return;
    }
  }
  call.reply.ok();
}

function runResetStat(call: Call): void {
  call.gateway.statistics.reset();
  call.reply.ok();
}

const group = "server";
const flags = ["admin", "loading", "stale"] as const;

const rows: readonly Command[] = [
  command(
    "config|get",
    {
      arity: -3,
      flags,
      group,
      since: "7.0.0",
      summary: "Returns the effective values of configuration parameters.",
      caveat: "A few parameters that clients ask for.",
    },
    runGet,
  ),
  command(
    "config|set",
    {
      arity: -4,
      flags,
      group,
      since: "7.0.0",
      summary: "Sets configuration parameters in-flight.",
      caveat: "Accepts only the value that a parameter already has.",
    },
    runSet,
  ),
  command(
    "config|resetstat",
    { arity: 2, flags, group, since: "2.0.0", summary: "Resets the server's statistics." },
    runResetStat,
  ),
];

export const configCommand: Command = command(
  "config",
  {
    arity: -2,
    group,
    since: "2.0.0",
    summary: "A container for server configuration commands.",
    subcommands: [...rows, helpOf("config", group, rows)],
  },
  (call) => call.error("ERR syntax error"),
);
