import { ownerText } from "../../../host/owner-text.ts";
import { rollbackSeed } from "../../../node/migrate/rollback.ts";
import type { Command, Context } from "../../command.ts";
import { type ExitCode, exitCode } from "../../exit-code.ts";
import { type Options, parseOptions } from "../../options.ts";
import { armedEnv, failpointUsage } from "../../service.ts";
import { directoryOptions, directoryUsage, exitUsage, ProgressLine, rowsText, workdirFrom } from "./directory.ts";

const usage = `usage: nokv migrate rollback --workdir DIR [--json]

Makes a seed that was never served a standalone database again, after it has proven that nothing was written since.
Interrupted anywhere, the same command finishes it.

${directoryUsage}${failpointUsage}
${exitUsage}
  nokv migrate rollback --workdir ./data
`;

export const rollbackCommand: Command = {
  usage,
  run: (argv, context) => rollback(parseOptions(argv, directoryOptions), context),
};

async function rollback(given: Options, { terminal }: Context): Promise<ExitCode> {
  const line = new ProgressLine(terminal);
  const directory = workdirFrom(given);
  const order = { directory, engine: { owner: ownerText() } };
  const changed = await rollbackSeed(armedEnv(given), order, (what) => line.step(what));
  line.end();
  const text = rowsText([["Workdir", directory], ["Mode", "standalone"], ["RolledBack", changed]]);
  terminal.out(given.has("json") ? `${JSON.stringify({ workdir: directory, mode: "standalone", changed })}\n` : text);
  return exitCode.ok;
}
