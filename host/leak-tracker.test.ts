// Goal: whoever forgets to close an iterator or a snapshot is told which one, and where it was opened.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, expect, test } from "vitest";
import { openDb, type Db } from "../core/engine/db.ts";
import { openHostEnv } from "./env.ts";
import { LeakTracker } from "./leak-tracker.ts";
import { open } from "./open.ts";

const root = mkdtempSync(join(tmpdir(), "nokv-leaks-"));

afterAll(() => {
  rmSync(root, { recursive: true });
});

/** Who holds what is returned keeps it from being collected. */
function forgetfulCaller(db: Db): readonly unknown[] {
  return [db.iterator(), db.snapshot()];
}

test("stats and close name what is open and where it was opened", async () => {
  const warnings: string[] = [];
  const tracker = new LeakTracker("/data", (message) => warnings.push(message));
  const db = await openDb(openHostEnv(), join(root, "open"), {}, { tracker });
  db.iterator().close();
  db.snapshot().release();
  for (const _ of db.keys()) expect(_).toBeDefined();
  expect(db.stats().open).toEqual({ iterators: 0, snapshots: 0, openedAt: [] });
  const held = forgetfulCaller(db);
  const { iterators, snapshots, openedAt } = db.stats().open;
  expect([iterators, snapshots, openedAt.length]).toEqual([1, 1, 2]);
  expect(openedAt[0]).toMatch(/^iterator opened\n\s+at forgetfulCaller/);
  expect(openedAt[1]).toMatch(/^snapshot opened\n\s+at forgetfulCaller/);
  expect((await db.close()).openedAt).toEqual(openedAt);
  expect(warnings).toHaveLength(1);
  // Not before: a collection in between would have warned of each.
  expect(held).toHaveLength(2);
  expect(warnings[0]).toContain("/data was closed with leaks (open iterators: 1, open snapshots: 1)\niterator opened");
});

test("without trackLeaks only their number is known", async () => {
  const db = await open(join(root, "counted"));
  forgetfulCaller(db);
  expect(await db.close()).toEqual({ iterators: 1, snapshots: 1, openedAt: [] });
});

test("by default a leak is a warning of the process", async () => {
  const warnings: Error[] = [];
  const listen = (warning: Error): void => void warnings.push(warning);
  process.on("warning", listen);
  const db = await open(join(root, "warned"), { trackLeaks: true });
  const held = forgetfulCaller(db);
  await db.close();
  await turn();
  process.off("warning", listen);
  expect(warnings.map(({ name }) => name)).toEqual(["NokvLeakWarning"]);
  expect(held).toHaveLength(2);
  expect(warnings[0]?.message).toContain("forgetfulCaller");
});

test("what is thrown away without being closed is reported when the collector meets it", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const warnings: string[] = [];
  const tracker = new LeakTracker("/data", (message) => warnings.push(message));
  const db = await openDb(openHostEnv(), join(root, "collected"), {}, { tracker });
  forgetfulCaller(db);
  for (let patience = 200; patience > 0 && warnings.length < 2; patience--) {
    collect();
    await turn();
  }
  expect(warnings.toSorted()).toEqual([
    expect.stringMatching(/^\/data: thrown away without being closed: iterator opened\n/),
    expect.stringMatching(/^\/data: thrown away without being closed: snapshot opened\n/),
  ]);
  await db.close();
});
