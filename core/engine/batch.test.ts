// Goal: a batch holds exactly the record images it was given, and refuses what no record can hold.
import { describe, expect, test } from "vitest";
import {
  keyLengthMax,
  readExpiresAtMs,
  readKeyLength,
  readKind,
  readValueLength,
  readVersion,
  recordBytesAt,
  recordHeaderBytes,
  recordKind,
} from "../bytes/record.ts";
import { Batch } from "./batch.ts";
import { bytesOf, textOf } from "./test-world.test-support.ts";

function contents(batch: Batch): unknown[] {
  const view = new DataView(batch.bytes.buffer);
  const found: unknown[] = [];
  for (let at = 0; at < batch.byteLength; at += recordBytesAt(view, at)) {
    expect(readVersion(view, at)).toBe(0);
    const key = at + recordHeaderBytes;
    const value = key + readKeyLength(view, at);
    const end = value + readValueLength(view, at);
    expect(batch.bytes.subarray(end, at + recordBytesAt(view, at)).every((byte) => byte === 0)).toBe(true);
    const name = textOf(batch.bytes.subarray(key, value));
    if (readKind(view, at) === recordKind.tombstone) found.push([name]);
    else found.push([name, textOf(batch.bytes.subarray(value, end)), readExpiresAtMs(view, at)]);
  }
  return found;
}

describe("batch", () => {
  test("keeps writes in order, empty keys and values included", () => {
    const batch = new Batch().set(bytesOf("a"), bytesOf("1")).delete(bytesOf("b"));
    batch.set(bytesOf(""), bytesOf(""), 77);
    expect(contents(batch)).toEqual([["a", "1", 0], ["b"], ["", "", 77]]);
    expect(batch.count).toBe(3);
    expect(batch.largestValueBytes).toBe(1);
  });

  test("leaves nothing of an earlier use", () => {
    const batch = new Batch().set(bytesOf("key"), new Uint8Array(500).fill(0xff), 2 ** 50);
    batch.clear();
    expect([batch.count, batch.byteLength, batch.largestValueBytes]).toEqual([0, 0, 0]);
    batch.set(bytesOf("k"), bytesOf("v")).delete(bytesOf("d"));
    expect(contents(batch)).toEqual([["k", "v", 0], ["d"]]);
  });

  test("copies what it is given", () => {
    const key = bytesOf("k");
    const value = bytesOf("v");
    const batch = new Batch().set(key, value);
    key[0] = 0;
    value[0] = 0;
    expect(contents(batch)).toEqual([["k", "v", 0]]);
  });

  test("refuses what no record can hold, and is as before", () => {
    const batch = new Batch().set(bytesOf("a"), bytesOf("1"));
    const long = new Uint8Array(keyLengthMax + 1);
    expect(() => batch.set(long, bytesOf(""))).toThrow("key of 65536 bytes; at most 65535");
    expect(() => batch.delete(long)).toThrow("at most 65535");
    for (const expiresAtMs of [-1, 1.5, 2 ** 53, Number.NaN]) {
      const set = (): Batch => batch.set(bytesOf("b"), bytesOf("2"), expiresAtMs);
      expect(set).toThrow(`expiresAtMs is ${expiresAtMs}`);
    }
    expect(contents(batch)).toEqual([["a", "1", 0]]);
    batch.set(new Uint8Array(keyLengthMax), bytesOf(""));
    expect(batch.count).toBe(2);
  });
});
