// Goal: whatever happens to the bytes of a log, what is replayed is a prefix of what was written, or the
// log is refused; and damage to what was known durable is always refused. Method: small logs written by the
// real writer; then every truncation, every flipped bit, random garbage.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TestWorld } from "../engine/test-world.test-support.ts";
import { readVersion, recordBytesAt } from "../bytes/record.ts";
import { NokvError } from "../errors.ts";
import { fileHeaderBytes } from "./file-header.ts";
import { crc32, salt } from "../bytes/crc32.ts";
import { FrameReader, frameHeaderBytes, frameType } from "./frame.ts";
import { judgeLog, type LogExpectation } from "./log-verdict.ts";
import { epoch, scanImage, segmentPath, TestLog } from "./log.test-support.ts";
import { scanSegment } from "./segment-scan.ts";
import type { WalLevel } from "./wal-config.ts";

interface Written {
  /** By number of the segment. */
  readonly images: ReadonlyMap<number, Uint8Array>;
  readonly expected: LogExpectation;
  /** Versions in the log, and how many of them were acknowledged as durable. */
  readonly versions: number;
}

const open: LogExpectation = { logNumber: 1, listed: [1], closedBytes: 0 };

/** Some of the zeros that a log writes ahead of its end are there wherever it is looked at. */
const aheadBytes = 64;

/** A log of `sizes.length` segments; each inner number is a value's length, each inner array one group. */
async function writeLog(
  level: WalLevel,
  sizes: readonly (readonly (readonly number[])[])[],
): Promise<Written> {
  const log = new TestLog(new TestWorld(), level, 1 << 20, aheadBytes);
  for (const [i, groups] of sizes.entries()) {
    log.begin(i + 1);
    for (const group of groups) {
      for (const size of group) log.append(size);
      await log.world.pass(2);
    }
  }
  await log.settle();
  const images = new Map(sizes.map((_, i) => [i + 1, log.image(i + 1)]));
  return { images, expected: { ...open, listed: log.durableSegments }, versions: log.nextVersion - 1 };
}

/** The versions that a recovery would replay. Throws as it would. */
function replayed(images: ReadonlyMap<number, Uint8Array>, expected: LogExpectation): number[] {
  const scans = [...images].map(([number, image]) => scanImage(image, number));
  const versions: number[] = [];
  for (const scan of judgeLog("/", scans, expected).replay) {
    const image = images.get(scan.number) ?? new Uint8Array(0);
    const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
    const reader = new FrameReader(image, scan.goodBytes, scan.number, epoch);
    while (reader.next() === "frame") {
      if (reader.type !== frameType.records) continue;
      for (let at = reader.payloadStart; at < reader.payloadEnd; at += recordBytesAt(view, at)) {
        versions.push(readVersion(view, at));
      }
    }
  }
  return versions;
}

/** Replays the damaged log: null when it is refused. What is replayed must be 1, 2, 3 and so on. */
function judge(
  written: Written,
  number: number,
  damaged: Uint8Array,
  expected = written.expected,
): number | null {
  const images = new Map(written.images);
  images.set(number, damaged);
  try {
    const versions = replayed(images, expected);
    expect(versions).toEqual(Array.from({ length: versions.length }, (_, i) => i + 1));
    expect(versions.length).toBeLessThanOrEqual(written.versions);
    return versions.length;
  } catch (error) {
    if (!(error instanceof NokvError)) throw error;
    expect(["NOKV_CORRUPTION", "NOKV_FORMAT"]).toContain(error.code);
    expect(error.path).toBe(segmentPath(number));
    expect(error.message).toContain(`offset ${error.offset}`);
    return null;
  }
}

function flipped(image: Uint8Array, at: number, bit: number): Uint8Array {
  const copy = image.slice();
  copy[at] = (copy[at] ?? 0) ^ (1 << bit);
  return copy;
}

const levels = ["sync", "interval", "none"] as const;
const threeSegments = [[[8, 20], [4]], [[16], [0], [3, 5]], [[8], [12, 1]]];

describe("an undamaged log", () => {
  test.each(levels)("is replayed whole, %s", async (level) => {
    const written = await writeLog(level, threeSegments);
    expect(replayed(written.images, written.expected).length).toBe(written.versions);
  });
});

describe.each(levels)("damage, %s", (level) => {
  test("every flipped bit leaves a prefix or is refused", async () => {
    const written = await writeLog(level, threeSegments);
    for (const [number, image] of written.images) {
      for (let at = 0; at < image.length; at++) judge(written, number, flipped(image, at, at % 8));
    }
    expect(written.versions).toBe(10);
  });

  test("every truncation leaves a prefix or is refused", async () => {
    const written = await writeLog(level, threeSegments);
    for (const [number, image] of written.images) {
      for (let length = 0; length < image.length; length++) judge(written, number, image.slice(0, length));
    }
    expect(written.versions).toBe(10);
  });
});

describe("damage to what was durable", () => {
  test.each(["sync", "interval"] as const)("every bit of it is refused, %s", async (level) => {
    const written = await writeLog(level, threeSegments);
    for (const [number, image] of written.images) {
      const scan = scanImage(image, number);
      // In the last segment what the witness at its end vouches for; in the others everything.
      const durable = number === 3 ? scan.witnessedBytes : scan.goodBytes;
      expect(durable).toBeGreaterThan(fileHeaderBytes);
      for (let at = 0; at < durable; at++) {
        for (let bit = 0; bit < 8; bit++) expect(judge(written, number, flipped(image, at, bit))).toBe(null);
      }
    }
  });

  test("a truncation of an older segment is refused wherever it is cut", async () => {
    const written = await writeLog("sync", threeSegments);
    const image = written.images.get(1) ?? new Uint8Array(0);
    for (let length = 0; length < scanImage(image, 1).goodBytes; length++) {
      expect(judge(written, 1, image.slice(0, length))).toBe(null);
    }
  });

  test("a log that was closed in order has no torn tail", async () => {
    const log = new TestLog(new TestWorld(), "none");
    const segment = log.begin(1);
    log.append();
    log.append();
    log.writer.seal(() => {});
    await log.settle();
    const image = log.image(1);
    const written = { images: new Map([[1, image]]), expected: open, versions: 2 };
    const closed = { ...open, closedBytes: segment.endBytes };
    expect(judge(written, 1, image, closed)).toBe(2);
    for (let length = 0; length < image.length; length++) {
      expect(judge(written, 1, image.slice(0, length), closed)).toBe(null);
    }
    for (let at = 0; at < image.length; at++) {
      expect(judge(written, 1, flipped(image, at, 3), closed)).toBe(null);
    }
  });
});

describe("a missing or strange segment", () => {
  function without(written: Written, missing: number, listed = written.expected.listed): () => number[] {
    const images = new Map([...written.images].filter(([number]) => number !== missing));
    return () => replayed(images, { ...written.expected, listed });
  }

  test("is refused when the manifest names it", async () => {
    const written = await writeLog("sync", threeSegments);
    expect(written.expected.listed).toEqual([1, 2, 3]);
    for (const missing of [1, 2, 3]) {
      expect(without(written, missing)).toThrow(`WAL segment ${missing}, named by the manifest, is missing`);
    }
  });

  test("is refused when a later segment vouches for it, listed or not", async () => {
    const written = await writeLog("sync", threeSegments);
    expect(without(written, 2, [])).toThrow("WAL segment 2, which comes before, is missing");
    expect(without(written, 1, [])).toThrow("WAL segment 1, which comes before, is missing");
    // Nothing can tell of the newest one.
    expect(without(written, 3, [])().length).toBe(7);
  });

  test("ends the log where nobody knew it durable", async () => {
    const written = await writeLog("none", threeSegments);
    expect(without(written, 2)().length).toBe(3);
    expect(without(written, 1)().length).toBe(0);
  });

  test("of another opening is no part of the log, unless the manifest names it", async () => {
    const written = await writeLog("sync", [[[8]], [[8]]]);
    const other = scanSegment(segmentPath(2), written.images.get(2) ?? new Uint8Array(0), 96, 2, epoch + 1);
    const first = scanImage(written.images.get(1) ?? new Uint8Array(0), 1);
    expect(other.foreign).toBe(true);
    expect(judgeLog("/", [first, other], open)).toMatchObject({ torn: null, replay: [first] });
    const listed = (): unknown => judgeLog("/", [first, other], { ...open, listed: [1, 2] });
    expect(listed).toThrow("belongs to another opening");
  });

  test("whose length is not what its successor saw is refused", async () => {
    const written = await writeLog("sync", [[[8], [8]], [[8]]]);
    const older = await writeLog("sync", [[[8]], [[8]]]);
    const images = new Map([...written.images, ...[...older.images].slice(0, 1)]);
    expect(() => replayed(images, written.expected)).toThrow("when the next segment began");
  });
});

describe("a torn tail", () => {
  test("is dropped, and with it every later segment", async () => {
    const written = await writeLog("none", threeSegments);
    const image = written.images.get(2) ?? new Uint8Array(0);
    const torn = flipped(image, image.length - 1, 0);
    const scans = [...written.images].map(([number, bytes]) => {
      return scanImage(number === 2 ? torn : bytes, number);
    });
    const verdict = judgeLog("/", scans, { logNumber: 1, listed: [], closedBytes: 0 });
    expect(verdict.replay.map((scan) => scan.number)).toEqual([1, 2]);
    expect(verdict.torn?.path).toBe(segmentPath(2));
    const third = written.images.get(3) ?? new Uint8Array(0);
    expect(verdict.tornBytes).toBe(image.length - (verdict.torn?.offset ?? 0) + third.length);
  });

  test("may be zeros, garbage or frames of another place", async () => {
    const written = await writeLog("sync", [[[8], [8]]]);
    const image = written.images.get(1) ?? new Uint8Array(0);
    const { goodBytes } = scanImage(image, 1);
    const tails = [
      new Uint8Array(4096),
      new Uint8Array(777).fill(0xff),
      Uint8Array.from({ length: 1000 }, (_, i) => (i * 7919) >>> 3),
      image.slice(fileHeaderBytes),
      Uint8Array.of(1, 2, 3),
    ];
    for (const tail of tails) {
      const longer = new Uint8Array(goodBytes + tail.length);
      longer.set(image.subarray(0, goodBytes));
      longer.set(tail, goodBytes);
      expect(judge(written, 1, longer)).toBe(written.versions);
    }
  });
});

describe("any log", () => {
  const group = fc.array(fc.nat(40), { minLength: 1, maxLength: 3 });
  const segment = fc.array(group, { minLength: 1, maxLength: 4 });
  const logs = fc.array(segment, { minLength: 1, maxLength: 3 });

  test("with any run of bytes overwritten leaves a prefix or is refused", async () => {
    const damage = fc.record({
      level: fc.constantFrom(...levels),
      log: logs,
      place: fc.nat(),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 600 }),
    });
    await fc.assert(
      fc.asyncProperty(damage, async ({ level, log, place, bytes }) => {
        const written = await writeLog(level, log);
        const number = 1 + (place % log.length);
        const damaged = (written.images.get(number) ?? new Uint8Array(0)).slice();
        const start = place % damaged.length;
        damaged.set(bytes.subarray(0, damaged.length - start), start);
        judge(written, number, damaged);
      }),
      { numRuns: 150 },
    );
  });
});

test("a frame whose crafted length leads beyond the file does not hide what was durable behind it", async () => {
  const written = await writeLog("sync", [[[8], [8], [8], [8]]]);
  const image = (written.images.get(1) ?? new Uint8Array(0)).slice();
  const view = new DataView(image.buffer);
  view.setUint32(fileHeaderBytes + 8, 0x4000_0000, true);
  const seed = salt(1, fileHeaderBytes) ^ epoch;
  const end = fileHeaderBytes + frameHeaderBytes;
  view.setUint32(fileHeaderBytes, crc32(image, fileHeaderBytes + 4, end, seed), true);
  expect(() => replayed(new Map([[1, image]]), { ...open, listed: [] })).toThrow("cut off by the end of the file");
});
