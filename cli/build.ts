import { spawnSync } from "node:child_process";
import { readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { CommandError, exitCode } from "./exit-code.ts";

/** What ran: a seed replays on one V8 and one tree. */
export interface Build {
  readonly version: string;
  /** "v24.21.0". */
  readonly node: string;
  /** Abbreviated, with "-modified" where the tree differs from it; "unknown" outside a repository. */
  readonly commit: string;
}

export function buildOf(root: string): Build {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  return { version, node: process.version, commit: commitOf(root) };
}

/** The directory of our package.json: one level up from the sources, two from the compiled files. */
export function packageRoot(): string {
  for (let at = import.meta.dirname; at !== dirname(at); at = dirname(at)) {
    try {
      const { name } = JSON.parse(readFileSync(join(at, "package.json"), "utf8")) as { name?: string };
      if (name === "nokv") return at;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    }
  }
  throw new CommandError(exitCode.internal, `no package.json of nokv above ${import.meta.dirname}`);
}

function commitOf(root: string): string {
  const top = git(root, ["rev-parse", "--show-toplevel"]);
  // Installed below somebody else's repository, the commit would be theirs.
  if (top === null || realpathSync(top) !== realpathSync(root)) return "unknown";
  const commit = git(root, ["rev-parse", "--short=12", "HEAD"]);
  if (commit === null) return "unknown";
  return git(root, ["status", "--porcelain"]) === "" ? commit : `${commit}-modified`;
}

function git(root: string, args: readonly string[]): string | null {
  const { status, stdout } = spawnSync("git", ["-C", root, ...args], { encoding: "utf8" });
  return status === 0 ? stdout.trim() : null;
}
