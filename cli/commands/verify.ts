import { verifyDirectory, type VerifyReport } from "../../core/engine/verify.ts";
import { openHostEnv } from "../../host/env.ts";
import type { Command, Context } from "../command.ts";
import type { ExitCode } from "../exit-code.ts";
import { codeFor, findingLines, inspectionOptions, inspectionUsage, workdirOf } from "../inspection.ts";
import { type Options, parseOptions } from "../options.ts";

const usage = `usage: nokv verify --workdir DIR [--json]

Reads every byte of a database and judges it: checksums, the order and the numbers of records, filters, values behind
pointers, tables against the manifest, the manifest against the directory. Tells damage from what the next opening
tidies up.

${inspectionUsage}
  nokv verify --workdir ./data
`;

export const verifyCommand: Command = {
  usage,
  run: (argv, context) => verify(parseOptions(argv, inspectionOptions), context),
};

async function verify(given: Options, { terminal }: Context): Promise<ExitCode> {
  const report = await verifyDirectory(openHostEnv({ failpoints: null }), workdirOf(given));
  terminal.out(given.has("json") ? `${JSON.stringify(report)}\n` : verifyText(report));
  return codeFor(report.findings);
}

function verifyText(report: VerifyReport): string {
  const rows: readonly (readonly [string, string])[] = [
    ["Workdir", report.directory],
    ["Sound", String(report.sound)],
    ["Tables", `${report.tables} (${report.records} records)`],
    ["LogSegments", String(report.logSegments)],
    ["ValueFiles", String(report.valueFiles)],
    ["Verified", `${report.bytes} bytes`],
  ];
  return rows.map(([name, value]) => `${name.padEnd(12)} ${value}\n`).join("") + findingLines(report.findings);
}
