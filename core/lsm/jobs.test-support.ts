/** Running jobs to their end on a memory disk, and what readers may see of records before and after. */
import fc from "fast-check";
import { compareKeys } from "../bytes/record.ts";
import type { Job, JobResult } from "../env/jobs.ts";
import type { DropRules } from "./drop-rules.ts";
import { versionEpochMs, versionMs } from "./drop-rules.ts";
import type { FlushValues } from "./flush-job.ts";
import { startJob } from "./job-starter.ts";
import type { MemoryDisk } from "./memory-disk.test-support.ts";
import type { PlainRecord } from "./records.test-support.ts";
import { newestUpTo } from "./records.test-support.ts";

export type Readers = Omit<DropRules, "bottom">;

export const noFlushValues: FlushValues = { thresholdBytes: 0, fileNumber: 0, segmentNumber: 0, segmentBytes: 0 };

/** Steps `job` to its end with `budgetBytes` per step; throws what it throws. */
export function runJob(disk: MemoryDisk, job: Job, budgetBytes: number): JobResult {
  let woken = false;
  const machine = startJob(disk, job, () => {
    woken = true;
  });
  for (let steps = 0; steps < 100_000; steps++) {
    const state = machine.step(budgetBytes);
    if (state === "done") break;
    if (state === "more") continue;
    woken = false;
    disk.runCompletions();
    if (!woken) throw new Error("a job waits for a sync that was never asked for");
  }
  disk.runCompletions();
  if (machine.result === null) throw new Error("a job never ends");
  return machine.result;
}

/** Versions a few to the millisecond, and expiries around the same instants. */
export const timedRecordsArbitrary: fc.Arbitrary<PlainRecord[]> = fc
  .array(
    fc.record({
      key: fc.nat(5),
      family: fc.constantFrom(0, 0, 0, 1),
      step: fc.constantFrom(1, 1, 100, 2000, 4096),
      value: fc.option(fc.uint8Array({ maxLength: 30 }), { freq: 3 }),
      expiry: fc.option(fc.nat(25), { freq: 2 }),
    }),
    { maxLength: 40 },
  )
  .map((steps) => {
    let version = 1;
    return steps.map(({ key, family, step, value, expiry }) => {
      version += step;
      const expires = value !== null && expiry !== null;
      return {
        family,
        key: new Uint8Array(key).fill(key),
        version,
        value,
        expiresAtMs: expires ? versionEpochMs + expiry : 0,
      };
    });
  });

export const dropRulesArbitrary: fc.Arbitrary<Readers> = fc.record({
  pins: fc
    .array(fc.nat(60_000), { maxLength: 4 })
    .map((pins) => [...pins].sort((a, b) => a - b)),
  horizonVersion: fc.oneof(fc.nat(60_000), fc.constant(Number.MAX_SAFE_INTEGER)),
  nowMs: fc.nat(30).map((ms) => versionEpochMs + ms),
});

/** What a reader at `version` finds who judges expiry at `instantMs`. */
export function visible(
  sorted: readonly PlainRecord[],
  key: PlainRecord,
  version: number,
  instantMs: number,
): string {
  const record = newestUpTo(sorted, key.family, key.key, version);
  if (record === null || record.value === null) return "absent";
  if (record.expiresAtMs !== 0 && record.expiresAtMs <= instantMs) return "absent";
  return `${record.version}: ${record.value.join()} until ${record.expiresAtMs}`;
}

/** Every (version, instant) at which the rules say that somebody may read. */
export function readPoints(rules: Readers, records: readonly PlainRecord[]): [number, number][] {
  const points: [number, number][] = rules.pins.map((pin) => [pin, versionMs(pin)]);
  const written = records.map((record) => record.version);
  const versions = [rules.horizonVersion, Number.MAX_SAFE_INTEGER, ...written];
  for (const version of versions.filter((each) => each >= rules.horizonVersion)) {
    for (const later of [0, 1, 3, 50]) points.push([version, rules.nowMs + later]);
  }
  return points;
}

/** The first reader for whom the two lists differ; null when nobody can tell them apart. */
export function firstSeenDifference(
  before: readonly PlainRecord[],
  after: readonly PlainRecord[],
  points: readonly (readonly [number, number])[],
): string | null {
  for (const key of before) {
    for (const [version, instantMs] of points) {
      const [old, now] = [visible(before, key, version, instantMs), visible(after, key, version, instantMs)];
      if (old !== now) return `${key.key.join()} at ${version}/${instantMs}: ${old}, then ${now}`;
    }
  }
  return null;
}

export function sameKey(a: PlainRecord, b: PlainRecord): boolean {
  return a.family === b.family && compareKeys(a.key, b.key) === 0;
}
