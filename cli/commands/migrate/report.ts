import { type OnlineStatus, type ExpandingRegion, onlineStatus } from "../../../node/migrate/online.ts";
import { type OnlineReport, onlineReport } from "../../../node/migrate/online-report.ts";
import { describeKey } from "../../../raft/region.ts";
import type { Command, Context } from "../../command.ts";
import { type ExitCode, exitCode } from "../../exit-code.ts";
import { type Options, parseOptions } from "../../options.ts";
import { clusterOptions, ledJson, withLook } from "./cluster.ts";
import { keyJson, listText, rowsText } from "./directory.ts";
import { topologyUsage } from "../../topology-file.ts";

const usage = `usage: nokv migrate report --config FILE [--journal DIR] [--json]

Says how far a running cluster is on its way from one store to several, what that means, what comes next, and where
each replica of each region stands, as the stores themselves say. Changes nothing, and may be asked while an expansion
is under way.

${topologyUsage}  --journal DIR            of expansions (default: expand-journal beside the topology)
  --json                   one JSON object, for programs

Exit codes: 0 all is known, 2 usage, 65 the journal is damaged, 69 somebody is silent or a region has no leader (the
rest is shown), 74 I/O error.

  nokv migrate report --config ./raft_config.json
`;

export const clusterReportCommand: Command = {
  usage,
  run: (argv, context) => report(parseOptions(argv, clusterOptions), context),
};

async function report(given: Options, { terminal }: Context): Promise<ExitCode> {
  const found = await withLook(given, async ({ admin, topology, config, targets }) => {
    const storeIds = topology.stores.map(({ storeId }) => storeId);
    return onlineReport(await onlineStatus({ admin }), { clusterId: topology.clusterId, storeIds, config, targets });
  });
  terminal.out(given.has("json") ? `${JSON.stringify(onlineReportJson(found))}\n` : onlineReportText(found));
  return found.problems.length === 0 ? exitCode.ok : exitCode.unavailable;
}

export function onlineReportText(found: OnlineReport): string {
  const { clusterId, stage, summary, readyForExpand, readyForVerify, resume, nextSteps, regions, problems } = found;
  const rows: (readonly [string, unknown])[] = [
    ["ClusterId", clusterId], ["Stage", stage], ["Summary", summary],
    ["ReadyForExpand", readyForExpand], ["ReadyForVerify", readyForVerify],
  ];
  if (resume !== "") rows.push(["ResumeHint", resume]);
  const cluster = `Cluster\n  source=every-store regions=${regions.length}\n${regions.map(regionText).join("")}`;
  return rowsText(rows) + listText("NextSteps", nextSteps) + cluster + listText("Problems", problems);
}

function regionText({ region, leaderStore, applied, term, members }: ExpandingRegion): string {
  const range = `[${describeKey(region.start, '""')}, ${describeKey(region.end, '""')})`;
  const peer = members.find(({ storeId }) => storeId === leaderStore)?.peerId ?? 0;
  const leader = `leader_store=${leaderStore} leader_peer=${peer} applied_index=${applied} applied_term=${term}`;
  const lines = members.map((member) => {
    const at = member.applied === null ? "silent" : `applied=${member.applied} behind=${behind(member, applied)}`;
    return `      - store=${member.storeId} peer=${member.peerId} role=${member.role} ${at}\n`;
  });
  return `  - region=${region.id} range=${range} ${leader} peers=${members.length}\n    membership\n${lines.join("")}`;
}

/** Entries; a member may have applied more when it is asked after its leader. */
function behind({ applied }: ExpandingRegion["members"][number], of: number): number {
  return Math.max(0, of - (applied ?? 0));
}

export function onlineReportJson(found: OnlineReport): object {
  const { stage, summary, readyForExpand, readyForVerify, nextSteps, regions, problems, underWay } = found;
  return {
    cluster_id: found.clusterId, stage, summary, ready_for_expand: readyForExpand, ready_for_verify: readyForVerify,
    next_steps: nextSteps, resume_hint: found.resume,
    under_way: underWay.map(({ regionId, storeId, peerId, step }) => {
      return { region_id: regionId, store_id: storeId, peer_id: peerId, step };
    }),
    cluster: { source: "every-store", regions: regions.map(regionJson) },
    problems,
  };
}

function regionJson(status: OnlineStatus["regions"][number]): object {
  const { region, term, applied, members } = status;
  return {
    ...ledJson(status),
    start_key: keyJson(region.start),
    end_key: keyJson(region.end),
    applied_term: term,
    membership: members.map((member) => ({
      store_id: member.storeId, peer_id: member.peerId, role: member.role, applied_index: member.applied,
      behind: member.applied === null ? null : behind(member, applied),
    })),
  };
}
