import type { Call } from "../call.ts";
import { type Command, command } from "../command.ts";
import { errorText } from "../error-text.ts";
import { isClientName } from "./client.ts";
import { redisVersion } from "./info.ts";

/** The one user there is. */
const userName = "default";

function runPing(call: Call): void {
  const { args } = call;
  if (args.count > 2) call.error("ERR wrong number of arguments for 'ping' command");
  else if (args.count === 2) call.reply.bulk(args.bytes(1));
  else call.reply.simple("PONG");
}

function runQuit(call: Call): void {
  call.reply.ok();
  call.session.leaving = true;
}

function runReset(call: Call): void {
  call.session.reset(call.gateway.open);
  call.mute(false);
  call.reply.simple("RESET");
}

function runSelect(call: Call): void {
  const index = call.args.integer(1);
  if (index === null) call.error(errorText.notAnInteger);
  else if (index !== 0) call.error(errorText.dbOutOfRange);
  else call.reply.ok();
}

function runAuth(call: Call): void {
  const { args, gateway, session } = call;
  if (args.count > 3) {
    call.error(errorText.syntax);
  } else if (args.count === 2 && gateway.open) {
    call.error(
      "ERR AUTH <password> called without any password configured for the default user. " +
        "Are you sure your configuration is correct?",
    );
  } else if (authenticates(call, args.count === 3 ? 1 : -1, args.count - 1)) {
    session.authenticated = true;
    call.reply.ok();
  } else {
    call.error(errorText.wrongPass);
  }
}

/** Is the user at token `user` (-1: not named) who the password at token `password` says? */
function authenticates(call: Call, user: number, password: number): boolean {
  const { args, gateway } = call;
  const known = user === -1 || args.text(user, 64) === userName;
  const right = gateway.open || equalSecrets(args.bytes(password), gateway.options.password);
  return known && right;
}

/** Takes a time that depends on what the client said only, not on how much of it is right. */
function equalSecrets(said: Uint8Array, secret: string): boolean {
  let difference = said.length ^ secret.length;
  for (let i = 0; i < said.length; i++) {
    difference |= (said[i] as number) ^ secret.charCodeAt(i % secret.length);
  }
  return difference === 0;
}

interface HelloOptions {
  authenticated: boolean;
  name: string | null;
}

function runHello(call: Call): void {
  const { args, session } = call;
  const version = args.count > 1 ? args.integer(1) : session.protocol;
  if (version === null) {
    call.error("ERR Protocol version is not an integer or out of range");
    return;
  }
  if (version !== 2 && version !== 3) {
    call.error(errorText.noProto);
    return;
  }
  const options = readHelloOptions(call);
  if (options === null) return;
  if (!options.authenticated) {
    call.error(
      "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> " +
        "AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol " +
        "version at the same time",
    );
    return;
  }
  session.authenticated = true;
  session.protocol = version;
  if (options.name !== null) session.name = options.name;
  renderHello(call);
}

/** [AUTH user password] [SETNAME name]; null when the request was answered with an error. */
function readHelloOptions(call: Call): HelloOptions | null {
  const { args, session } = call;
  const options: HelloOptions = { authenticated: session.authenticated, name: null };
  for (let i = 2; i < args.count; i++) {
    if (args.is(i, "auth") && i + 2 < args.count) {
      if (!authenticates(call, i + 1, i + 2)) return fail(call, errorText.wrongPass);
      options.authenticated = true;
      i += 2;
    } else if (args.is(i, "setname") && i + 1 < args.count) {
      options.name = args.text(++i);
      if (!isClientName(options.name)) return fail(call, errorText.clientName);
    } else {
      return fail(call, `ERR Syntax error in HELLO option '${args.text(i, 128)}'`);
    }
  }
  return options;
}

function fail(call: Call, text: string): null {
  call.error(text);
  return null;
}

function renderHello(call: Call): void {
  const { reply, session } = call;
  reply.map(7);
  reply.text("server");
  reply.text("redis");
  reply.text("version");
  reply.text(redisVersion);
  reply.text("proto");
  reply.integer(session.protocol);
  reply.text("id");
  reply.integer(session.id);
  reply.text("mode");
  reply.text("standalone");
  reply.text("role");
  reply.text("master");
  reply.text("modules");
  reply.array(0);
}

const group = "connection";
const fast = ["loading", "stale", "fast"] as const;

export const connectCommands: readonly Command[] = [
  command(
    "ping",
    {
      arity: -1,
      flags: ["fast"],
      group,
      since: "1.0.0",
      summary: "Returns the server's liveliness response.",
    },
    runPing,
  ),
  command(
    "echo",
    { arity: 2, flags: fast, group, since: "1.0.0", summary: "Returns the given string." },
    (call) => call.reply.bulk(call.args.bytes(1)),
  ),
  command(
    "quit",
    {
      arity: -1,
      flags: [...fast, "no_auth"],
      group,
      since: "1.0.0",
      summary: "Closes the connection.",
      inTransaction: "immediate",
    },
    runQuit,
  ),
  command(
    "reset",
    {
      arity: 1,
      flags: [...fast, "no_auth"],
      group,
      since: "6.2.0",
      summary: "Resets the connection.",
      inTransaction: "immediate",
    },
    runReset,
  ),
  command(
    "select",
    {
      arity: 2,
      flags: fast,
      group,
      since: "1.0.0",
      summary: "Changes the selected database.",
      caveat: "Database 0 only.",
    },
    runSelect,
  ),
  command(
    "auth",
    {
      arity: -2,
      flags: [...fast, "no_auth"],
      group,
      since: "6.0.0",
      summary: "Authenticates the connection.",
      caveat: "One user, default.",
    },
    runAuth,
  ),
  command(
    "hello",
    {
      arity: -1,
      flags: [...fast, "no_auth"],
      group,
      since: "6.0.0",
      summary: "Handshakes with the Redis server.",
    },
    runHello,
  ),
  command(
    "readonly",
    {
      arity: 1,
      flags: fast,
      group,
      since: "3.0.0",
      summary: "Enables read-only queries for a connection to a replica.",
      caveat: "Accepted; there are no replicas.",
    },
    (call) => call.reply.ok(),
  ),
  command(
    "readwrite",
    {
      arity: 1,
      flags: fast,
      group,
      since: "3.0.0",
      summary: "Enables read-write queries for a connection to a replica.",
      caveat: "Accepted; there are no replicas.",
    },
    (call) => call.reply.ok(),
  ),
];
