// Goal: seeds differ in which faults exist, not only in when they come; the drawing is stable and printable.
import { describe, expect, test } from "vitest";
import { failpoints } from "../failpoints/catalog.ts";
import { Dice } from "./dice.ts";
import { KeyedRandom } from "./keyed-random.ts";
import { type SwarmOptions, drawOptions, drawTunables } from "./swarm.ts";

const seeds = 2_000;
const drawn: readonly SwarmOptions[] = Array.from({ length: seeds }, (_, seed) => {
  return drawOptions(KeyedRandom.ofSeed(seed), failpoints);
});

function share(holds: (options: SwarmOptions) => boolean): number {
  return (drawn.filter(holds).length * 100) / seeds;
}

describe("drawOptions", () => {
  test("is a function of the seed, and plain JSON", () => {
    const [first] = drawn;
    expect(drawOptions(KeyedRandom.ofSeed(0), failpoints)).toEqual(first);
    expect(JSON.parse(JSON.stringify(first))).toEqual(first);
  });

  test("leaves 15 to 20 in 100 seeds without faults, and those have tiny limits", () => {
    const percent = share(({ faultFree }) => faultFree);
    expect(percent).toBeGreaterThan(15);
    expect(percent).toBeLessThan(20);
    expect(share(({ faultFree, tinyLimits }) => faultFree && !tinyLimits)).toBe(0);
  });

  test("damages bytes at rest on a small share of the seeds", () => {
    const percent = share(({ atRestCorruption }) => atRestCorruption);
    expect(percent).toBeGreaterThan(5);
    expect(percent).toBeLessThan(12);
    expect(share(({ atRestCorruption, disk }) => atRestCorruption !== disk.corruptGapMs > 0)).toBe(0);
  });

  test.each<[string, (options: SwarmOptions) => number]>([
    ["crash.gapMs", ({ crash }) => crash.gapMs],
    ["crash.callsMax", ({ crash }) => crash.callsMax],
    ["crash.afterSync", ({ crash }) => crash.afterSync],
    ["pause.gapMs", ({ pause }) => pause.gapMs],
    ["clock.offsetMsMax", ({ clock }) => clock.offsetMsMax],
    ["clock.driftPpmMax", ({ clock }) => clock.driftPpmMax],
    ["clock.jumpGapMs", ({ clock }) => clock.jumpGapMs],
    ["clock.freezeGapMs", ({ clock }) => clock.freezeGapMs],
    ["network.faults.reset", ({ network }) => network.faults.reset],
    ["network.faults.refused", ({ network }) => network.faults.refused],
    ["network.faults.spike", ({ network }) => network.faults.spike],
    ["network.faults.splitDelivery", ({ network }) => network.faults.splitDelivery],
    ["network.blockGapMs", ({ network }) => network.blockGapMs],
    ["disk.faults.eioRead", ({ disk }) => disk.faults.eioRead],
    ["disk.faults.eioWrite", ({ disk }) => disk.faults.eioWrite],
    ["disk.faults.eioMetadata", ({ disk }) => disk.faults.eioMetadata],
    ["disk.faults.emfile", ({ disk }) => disk.faults.emfile],
    ["disk.faults.enospc", ({ disk }) => disk.faults.enospc],
    ["disk.faults.syncFailed", ({ disk }) => disk.faults.syncFailed],
    ["disk.faults.shortRead", ({ disk }) => disk.faults.shortRead],
    ["disk.faults.flipOnRead", ({ disk }) => disk.faults.flipOnRead],
    ["disk.fullGapMs", ({ disk }) => disk.fullGapMs],
  ])("%s is absent on some seeds and of many sizes on others", (_, value) => {
    const values = drawn.map((options) => value(options));
    const absent = values.filter((one) => one === 0).length;
    expect(absent).toBeGreaterThan(seeds / 25);
    expect(absent).toBeLessThan(seeds * 0.95);
    expect(new Set(values).size).toBeGreaterThan(3);
  });

  test("failpoints are drawn one by one: as many are live at a time as independent draws make", () => {
    const live = drawn.map((options) => options.failpoints.length);
    const mean = live.reduce((sum, count) => sum + count, 0) / seeds;
    const variance = live.reduce((sum, count) => sum + (count - mean) ** 2, 0) / seeds;
    expect(mean).toBeGreaterThan(failpoints.length * 0.23);
    expect(mean).toBeLessThan(failpoints.length * 0.27);
    // Of a binomial distribution: drawn together, they would all be live or none.
    const expected = failpoints.length * 0.25 * 0.75;
    expect(variance).toBeGreaterThan(expected * 0.8);
    expect(variance).toBeLessThan(expected * 1.25);
  });

  test("a failpoint is live on about a quarter of the seeds", () => {
    for (const { name, allows } of failpoints) {
      const percent = share((options) => options.failpoints.some((option) => option.name === name));
      expect(percent).toBeGreaterThan(20);
      expect(percent).toBeLessThan(30);
      const actions = drawn.flatMap((options) => options.failpoints.filter((option) => option.name === name));
      for (const { action, percent: rate } of actions) {
        expect(allows).toContain(action);
        expect(rate >= 1 && rate <= 100).toBe(true);
      }
    }
  });
});

describe("drawTunables", () => {
  const defaults = { blockBytes: 16_384, memtableBytes: 67_108_864, sync: "sync", level0TablesMax: 4 };
  const extremes = { blockBytes: [64, 512, 65_536], memtableBytes: [1_024, 1_000_000] };

  function tunables(seed: number, tiny: boolean): Partial<typeof defaults> {
    return drawTunables(defaults, extremes, new Dice(KeyedRandom.ofSeed(seed).stream("t"), 0), tiny);
  }

  test("draws only what has extremes, and only from them", () => {
    for (let seed = 0; seed < 200; seed++) {
      const { blockBytes, memtableBytes, ...others } = tunables(seed, seed % 2 === 0);
      expect(others).toEqual({});
      if (blockBytes !== undefined) expect(extremes.blockBytes).toContain(blockBytes);
      if (memtableBytes !== undefined) expect(extremes.memtableBytes).toContain(memtableBytes);
    }
  });

  test("tiny seeds mostly get the minima, others often keep the defaults", () => {
    const all = Array.from({ length: 400 }, (_, seed) => seed);
    const minimal = all.filter((seed) => tunables(seed, true).blockBytes === 64);
    const kept = all.filter((seed) => tunables(seed, false).blockBytes === undefined);
    expect(minimal.length).toBeGreaterThan(200);
    expect(kept.length).toBeGreaterThan(150);
  });
});
