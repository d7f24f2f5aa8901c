// Goal: the model says what was written, and the judgement forgives forgetting only where nobody can miss it.
import { expect, test } from "vitest";
import { columnFamily } from "../../core/bytes/record.ts";
import { versionMs } from "../../core/lsm/drop-rules.ts";
import { judgeRecord, type ModelRecord, VersionedModel } from "./versioned-model.ts";

const { data, lock } = columnFamily;
const value = (version: number, text: string, expiresAtMs = 0): ModelRecord => ({ version, value: text, expiresAtMs });
const tombstone = (version: number): ModelRecord => ({ version, value: null, expiresAtMs: 0 });

test("a model remembers every version, and forgets ranges", () => {
  const model = new VersionedModel();
  model.apply([{ family: data, key: "a", ...value(5, "x") }, { family: lock, key: "a", ...value(9, "held") }]);
  model.apply([{ family: data, key: "a", ...tombstone(7) }, { family: data, key: "b", ...value(3, "y") }]);
  expect(model.newest(data, "a", 6)).toEqual(value(5, "x"));
  expect(model.newest(data, "a", 4)).toBeNull();
  expect(model.keys(data)).toEqual(["a", "b"]);
  expect(model.leastCount(0)).toBe(4);
  expect(model.leastCount(7)).toBe(2);
  const copy = model.clone();
  model.replace({ ranges: [{ family: data, start: "a", end: "b" }], entries: [], batch: [] });
  expect(model.keys(data)).toEqual(["b"]);
  expect(copy.keys(data)).toEqual(["a", "b"]);
});

test("what is dead for everybody may be gone, and nothing else", () => {
  expect(judgeRecord(data, value(5, "x"), value(5, "x"), 0)).toBeNull();
  expect(judgeRecord(data, value(5, "x"), null, 9)).toContain("nothing, where");
  expect(judgeRecord(data, tombstone(5), null, 4)).toContain("nothing, where");
  expect(judgeRecord(data, tombstone(5), null, 5)).toBeNull();
  expect(judgeRecord(lock, tombstone(5), null, 0)).toBeNull();
  expect(judgeRecord(data, null, value(5, "x"), 9)).toContain("never written");
  expect(judgeRecord(data, value(6, "x"), value(5, "x"), 9)).toContain("instead of");
  const safePoint = 8_192;
  const over = value(5, "x", versionMs(safePoint));
  expect(judgeRecord(data, over, tombstone(5), safePoint)).toBeNull();
  expect(judgeRecord(data, over, null, safePoint)).toBeNull();
  expect(judgeRecord(data, over, tombstone(5), safePoint - 4_096)).toContain("instead of");
});
