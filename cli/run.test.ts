// Goal: the front door answers every wrong command line with one line, help on stdout and a meaningful code.
import { expect, test } from "vitest";
import type { Command } from "./command.ts";
import { CommandError, exitCode } from "./exit-code.ts";
import { run } from "./run.ts";
import { type TestContext, entry, testContext } from "./test-context.test-support.ts";

const echo: Command = {
  usage: "usage: nokv echo\n",
  run: (argv, { terminal }) => {
    if (argv.includes("fail")) throw new CommandError(exitCode.noInput, "/x: no such directory", "create it");
    if (argv.includes("crash")) throw new TypeError("not a function");
    terminal.out(argv.join(" "));
    return Promise.resolve(exitCode.ok);
  },
};

async function given(...argv: string[]): Promise<[code: number, context: TestContext]> {
  const context = testContext();
  return [await run(argv, [entry("echo", echo)], context), context];
}

test("no arguments: usage on stderr, exit 2", async () => {
  const [code, { terminal }] = await given();
  expect(code).toBe(2);
  expect(terminal.stdout).toBe("");
  expect(terminal.stderr).toMatch(/^usage: nokv COMMAND/);
});

test.each([["--help"], ["-h"], ["help"]])("%s: usage on stdout, exit 0", async (flag) => {
  const [code, { terminal }] = await given(flag);
  expect(code).toBe(0);
  expect(terminal.stdout).toMatch(/^usage: nokv COMMAND[^]*echo +what echo does/);
  expect(terminal.stderr).toBe("");
});

test.each([
  ["help", "echo"],
  ["echo", "--help"],
  ["echo", "-h"],
  ["echo", "--bogus", "--help"],
])("%s %s: the command's usage", async (...argv) => {
  const [code, { terminal }] = await given(...argv);
  expect([code, terminal.stdout]).toEqual([0, echo.usage]);
});

test.each([["--version"], ["version"]])("%s: one line", async (flag) => {
  const [code, { terminal }] = await given(flag);
  expect([code, terminal.stdout]).toEqual([0, "nokv 0.1.0 (node v24.21.0, commit abc123)\n"]);
});

test.each([
  [["ecoh"], "nokv: unknown command ecoh (did you mean echo?)\n"],
  [["zebra"], "nokv: unknown command zebra (the commands are: echo)\n"],
  [["--vresion"], "nokv: unknown option --vresion (did you mean --version?)\n"],
  [["help", "ecoh"], "nokv: unknown command ecoh (did you mean echo?)\n"],
  [["help", "echo", "more"], 'nokv: unexpected argument "more"\n'],
])("%j: exit 2", async (argv, line) => {
  const [code, { terminal }] = await given(...argv);
  expect(code).toBe(2);
  expect(terminal.stderr).toBe(`${line}usage: nokv help [COMMAND]\n`);
});

test("a command's failure is one line and its code", async () => {
  const [code, { terminal }] = await given("echo", "fail");
  expect([code, terminal.stderr]).toEqual([66, "nokv: /x: no such directory (create it)\n"]);
});

test("a stack is shown only on request", async () => {
  const [code, { terminal }] = await given("echo", "crash");
  expect(code).toBe(70);
  expect(terminal.stderr).toBe("nokv: internal error: not a function (--debug shows the stack)\n");
  const [, debug] = await given("echo", "crash", "--debug");
  expect(debug.terminal.stderr).toMatch(/TypeError: not a function\n +at /);
});
