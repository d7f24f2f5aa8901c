// Goal: on a real file system, looking at a directory changes no byte, no name and no time of change in it, and works
// without the right to write.
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { NokvError } from "../core/errors.ts";
import { open, openReadOnly } from "./open.ts";

const base = mkdtempSync(join(tmpdir(), "nokv-look-"));
afterAll(() => rmSync(base, { recursive: true }));

function picture(directory: string): string[] {
  return readdirSync(directory).map((name) => {
    const path = join(directory, name);
    return `${name} ${statSync(path, { bigint: true }).mtimeNs} ${readFileSync(path).toString("hex")}`;
  });
}

test("a closed database is shown and stays as it is; an open one is refused", async () => {
  const directory = join(base, "db");
  const options = { memtableBytes: 16_384, compression: "deflate" } as const;
  const db = await open(directory, { ...options, owner: "the test" });
  for (let i = 0; i < 400; i++) await db.set(`key${i}`, `value ${i} `.repeat(10));
  const refused = await openReadOnly(directory).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(NokvError);
  expect(refused).toMatchObject({ code: "NOKV_LOCKED" });
  expect(String(refused)).toContain("the test");
  await db.close();
  const before = picture(directory);
  const first = await openReadOnly(directory);
  const second = await openReadOnly(directory, { damaged: "skip" });
  for (const looking of [first, second]) {
    expect([...looking.entries()].length).toBe(400);
    expect([...looking.keys({ prefix: "key39" })].length).toBe(11);
    expect([...looking.values({ limit: 3 })].length).toBe(3);
    expect(looking.problems).toEqual([]);
  }
  await expect(open(directory, options)).rejects.toMatchObject({ code: "NOKV_LOCKED" });
  await first.close();
  await second.close();
  expect(picture(directory)).toEqual(before);
  await (await open(directory, options)).close();
});

test("what is not there is not made", async () => {
  const missing = join(base, "missing");
  await expect(openReadOnly(missing)).rejects.toMatchObject({ code: "NOKV_NOT_FOUND" });
  expect(readdirSync(base)).not.toContain("missing");
});
