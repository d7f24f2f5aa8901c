import type { CoordinatorClient } from "../coordinator/service/client.ts";
import type { RedisServer } from "../net/redis/server.ts";
import type { Transport } from "../net/rpc/transport.ts";
import type { TxnClient } from "../txn/remote/txn-client.ts";
import type { VarTree } from "./metrics-text.ts";
import { redisVars } from "./redis-vars.ts";
import { transportVars } from "./transport-vars.ts";

// oxlint-disable-next-line max-params
export function gatewayVars(
  server: RedisServer,
  client: TxnClient,
  coordinator: CoordinatorClient,
  transport: Transport,
): VarTree {
  return {
    role: "gateway",
    redis: redisVars(server),
    client: { operations: client.active, timestamps_waiting: coordinator.waiting },
    transport: transportVars(transport),
  };
}
