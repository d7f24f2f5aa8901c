import type { RedisServer } from "../net/redis/server.ts";
import type { VarTree } from "./metrics-text.ts";

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
  };
}
