// Goal: the front door of the embedded library opens a real directory, keeps what it acknowledged, and says
// who has it when it cannot be had.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { openDb } from "../core/engine/db.ts";
import { HostDisk } from "./disk.ts";
import { openHostEnv } from "./env.ts";
import { NokvError, open } from "./open.ts";

const root = mkdtempSync(join(tmpdir(), "nokv-open-"));
const text = new TextDecoder();

afterAll(() => {
  rmSync(root, { recursive: true });
});

async function refusal(opening: Promise<unknown>): Promise<NokvError> {
  const error: unknown = await opening.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(NokvError);
  return error as NokvError;
}

test("what was acknowledged is there when the directory is opened again", async () => {
  const directory = join(root, "kept");
  {
    await using db = await open(directory);
    await db.set("a", "one");
    await db.batch([
      { type: "set", key: "b", value: "two" },
      { type: "delete", key: "a" },
    ]);
    expect(db.get("a")).toBeUndefined();
  }
  await using db = await open(directory);
  expect(db.get("a")).toBeUndefined();
  expect(text.decode(db.get("b") ?? undefined)).toBe("two");
});

test("a directory that is open is refused by the name of its owner", async () => {
  const directory = join(root, "shared");
  await using _db = await open(directory);
  const error = await refusal(open(directory));
  expect(error.code).toBe("NOKV_LOCKED");
  expect(error.message).toContain(`pid ${process.pid} on host `);
});

test("where there is no flock program, a directory becomes a database, and takes a checkpoint", async () => {
  const env = { ...openHostEnv(), disk: new HostDisk({ flock: "no-such-program" }) };
  const [directory, copy] = [join(root, "no-flock"), join(root, "no-flock-copy")];
  for (const key of ["a", "b"]) {
    await using db = await openDb(env, directory);
    await db.set(key, "x");
    expect((await refusal(openDb(env, directory))).code).toBe("NOKV_LOCKED");
    if (key === "b") await db.checkpoint(copy);
  }
  for (const opened of [directory, copy]) {
    await using db = await openDb(env, opened);
    expect([...db.keys()].length).toBe(2);
  }
});

test("a database that was closed leaves no threads behind", async () => {
  const threads = (): number => readdirSync("/proc/self/task").length;
  const cycle = async (): Promise<void> => {
    await using db = await open(join(root, "threads"));
    await db.set("a", "x");
    await db.flush();
    await db.compact();
  };
  await cycle(); // whatever Node.js itself starts once
  const before = threads();
  for (let i = 0; i < 4; i++) await cycle();
  expect(threads()).toBeLessThan(before + 2);
});

test("a process that changes its working directory goes on in the directory that it opened", async () => {
  const script = `
    const { open } = await import(process.argv[1]);
    const db = await open("data");
    await db.set("a", "x");
    process.chdir("/");
    await db.flush();
    await db.close();
  `;
  const openUrl = new URL("./open.ts", import.meta.url).href;
  const given = ["--input-type=module", "-e", script, openUrl];
  const run = spawnSync(process.execPath, given, { cwd: root, encoding: "utf8" });
  expect(run.stderr).toBe("");
  await using db = await open(join(root, "data"));
  expect(db.has("a")).toBe(true);
});

test("nothing is created where nothing was asked for", async () => {
  const directory = join(root, "absent");
  expect((await refusal(open(directory, { createIfMissing: false }))).code).toBe("NOKV_NOT_FOUND");
  expect(existsSync(directory)).toBe(false);
});

test("a directory of something else is refused", async () => {
  const directory = join(root, "foreign");
  mkdirSync(directory);
  writeFileSync(join(directory, "thesis.txt"), "do not touch");
  expect((await refusal(open(directory))).code).toBe("NOKV_FOREIGN_DIRECTORY");
});

test("an option that makes no sense is refused by name", async () => {
  const error = await refusal(open(join(root, "options"), { blockBytes: -1 }));
  expect(error.code).toBe("NOKV_INVALID_ARGUMENT");
  expect(error.message).toContain("blockBytes");
});
