// Goal: the steps of a migration on a stopped directory print stable shapes, end with the right codes, and leave each
// other what they need. Method: run them in this process on a real directory.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openHostEnv } from "../../host/env.ts";
import { open } from "../../host/open.ts";
import { ExpandJournal } from "../../node/migrate/expand-journal.ts";
import { run } from "../run.ts";
import { entry, testContext } from "../test-context.test-support.ts";
import { migrateCommand } from "./migrate.ts";
import { serveCommand } from "./serve.ts";
import { verifyCommand } from "./verify.ts";

const base = mkdtempSync(join(tmpdir(), "nokv-migrate-"));
afterAll(() => rmSync(base, { recursive: true }));
const directory = join(base, "db");
const config = join(base, "topology.json");

interface Told {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const commands = [
  entry("migrate", migrateCommand), entry("serve", serveCommand), entry("verify", verifyCommand),
];

async function nokv(...argv: string[]): Promise<Told> {
  const context = testContext();
  const code = await run(argv, commands, context);
  return { code, stdout: context.terminal.stdout, stderr: context.terminal.stderr };
}

/** Numbers, hashes and ids depend on the day; the shape does not. */
function shape(text: string): string {
  return text
    .replaceAll(base, "BASE")
    .replaceAll(/\b[0-9a-f]{32}\b/g, "HASH")
    .replaceAll(/\b[0-9a-f]{16}\b/g, "ID")
    .replaceAll(/\b\d{9,}\b/g, "TS");
}

beforeAll(async () => {
  const place = (port: number): object => ({ addr: `127.0.0.1:${port}`, work_dir: join(base, `work-${port}`) });
  writeFileSync(config, JSON.stringify({
    cluster_id: "migrated", coordinator: place(31_801), stores: [{ store_id: 1, ...place(31_802) }], regions: [],
  }));
  const db = await open(directory, { durability: "none" });
  for (let i = 0; i < 40; i++) await db.set(`key${i}`, "v".repeat(i * 10), i % 4 === 0 ? { ttlMs: 3_600_000 } : {});
  await db.delete("key7");
  await db.deleteRange({ gte: "key2", lt: "key20" });
  await db.close();
});

const at = ["--workdir", directory];
const whose = ["--config", config, "--store-id", "1"];

test("plan: what would be done, twice the same", async () => {
  const { code, stdout } = await nokv("migrate", "plan", ...at, ...whose, "--regions", "2");
  expect(shape(stdout)).toMatchSnapshot("plan");
  expect(code).toBe(0);
  expect((await nokv("migrate", "plan", ...at, ...whose, "--regions", "2")).stdout).toBe(stdout);
  const json = JSON.parse((await nokv("migrate", "plan", ...at, "--json")).stdout) as Record<string, unknown>;
  expect(Object.keys(json)).toMatchSnapshot("plan as JSON");
});

test("who only compares a cluster needs no journal, and leaves none", async () => {
  const journal = join(base, "journal");
  const verify = ["migrate", "verify", "--config", config, "--journal", journal, "--wait", "300ms"];
  const alone = await nokv(...verify);
  expect([alone.code, alone.stderr.includes("nobody leads") || alone.stderr.includes("there are no regions")])
    .toEqual([75, true]);
  expect(existsSync(journal)).toBe(false);
  const held = await ExpandJournal.open(openHostEnv(), journal, "migrated", "an expansion");
  expect((await nokv(...verify)).stderr).not.toContain("an expansion");
  held.close();
});

test("a standalone directory is not served, and there is nothing to verify or to undo", async () => {
  const served = await nokv("serve", ...whose, ...at);
  expect(served.code).toBe(65);
  expect(served.stderr).toContain("nokv migrate init");
  expect((await nokv("migrate", "verify", ...at)).code).toBe(2);
  expect(shape((await nokv("migrate", "rollback", ...at)).stdout)).toMatchSnapshot("rollback of none");
  expect(shape((await nokv("migrate", "report", ...at)).stdout)).toMatchSnapshot("report of none");
});

test("init, again, with other wishes, and what everybody then says", async () => {
  const unnamed = await nokv("migrate", "init", ...at);
  expect([unnamed.code, unnamed.stderr.includes("--store-id")]).toEqual([2, true]);
  const { code, stdout, stderr } = await nokv("migrate", "init", ...at, ...whose, "--regions", "2");
  expect(shape(stdout + stderr)).toMatchSnapshot("init");
  expect(code).toBe(0);
  expect((await nokv("migrate", "init", ...at)).stdout).toBe(stdout);
  const other = await nokv("migrate", "init", ...at, "--cluster-id", "other", "--store-id", "1");
  expect([other.code, other.stderr.includes('cluster "migrated"')]).toEqual([2, true]);
  expect(shape((await nokv("migrate", "status", ...at)).stdout)).toMatchSnapshot("status of a seed");
  expect(shape((await nokv("migrate", "report", ...at)).stdout)).toMatchSnapshot("report of a seed");
  const verdict = await nokv("migrate", "verify", ...at);
  expect(shape(verdict.stdout)).toMatchSnapshot("verify of a seed");
  expect(verdict.code).toBe(0);
  // Nothing of a store is called foreign, which could be moved away.
  expect((await nokv("verify", ...at)).stdout).not.toContain("Findings");
  await expect(open(directory)).rejects.toThrow("is the seed of a cluster");
  for (const step of ["status", "report", "verify", "init"]) {
    const json = JSON.parse((await nokv("migrate", step, ...at, "--json")).stdout) as Record<string, unknown>;
    expect([step, Object.keys(json)]).toMatchSnapshot("JSON of a seed");
  }
});

test("rollback: standalone again, with everything", async () => {
  const { code, stdout } = await nokv("migrate", "rollback", ...at);
  expect(shape(stdout)).toMatchSnapshot("rollback of a seed");
  expect(code).toBe(0);
  const db = await open(directory);
  expect(db.get("key39")?.length).toBe(390);
  expect([...db.keys()].length).toBe(38);
  await db.set("after", "all");
  await db.close();
  expect((await nokv("migrate", "init", ...at, ...whose)).code).toBe(0);
});

test("a cluster of which nobody answers is told as that, with what to do, and nothing is made", async () => {
  const { code, stdout } = await nokv("migrate", "report", "--config", config);
  expect(code).toBe(69);
  const told = shape(stdout);
  expect(told).toMatchSnapshot("report of a silent cluster");
  const json = JSON.parse((await nokv("migrate", "report", "--config", config, "--json")).stdout) as object;
  expect(Object.keys(json)).toMatchSnapshot("report of a silent cluster as JSON");
  expect((await nokv("migrate", "status", "--config", config)).code).toBe(69);
  expect(existsSync(join(base, "expand-journal"))).toBe(false);
  expect((await nokv("migrate", "report", "--help")).stdout).toContain("usage: nokv migrate report --config FILE");
});

test("a step that is none names the one that was meant", async () => {
  expect((await nokv("migrate", "rolback")).stderr).toContain("did you mean rollback?");
  expect((await nokv("migrate")).code).toBe(2);
  expect((await nokv("migrate", "init", "--help")).stdout).toContain("usage: nokv migrate init");
  const topology = join(base, "regions.json");
  writeFileSync(topology, "{}");
  expect((await nokv("migrate", "plan", ...at, "--config", topology)).code).toBe(2);
});
