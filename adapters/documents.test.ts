// Goal: every example in the documents runs and prints what it says. (Their types: package.test.ts.)
// Method: each block of TypeScript becomes a program in a directory of its own, run by plain Node.js against the
// sources; lines printed are compared with the comments that begin with an arrow.
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { examplesIn } from "./examples.test-support.ts";

const run = promisify(execFile);
const root = dirname(import.meta.dirname);
const scratch = mkdtempSync(join(tmpdir(), "nokv-documents-"));
const require = createRequire(import.meta.url);

/** What the package's entries are, and what else the examples import. */
const modules: Readonly<Record<string, string>> = {
  "nokv": join(root, "host/open.ts"),
  "nokv/abstract-level": join(root, "adapters/abstract-level.ts"),
  "nokv/sim": join(root, "host/simulate.ts"),
  "nokv/keyv": join(root, "adapters/keyv.ts"),
  "nokv/unstorage": join(root, "adapters/unstorage.ts"),
};

const examples = examplesIn("README.md", "docs/API.md", "docs/SIM.md");

beforeAll(() => {
  for (const { name, source } of examples) {
    const directory = join(scratch, name);
    mkdirSync(directory);
    const resolved = source.replaceAll(/ from "([^".][^"]*)"/g, (_, name: string) => {
      const target = modules[name] ?? require.resolve(name);
      return ` from "${target.endsWith(".ts") ? target : pathToFileURL(target).href}"`;
    });
    writeFileSync(join(directory, "example.ts"), resolved);
    writeFileSync(join(directory, "package.json"), '{ "type": "module" }\n');
  }
});

afterAll(() => {
  rmSync(scratch, { recursive: true });
});

test("there are examples", () => {
  expect(examples.length).toBeGreaterThanOrEqual(12);
});

test.each(examples)("$name prints what it says", async ({ name, printed }) => {
  const directory = join(scratch, name);
  const { stdout } = await run(process.execPath, ["example.ts"], { cwd: directory });
  expect(stdout.split("\n").filter((line) => line !== "")).toEqual(printed);
});
