import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Mutant, patchesOf } from "../../sim/mutants/mutant.ts";
import { CommandError, exitCode } from "../exit-code.ts";

const skipped: ReadonlySet<string> = new Set(["node_modules", "dist", "data"]);

/** Sources below `root`, as relative paths: what a run needs, tracked or not. */
function sourcesOf(root: string, folder = ""): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.name.startsWith(".") || skipped.has(entry.name)) return [];
    if (entry.isDirectory()) return sourcesOf(root, path);
    const needed = path === "package.json" || (path.endsWith(".ts") && !path.endsWith(".test.ts"));
    return needed ? [path] : [];
  });
}

/** A copy of the tree at `root` with one bug planted, in a new temporary directory; the caller removes it. */
export function copyWithMutant(root: string, mutant: Mutant): string {
  if (!existsSync(join(root, "cli/main.ts"))) {
    throw new CommandError(exitCode.noInput, `${root} has no sources to change`, "run it in the repository");
  }
  const patched = patch(root, mutant);
  const copy = mkdtempSync(join(tmpdir(), "nokv-mutant-"));
  for (const path of sourcesOf(root)) {
    mkdirSync(dirname(join(copy, path)), { recursive: true });
    copyFileSync(join(root, path), join(copy, path));
  }
  for (const [file, text] of patched) writeFileSync(join(copy, file), text);
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  return copy;
}

/** The changed files, by path. */
function patch(root: string, mutant: Mutant): ReadonlyMap<string, string> {
  const changed = new Map<string, string>();
  for (const { file, find, replace } of patchesOf(mutant)) {
    const [before, after, ...more] = (changed.get(file) ?? readFileSync(join(root, file), "utf8")).split(find);
    if (before === undefined || after === undefined || more.length > 0) {
      const count = after === undefined ? 0 : more.length + 1;
      throw new CommandError(
        exitCode.violation,
        `mutant ${mutant.name}: its text occurs ${count} times in ${file}, must be 1`,
        "the code moved on: mend the patch",
      );
    }
    changed.set(file, before + replace + after);
  }
  return changed;
}
