import { openHostEnv } from "../../../host/env.ts";
import { type SeedVerdict, verifySeed } from "../../../node/migrate/verify.ts";
import type { Command, Context } from "../../command.ts";
import { type ExitCode, exitCode } from "../../exit-code.ts";
import { type Options, parseOptions } from "../../options.ts";
import {
  contentJson,
  contentLine,
  directoryOptions,
  directoryUsage,
  exitUsage,
  ProgressLine,
  rowsText,
  workdirFrom,
} from "./directory.ts";

const usage = `usage: nokv migrate verify --workdir DIR [--json]

Reads everything that a seed showed when it was made, once as a standalone database and once through its regions, and
compares both with what "nokv migrate init" recorded. Changes nothing.

${directoryUsage}
${exitUsage}
  nokv migrate verify --workdir ./data
`;

export const verifyCommand: Command = {
  usage,
  run: (argv, context) => verify(parseOptions(argv, directoryOptions), context),
};

async function verify(given: Options, { terminal }: Context): Promise<ExitCode> {
  const line = new ProgressLine(terminal);
  const env = openHostEnv({ failpoints: null });
  const found = await verifySeed(env, workdirFrom(given), (...counts) => line.progress(...counts));
  line.end();
  terminal.out(given.has("json") ? `${JSON.stringify(verdictJson(found))}\n` : verdictText(found));
  return found.same ? exitCode.ok : exitCode.violation;
}

function verdictText({ directory, baseTs, recorded, iterated, scanned, regions, same }: SeedVerdict): string {
  return rowsText([
    ["Workdir", directory],
    ["BaseTs", baseTs],
    ["Recorded", recorded === null ? "nothing" : contentLine(recorded)],
    ["Iterator", contentLine(iterated)],
    ["Regions", scanned === null ? "none yet" : `${contentLine(scanned)} (${regions} regions)`],
    ["Same", same],
  ]);
}

function verdictJson({ directory, baseTs, recorded, iterated, scanned, regions, same }: SeedVerdict): object {
  return {
    workdir: directory, base_ts: baseTs, recorded: contentJson(recorded), iterator: contentJson(iterated),
    scanned: contentJson(scanned), regions, same,
  };
}
