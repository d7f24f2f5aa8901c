import { openReadOnly } from "../../core/engine/read-only.ts";
import { type StatsTree, statsTree } from "../../core/stats/tree.ts";
import { openHostEnv } from "../../host/env.ts";
import type { Command, Context } from "../command.ts";
import { type ExitCode, UsageError, exitCode } from "../exit-code.ts";
import { readVars, varsText, withoutRegions } from "../live-vars.ts";
import { codeFor, findingLines, inspectionOptions, inspectionUsage, workdirOf } from "../inspection.ts";
import { type OptionTable, type Options, parseOptions } from "../options.ts";

const usage = `usage: nokv stats --workdir DIR [--json]
       nokv stats --expvar URL [--json] [--no-region-metrics]

Shows what a stopped database holds, as the next opening would find it: entries, levels, the log, value files. What an
engine counts while it works is zero here. With --expvar, what a running store, Coordinator or gateway counts.

  --expvar URL    of a running process: its metrics address; /debug/vars is added when it is missing
  --no-region-metrics   leaves out the list of regions
${inspectionUsage}
  nokv stats --workdir ./data
  nokv stats --expvar http://127.0.0.1:9200
`;

const options: OptionTable = { ...inspectionOptions, expvar: "value", "no-region-metrics": "flag" };

export const statsCommand: Command = {
  usage,
  run: (argv, context) => stats(parseOptions(argv, options), context),
};

async function stats(given: Options, { terminal }: Context): Promise<ExitCode> {
  const expvar = given.text("expvar");
  if (expvar !== null) {
    if (given.has("workdir")) throw new UsageError("--workdir and --expvar: give one of them");
    const vars = await readVars(expvar);
    const shown = given.has("no-region-metrics") ? withoutRegions(vars) : vars;
    terminal.out(given.has("json") ? `${JSON.stringify(shown)}\n` : varsText(shown));
    return exitCode.ok;
  }
  const db = await openReadOnly(openHostEnv({ failpoints: null }), workdirOf(given), { damaged: "skip" });
  const tree = statsTree(db.stats());
  const { problems } = db;
  await db.close();
  if (given.has("json")) terminal.out(`${JSON.stringify({ ...tree, problems })}\n`);
  else terminal.out(statsText(tree) + findingLines(problems));
  return codeFor(problems);
}

function statsText(tree: StatsTree): string {
  const { flush, compaction, value_log: values, wal, lsm } = tree;
  const { gc } = values;
  const rows: readonly (readonly [string, unknown])[] = [
    ["Entries", tree.entries],
    ["Flush.Pending", flush["pending"]],
    ["Compaction.Backlog", compaction["backlog"]],
    ["Compaction.MaxScore", compaction["max_score"]],
    ["Flush.Wait.LastMs", flush["last_wait_ms"]],
    ["Flush.Wait.MaxMs", flush["max_wait_ms"]],
    ["Flush.Build.LastMs", flush["last_build_ms"]],
    ["Flush.Build.MaxMs", flush["max_build_ms"]],
    ["Compaction.LastMs", compaction["last_duration_ms"]],
    ["Compaction.MaxMs", compaction["max_duration_ms"]],
    ["Compaction.Runs", compaction["runs"]],
    ["ValueLog.Segments", values.segments],
    ["ValueLog.PendingDelete", values.pending_deletes],
    ["ValueLog.Bytes", `${values.bytes} (live=${values.live_bytes})`],
    ["ValueLog.GC", `runs=${gc["gc_runs"] ?? 0} removed=${gc["segments_removed"] ?? 0}`],
    ["WAL.ActiveSegment", `${wal["active_segment"] ?? 0} (segments=${wal["segment_count"] ?? 0})`],
    ["WAL.ActiveSize", wal["active_size"]],
    ["LSM.ValueBytesTotal", lsm.value_bytes_total],
    ["LSM.CompressionRatio", lsm.compression_ratio],
  ];
  const levels = lsm.levels
    .filter(({ tables }) => tables > 0)
    .map((level) => {
      const { size_bytes: size, value_bytes: value, raw_bytes: raw } = level;
      return `  - L${level.level} tables=${level.tables} size=${size}B raw=${raw}B value=${value}B\n`;
    });
  const heading = levels.length === 0 ? "LSM.Levels: (none)\n" : "LSM.Levels:\n";
  return rows.map(([name, value]) => `${name.padEnd(22)} ${String(value)}\n`).join("") + heading + levels.join("");
}
