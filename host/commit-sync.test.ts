// Goal: a loop of synchronous writes goes on for as long as it likes: what worker threads have done is fetched inside
// the calls. Method: a real directory, memtables of a few dozen writes, and not one turn of the loop of events between.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { open } from "./open.ts";

const root = mkdtempSync(join(tmpdir(), "nokv-commit-sync-"));
afterAll(() => rmSync(root, { recursive: true }));

const value = "x".repeat(200);

test.each([
  { name: "without a sync", durability: "none", valueThresholdBytes: 0 },
  { name: "with large values, whose log segments are kept", durability: "interval", valueThresholdBytes: 100 },
  { name: "with a sync each", durability: "sync", valueThresholdBytes: 0 },
] as const)("a loop without a pause, $name", { timeout: 60_000 }, async ({ name, ...level }) => {
  const directory = join(root, name);
  const level0 = { level0TablesMax: 2, level0TablesStop: 8 };
  const sizes = { memtableBytes: 8_192, immutableMemtablesMax: 1, ...level0, tableBytes: 16_384 };
  const options = { ...level, ...sizes, slowestBytesPerSecond: 1 << 30 };
  const writes = level.durability === "sync" ? 800 : 4_000;
  const db = await open(directory, options);
  for (let i = 0; i < writes; i++) db.setSync(`key${i % 500}`, `${i} ${value}`);
  const { flushes, compactions, immutableMemtables } = db.stats();
  expect(flushes).toBeGreaterThan(writes / 100);
  expect(compactions).toBeGreaterThan(0);
  expect(immutableMemtables).toBeLessThanOrEqual(2);
  await db.close();
  const again = await open(directory, options);
  const read = (key: string): string => new TextDecoder().decode(again.get(key));
  for (let i = Math.max(0, writes - 500); i < writes; i++) expect(read(`key${i % 500}`)).toBe(`${i} ${value}`);
  await again.close();
});
