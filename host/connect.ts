import { readFileSync } from "node:fs";
import type { ClusterClient } from "../node/cluster-client.ts";
import { openClusterClient } from "../node/open-cluster-client.ts";
import { parseTopology, type TopologyScope } from "../node/topology.ts";
import type { TxnClientOptions } from "../txn/remote/client-options.ts";
import { openHostEnv } from "./env.ts";

export interface ConnectOptions extends Partial<TxnClientOptions> {
  /** Which of the file's addresses count; "host" when nothing is said. */
  readonly scope?: TopologyScope;
}

/**
 * A client of the cluster that the topology file describes. It connects when it is asked something, and keeps the
 * process alive until it is closed. Throws NOKV_INVALID_ARGUMENT for a file that makes no sense.
 */
export function connect(topologyPath: string, options: ConnectOptions = {}): ClusterClient {
  const { scope = "host", ...client } = options;
  const topology = parseTopology(readFileSync(topologyPath, "utf8"), topologyPath, scope);
  return openClusterClient(openHostEnv(), { topology, client });
}

export { NokvError } from "../core/errors.ts";
export type { NokvErrorCode } from "../core/errors.ts";
export { ClusterClient, ClusterTransaction } from "../node/cluster-client.ts";
export type { Bytes, CallOptions, SetOptions, TransactOptions } from "../node/cluster-client.ts";
