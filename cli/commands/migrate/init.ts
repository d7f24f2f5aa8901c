import { resolve } from "node:path";
import { ownerText } from "../../../host/owner-text.ts";
import { initSeed, regionsMax } from "../../../node/migrate/init.ts";
import type { ModeFile } from "../../../node/mode/mode-file.ts";
import type { Command, Context } from "../../command.ts";
import { CommandError, type ExitCode, exitCode } from "../../exit-code.ts";
import { type Options, parseOptions } from "../../options.ts";
import { armedEnv, failpointUsage } from "../../service.ts";
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

const usage = `usage: nokv migrate init --workdir DIR (--config FILE | --cluster-id NAME) --store-id N [options]

Makes a stopped database the seed of a cluster. Only metadata is written; data files stay as they are. What is read
through the regions in the end is compared with what the database showed before. Interrupted anywhere, the same command,
also without the options of the first, finishes it; "nokv migrate rollback" undoes it.

${directoryUsage}${identityUsage}  --regions N              how many regions of about equal size (default 1)
  --checkpoint DIR         first a copy by hard links into this directory, which must not exist
${failpointUsage}
${exitUsage}
  nokv migrate init --workdir ./data --config ./raft_config.json --store-id 1 --regions 4
`;

export const initCommand: Command = {
  usage,
  run: (argv, context) => {
    const own = { regions: "value", checkpoint: "value" } as const;
    return init(parseOptions(argv, { ...directoryOptions, ...identityOptions, ...own }), context);
  },
};

async function init(given: Options, { terminal }: Context): Promise<ExitCode> {
  const line = new ProgressLine(terminal);
  const directory = workdirFrom(given);
  const { clusterId, storeId, topologyRegions } = identityOf(given);
  if (topologyRegions > 0) {
    const hint = 'write "regions": []';
    throw new CommandError(exitCode.usage, "--config: a migrated cluster begins with the regions of its seed", hint);
  }
  const checkpoint = given.text("checkpoint");
  const made = await initSeed(
    armedEnv(given),
    {
      directory, clusterId, storeId, regions: given.integer("regions", 1, regionsMax),
      checkpoint: checkpoint === null ? null : resolve(checkpoint), engine: { owner: ownerText() },
    },
    { step: (what) => line.step(what), progress: (...counts) => line.progress(...counts) },
  );
  line.end();
  terminal.out(given.has("json") ? `${JSON.stringify(initJson(directory, made))}\n` : initText(directory, made));
  return exitCode.ok;
}

function initText(directory: string, made: ModeFile): string {
  return (
    rowsText([
      ["Workdir", directory],
      ["Mode", made.mode],
      ["Cluster", made.clusterId],
      ["Store", made.storeId],
      ["Migration", made.migrationId],
      ["BaseTs", made.baseTs],
      ["Content", made.verify === null ? "unknown" : contentLine(made.verify)],
      ["Next", `nokv serve --workdir ${directory} --config FILE --store-id ${made.storeId}`],
    ]) + listText("Regions", made.regions.map(regionLine))
  );
}

function initJson(directory: string, made: ModeFile): object {
  return {
    workdir: directory, mode: made.mode, cluster_id: made.clusterId, store_id: made.storeId,
    migration_id: made.migrationId, base_ts: made.baseTs, content: contentJson(made.verify),
    regions: made.regions.map(regionJson),
  };
}
