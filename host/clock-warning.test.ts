// Goal: a database that can not follow the clock of its machine is no silent one.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import { open } from "./open.ts";

const root = mkdtempSync(join(tmpdir(), "nokv-clock-"));
const yearMs = 365 * 86_400_000;

afterAll(() => {
  rmSync(root, { recursive: true });
});

async function warningsOf(directory: string, aheadMs: number): Promise<readonly string[]> {
  const real = Date.now.bind(Date);
  const clock = vi.spyOn(Date, "now").mockImplementation(() => real() + aheadMs);
  const emit = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
  try {
    await using db = await open(join(root, directory));
    await db.set("a", "x");
    return emit.mock.calls.map(([message]) => String(message));
  } finally {
    clock.mockRestore();
    emit.mockRestore();
  }
}

test("a clock that goes on, by years too, is no reason to warn", async () => {
  expect(await warningsOf("on", 0)).toEqual([]);
  expect(await warningsOf("on", 20 * yearMs)).toEqual([]);
});

test("one that was years ahead, and is right again, is told with what to do", async () => {
  expect(await warningsOf("back", 20 * yearMs)).toEqual([]);
  const [warning = "", ...others] = await warningsOf("back", 0);
  expect(others).toEqual([]);
  expect(warning).toContain(`${join(root, "back")}: the newest write is of 20`);
  expect(warning).toContain("lifetimes");
  expect(warning).toContain("entries()");
});

test("one that shows 1970 as well", async () => {
  expect(await warningsOf("epoch", 5_000 - Date.now())).toHaveLength(1);
});
