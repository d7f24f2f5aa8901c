import { openHostEnv } from "../../../host/env.ts";
import { type MigrationReport, type MigrationStatus, migrationReport, migrationStatus } from
  "../../../node/migrate/status.ts";
import { describeRegion } from "../../../raft/region.ts";
import type { Command, Context } from "../../command.ts";
import { type ExitCode, exitCode } from "../../exit-code.ts";
import { type Options, parseOptions } from "../../options.ts";
import {
  contentJson,
  contentLine,
  directoryOptions,
  directoryUsage,
  exitUsage,
  listText,
  rowsText,
  workdirFrom,
} from "./directory.ts";

const usageOf = (name: string, what: string): string => `usage: nokv migrate ${name} --workdir DIR [--json]

${what} From the stopped directory alone; changes nothing.

${directoryUsage}
${exitUsage}
  nokv migrate ${name} --workdir ./data
`;

export const statusCommand: Command = {
  usage: usageOf("status", "Says how far a directory is on its way into a cluster."),
  run: (argv, context) => status(parseOptions(argv, directoryOptions), context),
};

export const reportCommand: Command = {
  usage: usageOf("report", "Says how far a directory is on its way into a cluster, and what comes next."),
  run: (argv, context) => report(parseOptions(argv, directoryOptions), context),
};

async function status(given: Options, { terminal }: Context): Promise<ExitCode> {
  const found = await migrationStatus(openHostEnv({ failpoints: null }), workdirFrom(given));
  terminal.out(given.has("json") ? `${JSON.stringify(statusJson(found))}\n` : statusText(found));
  return exitCode.ok;
}

async function report(given: Options, { terminal }: Context): Promise<ExitCode> {
  const found = await migrationReport(openHostEnv({ failpoints: null }), workdirFrom(given));
  terminal.out(given.has("json") ? `${JSON.stringify(reportJson(found))}\n` : reportText(found));
  return exitCode.ok;
}

export function statusText({ directory, state, mode, gate, regions, next, resume }: MigrationStatus): string {
  const rows: (readonly [string, unknown])[] = [["Workdir", directory], ["Mode", state], ["Gate", gate]];
  if (mode !== null) {
    const { clusterId, storeId, migrationId, baseTs, verify } = mode;
    rows.push(["Cluster", clusterId], ["Store", storeId]);
    if (migrationId !== "") rows.push(["Migration", migrationId]);
    if (baseTs > 0) rows.push(["BaseTs", baseTs]);
    if (verify !== null) rows.push(["Content", contentLine(verify)]);
  }
  rows.push(["Catalog", `${regions.length} region(s)`], ["Next", next === "" ? "-" : next]);
  if (resume !== "") rows.push(["Resume", resume]);
  return rowsText(rows) + listText("Regions", regions.map(describeRegion));
}

function reportText(found: MigrationReport): string {
  const { directory, state, stage, summary, readyForInit, readyForServe, resume, nextSteps } = found;
  const rows: (readonly [string, unknown])[] = [
    ["Workdir", directory], ["Mode", state], ["Stage", stage], ["Summary", summary],
    ["ReadyForInit", readyForInit], ["ReadyForServe", readyForServe],
  ];
  if (resume !== "") rows.push(["ResumeHint", resume]);
  return rowsText(rows) + listText("NextSteps", nextSteps);
}

function statusJson({ directory, state, mode, gate, regions, next, resume }: MigrationStatus): object {
  return {
    workdir: directory, mode: state, gate, cluster_id: mode?.clusterId ?? null, store_id: mode?.storeId ?? null,
    migration_id: mode?.migrationId ?? null, base_ts: mode?.baseTs ?? null, step: mode?.step ?? null,
    content: contentJson(mode?.verify ?? null), catalog: regions.map(describeRegion), next, resume_hint: resume,
  };
}

function reportJson(found: MigrationReport): object {
  const { stage, summary, readyForInit, readyForServe, nextSteps } = found;
  return {
    workdir: found.directory, mode: found.state, stage, summary, ready_for_init: readyForInit,
    ready_for_serve: readyForServe, next_steps: nextSteps, resume_hint: found.resume, status: statusJson(found),
  };
}
