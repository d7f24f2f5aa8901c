import { openHostEnv } from "../../../host/env.ts";
import { type Plan, planMigration } from "../../../node/migrate/plan.ts";
import { regionsMax } from "../../../node/migrate/init.ts";
import type { Command, Context } from "../../command.ts";
import { type ExitCode, exitCode } from "../../exit-code.ts";
import { type Options, parseOptions } from "../../options.ts";
import {
  contentJson,
  contentLine,
  directoryOptions,
  directoryUsage,
  exitUsage,
  identityOf,
  identityOptions,
  identityUsage,
  listText,
  ProgressLine,
  regionJson,
  regionLine,
  rowsText,
  workdirFrom,
} from "./directory.ts";

const usage = `usage: nokv migrate plan --workdir DIR [options]

Reads a stopped database and says what "nokv migrate init" would do: sizes, what stands in the way, the regions, every
step and what becomes durable by it. Changes nothing.

${directoryUsage}${identityUsage}  --regions N              how many regions of about equal size (default 1)

${exitUsage}
  nokv migrate plan --workdir ./data --regions 4
`;

export const planCommand: Command = {
  usage,
  run: (argv, context) => {
    return plan(parseOptions(argv, { ...directoryOptions, ...identityOptions, regions: "value" }), context);
  },
};

async function plan(given: Options, { terminal }: Context): Promise<ExitCode> {
  const line = new ProgressLine(terminal);
  const regions = given.integer("regions", 1, regionsMax) ?? 1;
  const wish = { directory: workdirFrom(given), regions, ...identityOf(given) };
  const found = await planMigration(openHostEnv({ failpoints: null }), wish, (...counts) => line.progress(...counts));
  line.end();
  terminal.out(given.has("json") ? `${JSON.stringify(planJson(found))}\n` : planText(found));
  return found.eligible ? exitCode.ok : exitCode.corruption;
}

function planText(found: Plan): string {
  const { content, blockers, warnings, regions, steps } = found;
  return (
    rowsText([
      ["Workdir", found.directory],
      ["Mode", found.mode],
      ["Eligible", found.eligible],
      ["Content", content === null ? "not read" : contentLine(content)],
      ["Tables", `${found.tables} (${found.tableBytes} bytes)`],
      ["ValueFiles", `${found.valueFiles} (${found.valueBytes} bytes)`],
      ["Log", `${found.logBytes} bytes`],
      ["Next", found.next === "" ? "-" : found.next],
    ]) +
    listText("Blockers", blockers) +
    listText("Warnings", warnings) +
    listText("Regions", regions.map(regionLine)) +
    listText("Steps", steps.map(({ name, what, durable }) => `${name} ${what} (durable: ${durable})`))
  );
}

function planJson(found: Plan): object {
  return {
    workdir: found.directory, mode: found.mode, eligible: found.eligible, blockers: found.blockers,
    warnings: found.warnings, content: contentJson(found.content), tables: found.tables,
    table_bytes: found.tableBytes, value_files: found.valueFiles, value_bytes: found.valueBytes,
    log_bytes: found.logBytes, regions: found.regions.map(regionJson), steps: found.steps, next: found.next,
  };
}
