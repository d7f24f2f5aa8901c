// Goal: who a process is in a group is said by its option and the file together, and each way to get it wrong is named.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { defaultTopology } from "../default-topology.ts";
import { run } from "../run.ts";
import { entry, testContext } from "../test-context.test-support.ts";
import { coordinatorCommand } from "./coordinator.ts";
import { playgroundCommand } from "./playground.ts";

const base = mkdtempSync(join(tmpdir(), "nokv-coordinator-"));
afterAll(() => rmSync(base, { recursive: true }));
const commands = [entry("coordinator", coordinatorCommand), entry("playground", playgroundCommand)];
const alone = join(base, "alone.json");
const group = join(base, "group.json");
writeFileSync(alone, defaultTopology("c", null, 1));
writeFileSync(group, defaultTopology("c", null, 3));

const mistakes: readonly (readonly [what: string, argv: readonly string[], message: RegExp])[] = [
  ["a member without its number", ["coordinator", "--config", group], /--id: say which member this is, one of 1, 2, 3/],
  ["another number", ["coordinator", "--config", group, "--id", "4"], /--id 4: the file's members are 1, 2, 3/],
  ["a number for one that is alone", ["coordinator", "--config", alone, "--id", "1"], /the file names one Coordinator/],
  [
    "another count than the file's",
    ["playground", "--workdir", join(base, "p"), "--config", alone, "--coordinators", "3"],
    /--coordinators 3: .*alone\.json has 1 \(leave the option out, or give another --workdir\)/,
  ],
  [
    "other ports than the file's",
    ["playground", "--workdir", join(base, "p"), "--config", alone, "--base-port", "40000"],
    /--base-port 40000: .*alone\.json has 6380 \(leave the option out/,
  ],
  ["a group of two", ["playground", "--coordinators", "2"], /--coordinators/],
];

test.each(mistakes)("%s is refused by name", async (_, argv, message) => {
  const context = testContext();
  expect(await run(argv, commands, context)).toBe(2);
  expect(context.terminal.stderr).toMatch(message);
});
