import type { LatencyHistogram } from "../core/stats/latency-histogram.ts";
import type { RedisServer } from "../net/redis/server.ts";
import type { VarTree } from "./metrics-text.ts";

/** Buckets as they are counted: whoever looks twice subtracts. */
function latencyVars(latencies: LatencyHistogram): VarTree {
  return {
    p50: latencies.quantile(500),
    p99: latencies.quantile(990),
    p999: latencies.quantile(999),
    buckets: latencies.buckets().map(([end, count]) => ({ le: end, count })),
  };
}

/** `redis` of the original's variables. Unknown commands count together, so that no client decides how long this is. */
export function redisVars({ gateway }: RedisServer): VarTree {
  const { statistics, commands, clients } = gateway;
  const perOperation: Record<string, number> = {};
  for (const { command: { name }, index } of commands.entries) {
    const calls = statistics.calls[index] ?? 0;
    if (calls > 0) perOperation[name.toUpperCase()] = calls;
  }
  return {
    commands_total: statistics.commandsProcessed,
    errors_total: statistics.errorReplies,
    protocol_errors: statistics.protocolErrors,
    connections_active: clients.size,
    connections_accepted: statistics.connectionsReceived,
    connections_rejected: statistics.connectionsRejected,
    bytes_in: statistics.inputBytes,
    bytes_out: statistics.outputBytes,
    commands_per_operation: perOperation,
    latency_us: latencyVars(statistics.latencies),
  };
}
