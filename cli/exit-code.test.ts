// Goal: what went wrong has its own exit code and one line that names the thing and the remedy.
import { expect, test } from "vitest";
import { AssertionError } from "../core/assert.ts";
import { DiskError } from "../core/env/disk.ts";
import { NetworkError } from "../core/env/network.ts";
import { NokvError, type NokvErrorCode, corruption } from "../core/errors.ts";
import { CommandError, UsageError, describeError, exitCodeOf } from "./exit-code.ts";

const nokvCodes: readonly (readonly [NokvErrorCode, number])[] = [
  ["NOKV_INVALID_ARGUMENT", 2],
  ["NOKV_CLOSED", 70],
  ["NOKV_LOCKED", 75],
  ["NOKV_NOT_FOUND", 66],
  ["NOKV_FOREIGN_DIRECTORY", 65],
  ["NOKV_FORMAT", 65],
  ["NOKV_CORRUPTION", 65],
  ["NOKV_IO", 74],
  ["NOKV_NO_SPACE", 74],
  ["NOKV_UNDETERMINED", 74],
  ["NOKV_POISONED", 74],
  ["NOKV_BUSY", 75],
  ["NOKV_ABORTED", 75],
];

test.each(nokvCodes)("%s exits with %i", (code, exit) => {
  expect(exitCodeOf(new NokvError(code, "what it says"))).toBe(exit);
});

test("the machine's refusal keeps its reason through the engine", () => {
  const denied = new DiskError("EACCES", "open", "/db/CURRENT");
  expect(exitCodeOf(denied)).toBe(77);
  expect(exitCodeOf(new NokvError("NOKV_IO", "cannot open /db", { cause: denied }))).toBe(77);
  const taken = new NetworkError("EADDRINUSE", "127.0.0.1:6380");
  expect(exitCodeOf(new NokvError("NOKV_IO", "cannot listen", { cause: taken }))).toBe(69);
  const notDirectory = new DiskError("ENOTDIR", "open", "/db");
  expect(exitCodeOf(new NokvError("NOKV_IO", "cannot open /db", { cause: notDirectory }))).toBe(73);
});

test("network, usage, commands and defects", () => {
  expect(exitCodeOf(new NetworkError("EADDRINUSE", "127.0.0.1:6380"))).toBe(69);
  expect(exitCodeOf(new NetworkError("EACCES", "0.0.0.0:80"))).toBe(77);
  expect(exitCodeOf(new UsageError("x"))).toBe(2);
  expect(exitCodeOf(new CommandError(66, "x"))).toBe(66);
  expect(exitCodeOf(new AssertionError("x"))).toBe(70);
  expect(exitCodeOf("x")).toBe(70);
});

test("lines have a hint where there is one and own up to defects", () => {
  expect(describeError(new UsageError("unknown option --x", "did you mean --y?"))).toBe(
    "unknown option --x (did you mean --y?)",
  );
  expect(describeError(corruption("wal-1.log", 32, "checksum differs", "restore a backup"))).toBe(
    "wal-1.log: offset 32: checksum differs (restore a backup)",
  );
  const defect = describeError(new AssertionError("a fact"));
  expect(defect).toBe("internal error: a fact (a defect: please report it)");
  expect(describeError(new TypeError("oops"))).toMatch(/^internal error: oops/);
});
