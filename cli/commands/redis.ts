import { readFileSync } from "node:fs";
import { type Durability, type EngineOptions, checkOptions, engineOptionsDefault } from "../../core/engine/options.ts";
import type { Env } from "../../core/env/env.ts";
import { NokvError } from "../../core/errors.ts";
import { systemCode } from "../../host/disk-error.ts";
import { openHostEnv } from "../../host/env.ts";
import { ownerText } from "../../host/owner-text.ts";
import type { GatewayOptions } from "../../net/redis/options.ts";
import { type RedisNode, openRedisNode } from "../../node/redis-node.ts";
import type { Command, Context } from "../command.ts";
import { CommandError, type ExitCode, UsageError, describeError, exitCode } from "../exit-code.ts";
import { formatAddress, isLoopback, probeAddress } from "../listen-address.ts";
import { type OptionTable, type Options, parseOptions } from "../options.ts";
import { resolveWorkdir } from "../workdir.ts";

const usage = `usage: nokv redis [--workdir DIR] [--addr HOST:PORT] [options]

Serves a directory to Redis clients (RESP2 and RESP3). The directory is created if its parent exists, and is
locked while the server runs. SIGINT, SIGTERM and SIGHUP shut it down cleanly; a second one ends it at once.

  --workdir DIR            where the data lives (default ./work_redis)
  --addr HOST:PORT         where to listen (default 127.0.0.1:6380); port 0 takes a free one
  --durability LEVEL       when a write is acknowledged (default sync)
                             sync      on the device: it survives a power loss
                             interval  handed to the system, synced on a timer
                             none      handed to the system
  --sync-interval DURATION the timer of "interval" (default 100ms)
  --tune NAME=N[,NAME=N]   limits of the engine, e.g. memtableBytes=16777216,level0TablesMax=8
  --password-file FILE     clients must AUTH with the first line of FILE
  --unprotected            without a password, serve clients of other machines too

Exit codes: 0 shut down, 2 usage, 65 corrupt or foreign data, 66 no such directory, 69 address in use,
73 cannot create, 74 I/O error, 75 locked by another process, 77 permission denied.

  nokv redis --workdir ./work_redis
  redis-cli -p 6380 set greeting hello
`;

const options: OptionTable = {
  workdir: "value",
  addr: "value",
  durability: "value",
  "sync-interval": "value",
  tune: "value",
  "password-file": "value",
  unprotected: "flag",
};

const defaultWorkdir = "./work_redis";
const defaultAddress = { host: "127.0.0.1", port: 6380 };
/** What the server creates is for its own user only. */
const privateMask = 0o077;

export const redisCommand: Command = {
  usage,
  run: (argv, context) => redis(parseOptions(argv, options), context),
};

async function redis(given: Options, context: Context): Promise<ExitCode> {
  const address = given.address("addr") ?? defaultAddress;
  const engine = engineOptions(given);
  const gateway = gatewayOptions(given);
  const workdir = resolveWorkdir(given.text("workdir") ?? defaultWorkdir);
  await probeAddress(address);
  process.umask(privateMask);
  const stop = new Promise<null>((resolve) => {
    // From here on, so that a signal during recovery ends in a clean shutdown too.
    context.onInterrupt(() => resolve(null));
  });
  let fail: (error: NokvError) => void = () => {};
  const failure = new Promise<NokvError>((resolve) => {
    fail = resolve;
  });
  const node = await openRedisNode(hostEnv(), {
    workdir,
    address,
    engine,
    gateway,
    onFatal: (error) => fail(error),
  });
  announce(node, { workdir, durability: engine.durability, gateway }, context);
  const error = await Promise.race([stop, failure]);
  if (error !== null) {
    context.terminal.err(`nokv: ${workdir}: ${describeError(error)}; shutting down\n`);
    await node.close();
    return exitCode.io;
  }
  await node.close();
  return exitCode.ok;
}

function hostEnv(): Env {
  try {
    return openHostEnv();
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(`NOKV_FAILPOINTS: ${error.message}`);
    throw error;
  }
}

function engineOptions(given: Options): Partial<EngineOptions> & { durability: Durability } {
  const durability = given.oneOf("durability", ["sync", "interval", "none"]) ?? "sync";
  const syncIntervalMs = given.durationMs("sync-interval");
  if (syncIntervalMs !== null && durability !== "interval") {
    throw new UsageError("--sync-interval needs --durability interval");
  }
  const timer = syncIntervalMs === null ? {} : { syncIntervalMs };
  return { ...tunedLimits(given.text("tune")), durability, owner: ownerText(), ...timer };
}

const tunable = Object.entries(engineOptionsDefault).flatMap(([name, value]) =>
  typeof value === "number" && name !== "syncIntervalMs" ? [name] : [],
);

/** `NAME=N` pairs. Bounds are the engine's to check, together. */
function tunedLimits(text: string | null): Partial<EngineOptions> {
  const limits = new Map<string, number>();
  for (const pair of text === null ? [] : text.split(",")) {
    const [, name, digits] = /^([A-Za-z0-9]+)=([0-9]{1,15})$/.exec(pair) ?? [];
    if (name === undefined) throw new UsageError(`--tune: "${pair}" is not NAME=N`, "such as memtableBytes=16777216");
    if (!tunable.includes(name)) throw new UsageError(`--tune: unknown limit ${name}`, `one of ${tunable.join(", ")}`);
    if (limits.has(name)) throw new UsageError(`--tune: ${name} is given twice`);
    limits.set(name, Number(digits));
  }
  const tuned: Partial<EngineOptions> = Object.fromEntries(limits);
  try {
    checkOptions(tuned);
  } catch (error) {
    if (error instanceof NokvError) throw new UsageError(`--tune: ${error.message}`);
    throw error;
  }
  return tuned;
}

function gatewayOptions(given: Options): Partial<GatewayOptions> {
  const path = given.text("password-file");
  const password = path === null ? {} : { password: readPassword(path) };
  return { protectedMode: !given.has("unprotected"), ...password };
}

/** The first line, one code unit per byte. */
function readPassword(path: string): string {
  try {
    const password = readFileSync(path, "latin1").split(/\r?\n/, 1)[0] ?? "";
    if (password !== "") return password;
  } catch (error) {
    const code = systemCode(error);
    if (code === null) throw error;
    const exit = code === "EACCES" ? exitCode.permission : exitCode.noInput;
    throw new CommandError(exit, `--password-file: cannot read ${path}: ${code}`);
  }
  throw new UsageError(`--password-file: the first line of ${path} is empty`);
}

interface Announcement {
  readonly workdir: string;
  readonly durability: Durability;
  readonly gateway: Partial<GatewayOptions>;
}

function announce(
  node: RedisNode,
  { workdir, durability, gateway }: Announcement,
  { terminal, build }: Context,
): void {
  const where = `listening on ${formatAddress(node.address)}, workdir ${workdir}`;
  terminal.out(`nokv redis ${build().version}: ${where}, durability ${durability}, pid ${process.pid}\n`);
  if (isLoopback(node.address.host) || gateway.password !== undefined) return;
  const exposed = `${formatAddress(node.address)} is reachable from other machines`;
  const consequence = gateway.protectedMode
    ? "clients of other machines are refused (--password-file or --unprotected lets them in)"
    : "anybody who can reach it can read and destroy the data";
  terminal.err(`nokv: warning: ${exposed}: ${consequence}\n`);
}
