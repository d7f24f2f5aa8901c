// Goal: a wrong option is refused by name before anything happens, and what a simulation draws is acceptable.
import { describe, expect, test } from "vitest";
import { NokvError } from "../errors.ts";
import { checkOptions, type EngineOptions, engineOptionExtremes, engineOptionsDefault } from "./options.ts";

function refusal(given: object): string {
  try {
    checkOptions(given);
    return "none";
  } catch (error) {
    if (error instanceof NokvError) return `${error.code} ${error.message}`;
    throw error;
  }
}

describe("engine options", () => {
  test("the defaults are acceptable and fill what is left out", () => {
    expect(checkOptions({})).toEqual(engineOptionsDefault);
    expect(checkOptions({ memtableBytes: 4096 })).toEqual({ ...engineOptionsDefault, memtableBytes: 4096 });
  });

  test.each<[object, string]>([
    [{ memtableBytes: 1 }, "memtableBytes is 1; it must be an integer from 128 to 1073741824"],
    [{ memtableBytes: 1.5e3 + 0.5 }, "memtableBytes is 1500.5"],
    [{ memtableBytes: Number.NaN }, "memtableBytes is NaN"],
    [{ memtableBytes: "64" }, "memtableBytes is 64"],
    [{ blockBytes: 0 }, "blockBytes is 0"],
    [{ durability: "fsync" }, 'durability is fsync; it must be "sync", "interval" or "none"'],
    [{ compression: "lz4" }, 'compression is lz4; it must be "none", "deflate" or "zstd"'],
    [{ compression: 1 }, "compression is 1"],
    [{ createIfMissing: 1 }, "createIfMissing must be true or false"],
    [{ owner: 7 }, "owner must be a string"],
    [{ level0TablesMax: 30, level0TablesStop: 20 }, "level0TablesStop is 20"],
    [{ memtableSize: 4096 }, "unknown option memtableSize"],
  ])("%j is refused", (given, message) => {
    expect(refusal(given)).toContain(`NOKV_INVALID_ARGUMENT ${message}`);
  });

  test("every extreme is acceptable, and the first is the least sensible", () => {
    for (const [name, values] of Object.entries(engineOptionExtremes)) {
      for (const value of values) {
        const given: Partial<EngineOptions> = { level0TablesMax: 1, level0TablesStop: 20, [name]: value };
        expect(checkOptions(given)[name as keyof EngineOptions]).toBe(value);
      }
      expect(values[0]).toBe(Math.min(...values));
    }
  });
});
