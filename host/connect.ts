import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { checkOptions } from "../core/engine/arguments.ts";
import { NokvError } from "../core/errors.ts";
import { checkCount } from "../node/cluster-arguments.ts";
import type { ClusterClient } from "../node/cluster-client.ts";
import { openClusterClient } from "../node/open-cluster-client.ts";
import { parseTopology, type TopologyScope } from "../node/topology.ts";
import { type TxnClientOptions, txnClientOptionsDefault } from "../txn/remote/client-options.ts";
import { systemCode } from "./disk-error.ts";
import { openHostEnv } from "./env.ts";

export interface ConnectOptions extends Partial<TxnClientOptions> {
  /** Which of the file's addresses count; "host" when nothing is said. */
  readonly scope?: TopologyScope;
}

const limitNames = Object.keys(txnClientOptionsDefault);

/**
 * A client of the cluster that the topology file describes. It connects when it is asked something, and keeps the
 * process alive until it is closed. Throws NOKV_NOT_FOUND or NOKV_IO for a file that cannot be read,
 * NOKV_INVALID_ARGUMENT for one that makes no sense, and for options that do not.
 */
export function connect(topologyPath: string | URL, options: ConnectOptions = {}): ClusterClient {
  checkOptions(options, "connect", ["scope", ...limitNames]);
  const { scope = "host", ...limits } = options;
  if (scope !== "host" && scope !== "docker") throw invalid(`scope is ${String(scope)}; it must be "host" or "docker"`);
  const given = Object.entries(limits).filter(([, limit]) => limit !== undefined);
  for (const [name, limit] of given) checkCount(limit, name);
  const client: Partial<TxnClientOptions> = Object.fromEntries(given);
  const path = topologyPath instanceof URL ? fileURLToPath(topologyPath) : topologyPath;
  return openClusterClient(openHostEnv(), { topology: parseTopology(readText(path), path, scope), client });
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const code = systemCode(error);
    if (code === null) throw invalid("the topology must be the path of a file, or its URL");
    const kind = code === "ENOENT" ? "NOKV_NOT_FOUND" : "NOKV_IO";
    throw new NokvError(kind, `the topology ${path} cannot be read: ${code}`, { path, cause: error });
  }
}

function invalid(message: string): NokvError {
  return new NokvError("NOKV_INVALID_ARGUMENT", message);
}

export { NokvError } from "../core/errors.ts";
export type { NokvErrorCode } from "../core/errors.ts";
export type { Data } from "../core/engine/arguments.ts";
export { ClusterClient, ClusterTransaction } from "../node/cluster-client.ts";
export type { CallOptions, SetOptions, TransactOptions } from "../node/cluster-client.ts";
