// Goal: a directory that cannot be used is refused before anything is touched, with the reason and its code.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { describeError, exitCodeOf } from "./exit-code.ts";
import { resolveWorkdir } from "./workdir.ts";

const root = realpathSync(mkdtempSync(join(tmpdir(), "nokv-workdir-")));
mkdirSync(join(root, "present"));
writeFileSync(join(root, "file"), "");
symlinkSync(join(root, "present"), join(root, "link"));
symlinkSync(join(root, "nothing"), join(root, "dangling"));
symlinkSync(join(root, "loop"), join(root, "loop"));

afterAll(() => {
  rmSync(root, { recursive: true });
});

function refusal(path: string): [code: number, line: string] {
  try {
    resolveWorkdir(path);
  } catch (error) {
    return [exitCodeOf(error), describeError(error)];
  }
  return [0, "accepted"];
}

test("a directory has one name, whatever way leads to it", () => {
  expect(resolveWorkdir(join(root, "present"))).toBe(join(root, "present"));
  expect(resolveWorkdir(join(root, "link"))).toBe(join(root, "present"));
  expect(resolveWorkdir(join(root, "present/../present/"))).toBe(join(root, "present"));
});

test("a missing directory is left for the engine to create below an existing one", () => {
  expect(resolveWorkdir(join(root, "fresh"))).toBe(join(root, "fresh"));
  expect(resolveWorkdir(join(root, "link/fresh"))).toBe(join(root, "present/fresh"));
  expect(existsSync(join(root, "fresh"))).toBe(false);
});

test.each([
  ["file", 73, "is a file, not a directory"],
  ["file/below", 73, "is not a directory"],
  ["file/far/below", 73, "part of the path is not a directory"],
  ["missing/below", 66, `${root}/missing does not exist (mkdir -p ${root}/missing)`],
  ["dangling", 73, "is a symbolic link that leads nowhere"],
  ["loop", 73, "ELOOP"],
  ["n".repeat(300), 73, "ENAMETOOLONG"],
])("%s is refused", (name, code, reason) => {
  const [exit, line] = refusal(join(root, name));
  expect(exit).toBe(code);
  expect(line).toContain(reason);
});
