import type { Durability, EngineOptions } from "../../core/engine/options.ts";
import type { Address } from "../../core/env/network.ts";
import { ownerText } from "../../host/owner-text.ts";
import type { GatewayOptions } from "../../net/redis/options.ts";
import { openGatewayNode } from "../../node/gateway-node.ts";
import { type RedisNode, openRedisNode } from "../../node/redis-node.ts";
import type { Topology } from "../../node/topology.ts";
import type { Command, Context } from "../command.ts";
import { type ExitCode, UsageError } from "../exit-code.ts";
import { formatAddress, isLoopback, probeAddress } from "../listen-address.ts";
import { type OptionTable, type Options, parseOptions } from "../options.ts";
import { livePage } from "../live-page.ts";
import { failpointOptions, failpointUsage, runService } from "../service.ts";
import { readTextFile } from "../text-file.ts";
import { readTopologyFile, topologyOptions, topologyUsage } from "../topology-file.ts";
import { tunedLimits } from "../tuned-limits.ts";
import { resolveWorkdir } from "../workdir.ts";

const usage = `usage: nokv redis [--workdir DIR | --config FILE] [--addr HOST:PORT] [options]

Serves a directory, or a cluster, to Redis clients (RESP2 and RESP3). The directory is created if its parent exists,
and is locked while the server runs. SIGINT, SIGTERM and SIGHUP shut it down cleanly; a second one ends it at once.

  --workdir DIR            where the data lives (default ./work_redis)
${topologyUsage}  --addr HOST:PORT         where to listen (default: the file's, or 127.0.0.1:6380)
  --metrics-addr HOST:PORT of a cluster: a page that shows the cluster; /healthz, /readyz, /debug/vars, /metrics
  --with-stdin             end when stdin does, for supervisors
${failpointUsage}  --durability LEVEL       when a write is acknowledged (default sync)
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
  nokv redis --config ./raft_config.example.json
  redis-cli -p 6380 set greeting hello
`;

const options: OptionTable = {
  ...topologyOptions,
  "metrics-addr": "value",
  "with-stdin": "flag",
  ...failpointOptions,
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

export const redisCommand: Command = {
  usage,
  run: (argv, context) => redis(parseOptions(argv, options), context),
};

/** What only a directory of one's own has. */
const embeddedOnly = ["workdir", "durability", "sync-interval", "tune"];

async function redis(given: Options, context: Context): Promise<ExitCode> {
  const topology = readTopologyFile(given);
  if (topology !== null) return clusterGateway(given, topology, context);
  if (given.has("metrics-addr")) throw new UsageError("--metrics-addr needs --config");
  const address = given.address("addr") ?? defaultAddress;
  const engine = engineOptions(given);
  const gateway = gatewayOptions(given);
  const workdir = resolveWorkdir(given.text("workdir") ?? defaultWorkdir);
  await probeAddress(address);
  return runService(context, {
    place: workdir,
    untilStdinEnds: given.has("with-stdin"),
    given,
    open: (env, onFatal) => openRedisNode(env, { workdir, address, engine, gateway, onFatal }),
    announce: (node) => announce(node, { workdir, durability: engine.durability, gateway }, context),
  });
}

/** A gateway keeps nothing: its cluster does. */
async function clusterGateway(given: Options, topology: Topology, context: Context): Promise<ExitCode> {
  for (const name of embeddedOnly) {
    if (given.has(name)) throw new UsageError(`--${name} is not for a cluster's gateway`, "leave out one of the two");
  }
  const listen = given.address("addr") ?? topology.redis ?? defaultAddress;
  const diagnostics = given.address("metrics-addr") ?? topology.redisMetrics;
  const limits = gatewayOptions(given);
  await probeAddress(listen);
  return runService(context, {
    place: `the gateway of cluster ${topology.clusterId}`,
    untilStdinEnds: given.has("with-stdin"),
    given,
    open: (env) => openGatewayNode(env, { topology, listen, gateway: limits, diagnostics, page: livePage() }),
    announce: ({ address, diagnostics: tells }) => {
      const metrics = tells === null ? "" : `, metrics ${formatAddress(tells.address)}`;
      const where = `listening on ${formatAddress(address)}, cluster ${topology.clusterId}${metrics}`;
      context.terminal.out(`nokv redis ${context.build().version}: ${where}, pid ${process.pid}\n`);
      warnExposed(address, limits, context);
    },
  });
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

function gatewayOptions(given: Options): Partial<GatewayOptions> {
  const path = given.text("password-file");
  const password = path === null ? {} : { password: readPassword(path) };
  return { protectedMode: !given.has("unprotected"), ...password };
}

/** The first line, one code unit per byte. */
function readPassword(path: string): string {
  const password = readTextFile("password-file", path, "latin1").split(/\r?\n/, 1)[0] ?? "";
  if (password !== "") return password;
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
  context: Context,
): void {
  const { terminal, build } = context;
  const where = `listening on ${formatAddress(node.address)}, workdir ${workdir}`;
  terminal.out(`nokv redis ${build().version}: ${where}, durability ${durability}, pid ${process.pid}\n`);
  warnExposed(node.address, gateway, context);
}

function warnExposed(address: Address, gateway: Partial<GatewayOptions>, { terminal }: Context): void {
  if (isLoopback(address.host) || gateway.password !== undefined) return;
  const exposed = `${formatAddress(address)} is reachable from other machines`;
  const consequence = gateway.protectedMode
    ? "clients of other machines are refused (--password-file or --unprotected lets them in)"
    : "anybody who can reach it can read and destroy the data";
  terminal.err(`nokv: warning: ${exposed}: ${consequence}\n`);
}
