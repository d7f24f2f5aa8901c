// Goal: every byte of a value file is judged, whether or not anybody points to it, and nothing that a file says makes
// the check run away. Method: files written as jobs write them; every byte flipped, cut off, or hit in flight.
import { describe, expect, test } from "vitest";
import type { NokvError } from "../errors.ts";
import { MemoryDisk } from "../lsm/memory-disk.test-support.ts";
import { arenaFor, type PlainRecord } from "../lsm/records.test-support.ts";
import { directory } from "../lsm/tables.test-support.ts";
import { type ValueFileMeta, valueFilePath } from "./value-file.ts";
import { ValueFileCheck, valueFileProblem } from "./value-file-check.ts";
import { ValueOutput } from "./value-output.ts";

interface Written {
  readonly disk: MemoryDisk;
  readonly meta: ValueFileMeta;
  readonly path: string;
}

function write(valueLengths: readonly number[]): Written {
  const disk = new MemoryDisk();
  const records: PlainRecord[] = valueLengths.map((length, i) => ({
    family: i % 2, key: new Uint8Array(i + 1).fill(7), version: i + 1, value: new Uint8Array(length).fill(i + 1),
    expiresAtMs: i === 1 ? 5_000 : 0,
  }));
  const arena = arenaFor(records);
  const view = new DataView(arena.bytes.buffer, arena.bytes.byteOffset, arena.bytes.byteLength);
  const output = new ValueOutput(disk, { directory, firstNumber: 5, numbers: 1, fileBytes: 1 << 20 }, () => {});
  for (const record of records) output.add(arena.bytes, view, arena.append(record));
  output.finishFile();
  const [meta] = output.files;
  if (meta === undefined) throw new Error("a file was written");
  return { disk, meta, path: valueFilePath(directory, meta) };
}

/** Checks with `budgetBytes` per step. */
function check({ disk, meta, path }: Written, budgetBytes = 1 << 20): { found: NokvError[]; check: ValueFileCheck } {
  const found: NokvError[] = [];
  const file = disk.open(path, "read");
  const made = new ValueFileCheck(file, meta, (error) => found.push(error));
  let steps = 0;
  while (made.step(budgetBytes)) if (++steps > 10_000) throw new Error("a check never ends");
  file.close();
  return { found, check: made };
}

describe("a value file", () => {
  test("is sound as it was written, by steps of any size", () => {
    const written = write([0, 1, 30, 3_000, 2]);
    for (const budget of [1, 100, 1 << 20]) {
      const { found, check: made } = check(written, budget);
      expect(found).toEqual([]);
      expect([made.records, made.bytes]).toEqual([5, written.meta.sizeBytes]);
    }
  });

  test("hides no flipped byte, although nobody points to it", () => {
    const written = write([0, 1, 30, 300, 2]);
    const bytes = written.disk.bytesOf(written.path);
    for (let at = 0; at < bytes.length; at++) {
      for (const mask of [0x01, 0x80]) {
        bytes[at] = (bytes[at] ?? 0) ^ mask;
        const { found } = check(written);
        expect(found, `byte ${at}`).not.toEqual([]);
        for (const error of found) {
          expect(error).toMatchObject({ path: written.path });
          // A flip in the version of the format says a newer program wrote it: its checksum matches by no accident.
          expect(error.code).toBe("NOKV_CORRUPTION");
        }
        bytes[at] = (bytes[at] ?? 0) ^ mask;
      }
    }
  });

  test("is judged on behind a value that rotted", () => {
    const written = write([20, 20, 20, 20]);
    const bytes = written.disk.bytesOf(written.path);
    const second = 32 + 24 + 4 + 20 + 4;
    bytes[second + 30] = (bytes[second + 30] ?? 0) ^ 1;
    bytes[bytes.length - 9] = (bytes[bytes.length - 9] ?? 0) ^ 1;
    const { found, check: made } = check(written);
    expect(found.map(({ offset }) => offset)).toEqual([second, bytes.length - 52]);
    expect(made.records).toBe(2);
  });

  test("that damage in flight hits is read again", () => {
    const written = write([20, 400, 20]);
    let reads = 0;
    written.disk.onRead = (_path, _position, filled) => {
      if (++reads % 5 === 0) filled[filled.length >> 1] = (filled[filled.length >> 1] ?? 0) ^ 1;
    };
    expect(check(written).found).toEqual([]);
  });

  test("of crafted lengths ends the check, and takes no memory for them", () => {
    const written = write([20, 20]);
    const bytes = written.disk.bytesOf(written.path);
    for (const length of [0xffff_ffff, 0x4000_0001, 0x3fff_ffff, 100]) {
      new DataView(bytes.buffer, bytes.byteOffset).setUint32(32, length, true);
      const { found } = check(written);
      expect(found).toMatchObject([{ offset: 32, message: expect.stringContaining("longer than the rest") }]);
    }
  });

  test("that is missing, or of another size, is told", () => {
    const written = write([20]);
    expect(valueFileProblem(written.disk, directory, written.meta)).toBeNull();
    const longer = { ...written.meta, sizeBytes: written.meta.sizeBytes + 4 };
    expect(valueFileProblem(written.disk, directory, longer)?.message).toContain("the manifest says");
    expect(check({ ...written, meta: longer }).found).toHaveLength(1);
    written.disk.remove(written.path);
    expect(valueFileProblem(written.disk, directory, written.meta)?.message).toContain("missing");
  });
});
