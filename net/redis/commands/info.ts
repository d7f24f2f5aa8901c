import type { Call } from "../call.ts";
import { type Command, command } from "../command.ts";
import type { Gateway } from "../gateway.ts";

/** Clients choose features by it. */
export const redisVersion = "7.4.0";
/** Up to so many keys, INFO counts them; beyond, it estimates. */
const countedKeysMax = 10_000;

interface Section {
  readonly name: string;
  /** Part of INFO without a section. */
  readonly common: boolean;
  readonly lines: (gateway: Gateway, keys: number) => readonly string[];
}

const sections: readonly Section[] = [
  { name: "Server", common: true, lines: serverLines },
  { name: "Clients", common: true, lines: clientLines },
  { name: "Memory", common: true, lines: memoryLines },
  { name: "Persistence", common: true, lines: persistenceLines },
  { name: "Stats", common: true, lines: statisticsLines },
  { name: "Replication", common: true, lines: replicationLines },
  { name: "Commandstats", common: false, lines: commandLines },
  { name: "Errorstats", common: true, lines: () => [] },
  { name: "Cluster", common: true, lines: () => ["cluster_enabled:0"] },
  { name: "Keyspace", common: true, lines: keyspaceLines },
];

function serverLines(gateway: Gateway): readonly string[] {
  const uptimeS = Math.floor((gateway.clock.monotonicUs() - gateway.startedUs) / 1_000_000);
  return [
    `redis_version:${redisVersion}`,
    "server_name:nokv",
    "redis_mode:standalone",
    "arch_bits:64",
    `run_id:${gateway.runId}`,
    `tcp_port:${gateway.address.port}`,
    `server_time_usec:${gateway.clock.wallMs() * 1000}`,
    `uptime_in_seconds:${uptimeS}`,
    `uptime_in_days:${Math.floor(uptimeS / 86_400)}`,
  ];
}

function clientLines(gateway: Gateway): readonly string[] {
  return [
    `connected_clients:${gateway.clients.size}`,
    "cluster_connections:0",
    `maxclients:${gateway.options.clientsMax}`,
    "blocked_clients:0",
  ];
}

function memoryLines(): readonly string[] {
  return ["maxmemory:0", "maxmemory_human:0B", "maxmemory_policy:noeviction"];
}

function persistenceLines(): readonly string[] {
  return ["loading:0", "async_loading:0", "rdb_bgsave_in_progress:0", "aof_enabled:0"];
}

function statisticsLines({ statistics }: Gateway): readonly string[] {
  return [
    `total_connections_received:${statistics.connectionsReceived}`,
    `total_commands_processed:${statistics.commandsProcessed}`,
    `total_net_input_bytes:${statistics.inputBytes}`,
    `total_net_output_bytes:${statistics.outputBytes}`,
    `rejected_connections:${statistics.connectionsRejected}`,
    "expired_keys:0",
    "evicted_keys:0",
    `total_error_replies:${statistics.errorReplies}`,
    `protocol_errors:${statistics.protocolErrors}`,
    `client_query_buffer_limit_disconnections:${statistics.queryLimitDisconnections}`,
    `client_output_buffer_limit_disconnections:${statistics.outputLimitDisconnections}`,
  ];
}

function replicationLines(gateway: Gateway): readonly string[] {
  return ["role:master", "connected_slaves:0", `master_replid:${gateway.runId}`, "master_repl_offset:0"];
}

function commandLines({ statistics, commands }: Gateway): readonly string[] {
  return commands.entries.flatMap(({ command: { name }, index }) => {
    const calls = statistics.calls[index] as number;
    const rejected = statistics.rejectedCalls[index] as number;
    if (calls === 0 && rejected === 0) return [];
    return [
      `cmdstat_${name}:calls=${calls},usec=0,usec_per_call=0.00,rejected_calls=${rejected},failed_calls=0`,
    ];
  });
}

function keyspaceLines(gateway: Gateway, keys: number): readonly string[] {
  void gateway;
  return keys === 0 ? [] : [`db0:keys=${keys},expires=0,avg_ttl=0`];
}

/** The sections that the request names; without a name, the common ones. */
function wanted(call: Call): readonly Section[] {
  const { args } = call;
  if (args.count === 1) return sections.filter(({ common }) => common);
  const chosen = new Set<Section>();
  for (let i = 1; i < args.count; i++) {
    const everything = args.is(i, "all") || args.is(i, "everything");
    for (const section of sections) {
      const named = args.is(i, section.name.toLowerCase());
      if (named || everything || (section.common && args.is(i, "default"))) chosen.add(section);
    }
  }
  return sections.filter((section) => chosen.has(section));
}

function render(gateway: Gateway, chosen: readonly Section[], keys: number): string {
  return chosen
    .map(({ name, lines }) => [`# ${name}`, ...lines(gateway, keys), ""].join("\r\n"))
    .join("\r\n");
}

function runInfo(call: Call): void {
  const { gateway } = call;
  const chosen = wanted(call);
  const estimate = gateway.estimateKeys();
  const counts = chosen.some(({ name }) => name === "Keyspace") && estimate <= countedKeysMax && call.recorder === null;
  if (!counts) {
    call.reply.verbatim(render(gateway, chosen, estimate));
    return;
  }
  const pending = call.defer("barrier");
  gateway.kv.count((error, count) => {
    pending.settle(error, (reply) => reply.verbatim(render(gateway, chosen, count)));
  });
}

export const infoCommand: Command = command(
  "info",
  {
    arity: -1,
    flags: ["loading", "stale"],
    group: "server",
    since: "7.0.0",
    summary: "Returns information and statistics about the server.",
    caveat:
      "Fields that are measured, and those that clients need. Beyond 10,000 keys, and in MULTI, their number is " +
      "estimated.",
  },
  runInfo,
);
