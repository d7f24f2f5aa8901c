import { dirname, resolve } from "node:path";
import { parseTopology, type Topology, type TopologyScope } from "../node/topology.ts";
import type { OptionTable, Options } from "./options.ts";
import { readTextFile } from "./text-file.ts";

export const topologyOptions: OptionTable = { config: "value", scope: "value" };

export const topologyUsage = `  --config FILE            the cluster's topology: see raft_config.example.json
  --scope host|docker      which of its addresses and directories count (default host)
`;

/** What `--config` names; null: nothing. */
export function readTopologyFile(given: Options): Topology | null {
  const scope = given.oneOf("scope", ["host", "docker"]) ?? "host";
  const path = given.text("config");
  return path === null ? null : loadTopology(path, scope);
}

/** Directories in it are found from the file's own. */
export function loadTopology(path: string, scope: TopologyScope): Topology {
  const topology = parseTopology(readTextFile("config", path, "utf8"), path, scope);
  const from = dirname(resolve(path));
  const { coordinators, stores } = topology;
  return {
    ...topology,
    coordinators: coordinators.map((member) => ({ ...member, workDir: resolve(from, member.workDir) })),
    stores: stores.map((store) => ({ ...store, workDir: resolve(from, store.workDir) })),
  };
}
