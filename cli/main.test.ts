// Goal: the real process keeps its promises to the shell: streams, exit codes, readers that go away, full
// disks.
// Method: run `cli/main.ts` as a user would.
import { type SpawnSyncReturns, type StdioOptions, spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const main = join(import.meta.dirname, "main.ts");
const stdio: StdioOptions = ["ignore", "pipe", "pipe"];

function nokv(...argv: string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [main, ...argv], { encoding: "utf8", stdio });
}

function shell(line: string): SpawnSyncReturns<string> {
  const environment = { ...process.env, NODE: process.execPath, MAIN: main };
  return spawnSync("bash", ["-c", line], { encoding: "utf8", env: environment, stdio });
}

test("version: one line on stdout", () => {
  const { status, stdout, stderr } = nokv("--version");
  expect([status, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/^nokv \d+\.\d+\.\d+ \(node v\d+\.\d+\.\d+, commit [0-9a-z-]+\)\n$/);
});

const explained = ["redis", "coordinator", "serve", "playground", "sim", "explore", "walk", "mutants"];

test.each(explained)("%s has help on stdout", (command) => {
  const { status, stdout, stderr } = nokv(command, "--help");
  expect([status, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(new RegExp(`^usage: nokv ${command} `));
  expect(nokv("help", command).stdout).toBe(stdout);
});

test("nothing to do: usage on stderr, exit 2", () => {
  const { status, stdout, stderr } = nokv();
  expect([status, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(/^usage: nokv COMMAND/);
});

test("an unknown option names the one that was meant", () => {
  const { status, stdout, stderr } = nokv("redis", "--wrokdir", "x");
  expect([status, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(/^nokv: unknown option --wrokdir \(did you mean --workdir\?\)\n/);
});

test("a reader that goes away is no failure", () => {
  const { status, stderr } = shell('"$NODE" "$MAIN" sim --help | head -n 1; exit "${PIPESTATUS[0]}"');
  expect([status, stderr]).toEqual([0, ""]);
  const gone = shell('"$NODE" "$MAIN" sim --help > >(exec 0<&-); wait "$!"');
  expect(gone.stderr).not.toMatch(/at |Error/);
});

test("a full disk behind stdout is a failure", () => {
  const full = openSync("/dev/full", "w");
  const { status, stderr } = spawnSync(process.execPath, [main, "--version"], {
    encoding: "utf8",
    stdio: ["ignore", full, "pipe"],
  });
  closeSync(full);
  expect(status).toBe(74);
  expect(stderr).toMatch(/^nokv: stdout: .*no space left/i);
});

test("no stdin, no HOME, an odd time zone and no locale change nothing", () => {
  const line = 'env -i HOME= TZ=Asia/Kathmandu LC_ALL=C "$NODE" "$MAIN" --version 0<&-';
  const { status, stdout } = shell(line);
  expect(status).toBe(0);
  expect(stdout).toMatch(/^nokv /);
});
