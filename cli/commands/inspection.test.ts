// Goal: the commands that look at a stopped directory print stable shapes, end with the right code for each state of
// it, and change nothing. Method: run them in this process on real directories.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Db, open } from "../../host/open.ts";
import type { CommandEntry } from "../command.ts";
import { run } from "../run.ts";
import { entry, testContext } from "../test-context.test-support.ts";
import { manifestCommand, vlogCommand } from "./manifest.ts";
import { statsCommand } from "./stats.ts";
import { verifyCommand } from "./verify.ts";

const base = mkdtempSync(join(tmpdir(), "nokv-inspect-"));
afterAll(() => rmSync(base, { recursive: true }));

const commands: readonly CommandEntry[] = [
  entry("stats", statsCommand), entry("manifest", manifestCommand),
  entry("vlog", vlogCommand), entry("verify", verifyCommand),
];
const names = commands.map(({ name }) => name);
const directory = join(base, "db");

interface Told {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function nokv(...argv: string[]): Promise<Told> {
  const context = testContext();
  const code = await run(argv, commands, context);
  return { code, stdout: context.terminal.stdout, stderr: context.terminal.stderr };
}

/** Numbers depend on the day; the shape does not. */
function shape(text: string): string {
  return text.replaceAll(base, "BASE").replaceAll(/\b\d+(?:\.\d+)?(?=\b|B)/g, "N");
}

function picture(path: string): string[] {
  return readdirSync(path).map((name) => `${name} ${readFileSync(join(path, name)).toString("hex")}`);
}

async function filled(path: string): Promise<Db> {
  const db = await open(path, { compression: "deflate", valueThresholdBytes: 1_000, memtableBytes: 65_536 });
  for (let i = 0; i < 60; i++) await db.set(`key${i}`, i % 6 === 0 ? "v".repeat(2_000) : `value ${i} `.repeat(8));
  await db.flush();
  await db.set("last", "in the log");
  return db;
}

beforeAll(async () => {
  await (await filled(directory)).close();
});

test.each(names)("%s of a sound directory: the shape of its text, and code 0", async (name) => {
  const before = picture(directory);
  const { code, stdout, stderr } = await nokv(name, "--workdir", directory);
  expect([code, stderr]).toEqual([0, ""]);
  expect(shape(stdout)).toMatchSnapshot();
  expect(picture(directory)).toEqual(before);
});

test.each(names)("%s --json is one object of stable fields", async (name) => {
  const { code, stdout } = await nokv(name, "--workdir", directory, "--json");
  expect(code).toBe(0);
  expect(stdout.endsWith("}\n")).toBe(true);
  expect(shapeOf(JSON.parse(stdout))).toMatchSnapshot();
});

/** Field names and types, of the first element of each list. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [shapeOf(value[0])];
  if (typeof value !== "object" || value === null) return typeof value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, shapeOf(field)]));
}

test("what they say is true", async () => {
  const stats = JSON.parse((await nokv("stats", "--workdir", directory, "--json")).stdout) as { entries: number };
  expect(stats.entries).toBe(61);
  const verify = JSON.parse((await nokv("verify", "--workdir", directory, "--json")).stdout) as object;
  expect(verify).toMatchObject({ sound: true, findings: [], records: 60 });
});

test.each(names)("%s of what is not there, foreign, or no directory", async (name) => {
  expect(await nokv(name, "--workdir", join(base, "missing"))).toMatchObject({ code: 66, stdout: "" });
  const foreign = join(base, `foreign-${name}`);
  mkdirSync(foreign);
  expect((await nokv(name, "--workdir", foreign)).code).toBe(66);
  writeFileSync(join(foreign, "notes.txt"), "mine");
  expect((await nokv(name, "--workdir", foreign)).code).toBe(65);
  expect((await nokv(name, "--workdir", join(foreign, "notes.txt"))).code).toBe(2);
  expect(await nokv(name)).toMatchObject({ code: 2, stdout: "" });
  expect(readdirSync(foreign)).toEqual(["notes.txt"]);
});

test("an open database is locked", async () => {
  const path = join(base, "open");
  const db = await filled(path);
  for (const name of names) {
    const { code, stderr } = await nokv(name, "--workdir", path);
    expect(code).toBe(75);
    expect(stderr).toContain("is in use by");
  }
  await db.close();
});

test("a damaged directory gets a report and code 65, not a stack", async () => {
  const path = join(base, "damaged");
  await (await filled(path)).close();
  const file = (pattern: RegExp): string => join(path, readdirSync(path).find((name) => pattern.test(name)) ?? "");
  const flip = (name: string, at: number): void => {
    const bytes = readFileSync(name);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(name, bytes);
  };
  flip(file(/\.sst$/), 100);
  const verified = await nokv("verify", "--workdir", path);
  expect([verified.code, verified.stderr]).toEqual([65, ""]);
  expect(verified.stdout).toMatch(/^Sound +false$/m);
  expect(verified.stdout).toMatch(/ {2}- damage .*\.sst: offset 32: bad checksum of a table block/);
  expect((await nokv("manifest", "--workdir", path)).code).toBe(0);
  rmSync(file(/^CURRENT$/));
  for (const name of names) {
    const { code, stdout, stderr } = await nokv(name, "--workdir", path);
    expect([code, stderr]).toEqual([65, ""]);
    expect(stdout).toContain("CURRENT: offset 0: the file is missing");
  }
  flip(file(/^MANIFEST/), 3);
  for (const name of ["manifest", "vlog", "verify"]) {
    expect((await nokv(name, "--workdir", path, "--json")).code).toBe(65);
  }
  expect(await nokv("stats", "--workdir", path)).toMatchObject({ code: 65 });
});
