import { resolve } from "node:path";
import type { Finding } from "../core/finding.ts";
import { type ExitCode, UsageError, exitCode } from "./exit-code.ts";
import type { Options, OptionTable } from "./options.ts";

/** What every command that looks at a stopped directory accepts. */
export const inspectionOptions: OptionTable = { workdir: "value", json: "flag" };

export const inspectionUsage = `  --workdir DIR   the directory of a database that nobody has open for writing
  --json          one JSON object, for programs

Changes nothing in the directory. Exit codes: 0 sound, 2 usage, 65 damaged (what is left is printed all the same),
66 no such database, 74 I/O error, 75 open in another process, 77 permission denied.
`;

/** Absolute, without looking at it: what is missing or forbidden is said by whoever opens it. */
export function workdirOf(given: Options): string {
  const workdir = given.text("workdir");
  if (workdir === null) throw new UsageError("--workdir is missing", "such as --workdir ./data");
  return resolve(workdir);
}

/** One line per finding; with a heading when there are any. */
export function findingLines(findings: readonly Finding[]): string {
  if (findings.length === 0) return "";
  const lines = findings.map(({ severity, path, offset, what, remedy }) => {
    const place = offset === null ? path : `${path}: offset ${offset}`;
    return `  - ${severity} ${place}: ${what} (${remedy})\n`;
  });
  return `Findings:\n${lines.join("")}`;
}

export function codeFor(findings: readonly Finding[]): ExitCode {
  return findings.some(({ severity }) => severity === "damage") ? exitCode.corruption : exitCode.ok;
}
