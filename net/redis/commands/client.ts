import type { Call } from "../call.ts";
import { type Command, command } from "../command.ts";
import { errorText } from "../error-text.ts";
import type { Client } from "../gateway.ts";
import type { Session } from "../session.ts";
import { helpOf } from "./help.ts";

const nameLengthMax = 1024;

/** Printable ASCII without blanks, as Redis has it; empty takes a name away. */
export function isClientName(name: string): boolean {
  return name.length <= nameLengthMax && /^[!-~]*$/.test(name);
}

function runSetName(call: Call): void {
  const name = call.args.text(2);
  if (!isClientName(name)) {
    call.error(errorText.clientName);
    return;
  }
  call.session.name = name;
  call.reply.ok();
}

function runGetName(call: Call): void {
  const { name } = call.session;
  if (name === "") call.reply.null();
  else call.reply.text(name);
}

function runSetInfo(call: Call): void {
  const { args, session } = call;
  const value = args.text(3);
  if (!args.is(2, "lib-name") && !args.is(2, "lib-ver")) {
    call.error(`ERR Unrecognized option '${args.text(2, 128)}'`);
  } else if (!isClientName(value)) {
    const what = args.is(2, "lib-name") ? "lib-name" : "lib-ver";
    call.error(`ERR ${what} cannot contain spaces, newlines or special characters.`);
  } else {
    if (args.is(2, "lib-name")) session.libraryName = value;
    else session.libraryVersion = value;
    call.reply.ok();
  }
}

function flagsOf({ transaction, noEvict }: Session): string {
  const flags = `${transaction === null ? "" : "x"}${noEvict ? "e" : ""}`;
  return flags === "" ? "N" : flags;
}

function describe(call: Call, client: Client): string {
  const { session } = client;
  const { clock, address } = call.gateway;
  const nowUs = clock.monotonicUs();
  const seconds = (sinceUs: number): number => Math.floor((nowUs - sinceUs) / 1_000_000);
  return [
    `id=${session.id}`,
    `addr=${session.remote.host}:${session.remote.port}`,
    `laddr=${address.host}:${address.port}`,
    "fd=0",
    `name=${session.name}`,
    `age=${seconds(session.createdUs)}`,
    `idle=${seconds(session.activeUs)}`,
    `flags=${flagsOf(session)}`,
    `db=0 sub=0 psub=0 ssub=0 multi=${session.transaction?.requests.length ?? -1} watch=${session.watched.length}`,
    `qbuf=${client.queuedBytes}`,
    `qbuf-free=0 argv-mem=0 multi-mem=${session.transaction?.heldBytes ?? 0} rbs=0 rbp=0 obl=0 oll=0`,
    `omem=${client.replyBytes}`,
    `tot-mem=${client.queuedBytes + client.replyBytes}`,
    "events=r",
    `cmd=${session.lastCommand}`,
    "user=default redir=-1",
    `resp=${session.protocol}`,
    `lib-name=${session.libraryName}`,
    `lib-ver=${session.libraryVersion}`,
  ].join(" ");
}

function runInfo(call: Call): void {
  const client = call.gateway.clients.get(call.session.id);
  call.reply.verbatim(client === undefined ? "" : `${describe(call, client)}\n`);
}

/** CLIENT LIST [TYPE type] [ID id ...] */
function runList(call: Call): void {
  const { args, gateway } = call;
  let clients = [...gateway.clients.values()];
  if (args.count === 4 && args.is(2, "type")) {
    const known = ["normal", "master", "replica", "slave", "pubsub"].some((type) => args.is(3, type));
    if (!known) {
      call.error(`ERR Unknown client type '${args.text(3, 128)}'`);
      return;
    }
    if (!args.is(3, "normal")) clients = [];
  } else if (args.count > 3 && args.is(2, "id")) {
    const ids = new Set<number>();
    for (let i = 3; i < args.count; i++) {
      const id = args.integer(i);
      if (id === null || id < 1) {
        call.error("ERR Invalid client ID");
        return;
      }
      ids.add(Number(id));
    }
    clients = clients.filter(({ session }) => ids.has(session.id));
  } else if (args.count > 2) {
    call.error(errorText.syntax);
    return;
  }
  call.reply.verbatim(clients.map((client) => `${describe(call, client)}\n`).join(""));
}

function runReply(call: Call): void {
  const { args, session } = call;
  if (args.is(2, "on")) {
    session.silent = false;
    call.mute(false);
    call.reply.ok();
  } else if (args.is(2, "off")) {
    session.silent = true;
    call.mute(true);
    call.reply.ok();
  } else if (args.is(2, "skip")) {
    session.skipsNext = !session.silent;
    call.mute(true);
    call.reply.ok();
  } else {
    call.error(errorText.syntax);
  }
}

/** ON or OFF at token 2; null when the request was answered with an error. */
function readSwitch(call: Call): boolean | null {
  const on = call.args.is(2, "on");
  if (!on && !call.args.is(2, "off")) {
    call.error(errorText.syntax);
    return null;
  }
  return on;
}

function runNoEvict(call: Call): void {
  const on = readSwitch(call);
  if (on === null) return;
  call.session.noEvict = on;
  call.reply.ok();
}

function runNoTouch(call: Call): void {
  const on = readSwitch(call);
  if (on === null) return;
  call.session.noTouch = on;
  call.reply.ok();
}

const group = "connection";
const flags = ["loading", "stale"] as const;

interface Row {
  readonly name: string;
  readonly arity: number;
  readonly since: string;
  readonly summary: string;
  readonly caveat?: string;
}

function row({ name, arity, since, summary, caveat }: Row, run: (call: Call) => void): Command {
  return command(`client|${name}`, { arity, flags, group, since, summary, caveat: caveat ?? "" }, run);
}

const rows: readonly Command[] = [
  row(
    { name: "id", arity: 2, since: "5.0.0", summary: "Returns the unique client ID of the connection." },
    (call) => call.reply.integer(call.session.id),
  ),
  row({ name: "setname", arity: 3, since: "2.6.9", summary: "Sets the connection name." }, runSetName),
  row(
    { name: "getname", arity: 2, since: "2.6.9", summary: "Returns the name of the connection." },
    runGetName,
  ),
  row(
    {
      name: "setinfo",
      arity: 4,
      since: "7.2.0",
      summary: "Sets information specific to the client or connection.",
    },
    runSetInfo,
  ),
  row(
    { name: "info", arity: 2, since: "6.2.0", summary: "Returns information about the connection." },
    runInfo,
  ),
  row(
    { name: "list", arity: -2, since: "6.2.0", summary: "Lists open connections.", caveat: "TYPE and ID." },
    runList,
  ),
  row(
    {
      name: "reply",
      arity: 3,
      since: "3.2.0",
      summary: "Instructs the server whether to reply to commands.",
    },
    runReply,
  ),
  row(
    {
      name: "no-evict",
      arity: 3,
      since: "7.0.0",
      summary: "Sets the client eviction mode of the connection.",
      caveat: "Accepted; clients are not evicted.",
    },
    runNoEvict,
  ),
  row(
    {
      name: "no-touch",
      arity: 3,
      since: "7.2.0",
      summary: "Controls whether commands sent by the client affect the LRU/LFU of accessed keys.",
      caveat: "Accepted; no access time is kept.",
    },
    runNoTouch,
  ),
];

export const clientCommand: Command = command(
  "client",
  {
    arity: -2,
    group,
    since: "2.4.0",
    summary: "A container for client connection commands.",
    subcommands: [...rows, helpOf("client", group, rows)],
  },
  (call) => call.error(errorText.syntax),
);
