import { spawnSync } from "node:child_process";
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly fileSystem: string;
  readonly node: string;
  readonly v8: string;
}

const root = join(import.meta.dirname, "..");

export function describeMachine(directory: string): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    fileSystem: firstLine("stat", ["--file-system", "--format=%T", directory]),
    node: process.version,
    v8: process.versions.v8,
  };
}

/** The commit of this tree; `+` behind it means that files differ from it. */
export function describeCommit(): string {
  const commit = firstLine("git", ["-C", root, "rev-parse", "--short=8", "HEAD"]);
  const measured = ["core", "host", "failpoints", "bench", ":!bench/results"];
  const changed = firstLine("git", ["-C", root, "status", "--porcelain", "--", ...measured]);
  return changed === "" ? commit : `${commit}+`;
}

function firstLine(command: string, words: readonly string[]): string {
  const { stdout } = spawnSync(command, words, { encoding: "utf8" });
  return stdout?.split("\n")[0]?.trim() ?? "";
}
