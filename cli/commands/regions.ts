import { openReadOnlyEngine } from "../../core/engine/read-only.ts";
import { openHostEnv } from "../../host/env.ts";
import { clusterJson } from "../../node/cluster-json.ts";
import type { ClusterView, RegionView, ReplicaView } from "../../node/cluster-view.ts";
import { describeKey, type RegionMeta } from "../../raft/region.ts";
import { readApplyStates, readRegionStates } from "../../raft/store/local-records.ts";
import { lookAtCluster } from "../cluster-look.ts";
import type { Command, Context } from "../command.ts";
import { type ExitCode, UsageError, exitCode } from "../exit-code.ts";
import { workdirOf } from "../inspection.ts";
import { type OptionTable, type Options, parseOptions } from "../options.ts";
import { textTable } from "../text-table.ts";
import { readTopologyFile, topologyOptions, topologyUsage } from "../topology-file.ts";
import { regionOrderOf, runRegionOrder } from "./region-orders.ts";

const usage = `usage: nokv regions --config FILE [--json]
       nokv regions --workdir DIR [--json]
       nokv regions merge N --config FILE [--into M] [--json]
       nokv regions split N --at KEY --config FILE [--json]
       nokv regions merges on|off --config FILE

Shows the regions of a running cluster as its stores know them: range, epoch, leader and term, how far each replica is
behind, size and requests. With --workdir, the regions that a stopped store's directory holds.

  merge N      region N goes into its right neighbour, the one that begins where it ends (--into M: only if that is M).
               Both need their voters on the same stores, all of them there; N is not served for some milliseconds
  split N      region N is divided at KEY: text, or hex: and digits
  merges off   small neighbours are not merged by themselves any more; on: they are again, as region_merge_bytes says

${topologyUsage}  --workdir DIR            of a store that nobody runs; changes nothing there
  --json                   one JSON object, for programs

Exit codes: 0 every region has a leader and every store answered (or: the directory was read, the order carried out),
2 usage or refused, 65 damaged, 66 no such file or directory, 69 somebody is silent or a region has no leader (the rest
is shown), 74 the Coordinator cannot decide, 75 in use.

  nokv regions --config ./raft_config.example.json
`;

const options: OptionTable = { ...topologyOptions, workdir: "value", json: "flag" };

export const regionsCommand: Command = {
  usage,
  run: async (argv, context) => {
    const order = regionOrderOf(argv);
    if (order !== null) return await runRegionOrder(order, argv, context);
    return await regions(parseOptions(argv, options), context);
  },
};

async function regions(given: Options, context: Context): Promise<ExitCode> {
  if (given.has("workdir") && given.has("config")) {
    throw new UsageError("--workdir and --config: give one of them", "a running cluster is asked by --config");
  }
  const topology = readTopologyFile(given);
  if (topology === null && !given.has("workdir")) {
    throw new UsageError("--config is missing", "name the cluster's topology, or a stopped store's --workdir");
  }
  if (topology === null) return await offline(workdirOf(given), given.has("json"), context);
  const view = await lookAtCluster(topology);
  context.terminal.out(given.has("json") ? `${JSON.stringify(clusterJson(view))}\n` : regionsText(view));
  const isWhole = view.silent.length === 0 && view.regions.every(({ leaderStore }) => leaderStore > 0);
  return isWhole ? exitCode.ok : exitCode.unavailable;
}

export function regionsText({ regions: views, silent }: ClusterView): string {
  const heading = [
    "REGION", "FROM", "TO", "EPOCH", "LEADER", "TERM", "REPLICAS", "RECORDS", "BYTES", "READS", "WRITES",
  ];
  const rows = views.map((view) => [
    view.region.id, ...rangeCells(view.region), epochText(view.region), leaderText(view), view.term,
    view.replicas.map(replicaText).join(" "), view.records, view.bytes, view.reads, view.writes,
  ]);
  const voices = silent.map(({ who, why }) => `  - ${who}: ${why}\n`).join("");
  return textTable(heading, rows) + (voices === "" ? "" : `Silent:\n${voices}`);
}

function rangeCells({ start, end }: RegionMeta): [string, string] {
  return [describeKey(start, "-"), describeKey(end, "-")];
}

function epochText({ epoch }: RegionMeta): string {
  return `${epoch.version}.${epoch.confVer}`;
}

function leaderText({ leaderStore }: RegionView): string {
  return leaderStore === 0 ? "none" : `store ${leaderStore}`;
}

/** `2:102` is peer 102 on store 2; `*` leads; `+14` entries behind; `?` its store does not answer. */
function replicaText({ storeId, peerId, role, isLeader, applied, lag }: ReplicaView): string {
  const office = isLeader ? "*" : role === "voter" ? "" : `(${role})`;
  const behind = lag === null || lag === 0 ? "" : `+${lag}`;
  return `${storeId}:${peerId}${office}${applied === null ? "?" : behind}`;
}

async function offline(workdir: string, asJson: boolean, { terminal }: Context): Promise<ExitCode> {
  const env = openHostEnv({ failpoints: null });
  const { engine } = await openReadOnlyEngine(env, workdir, { versions: "given" });
  const applied = readApplyStates(engine);
  const states = [...readRegionStates(engine).values()].toSorted((a, b) => a.region.id - b.region.id);
  await engine.close();
  const rows = states.map(({ state, peerId, region }) => {
    return { state, peerId, region, applied: applied.get(region.id)?.index ?? 0 };
  });
  if (asJson) {
    const regionsJson = rows.map(({ state, peerId, region, applied: index }) => ({
      id: region.id, state, epoch: { version: region.epoch.version, conf_version: region.epoch.confVer },
      start_key: describeKey(region.start, ""), end_key: describeKey(region.end, ""), peer_id: peerId, applied: index,
      peers: region.peers.map(({ peerId: peer_id, storeId, role }) => ({ store_id: storeId, peer_id, role })),
    }));
    terminal.out(`${JSON.stringify({ workdir, regions: regionsJson })}\n`);
    return exitCode.ok;
  }
  const lines = rows.map(({ state, region, applied: index }) => {
    const { version, confVer } = region.epoch;
    const peers = region.peers.map(({ storeId, peerId }) => `{store:${storeId} peer:${peerId}}`).join(" ");
    const range = `[${describeKey(region.start, '""')},${describeKey(region.end, '""')})`;
    const epoch = `epoch={ver:${version} conf:${confVer}}`;
    return `  - id=${region.id} state=${state} ${epoch} range=${range} applied=${index} peers=[${peers}]\n`;
  });
  terminal.out(lines.length === 0 ? "Regions: (none)\n" : `Regions:\n${lines.join("")}`);
  return exitCode.ok;
}
