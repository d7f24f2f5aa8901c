// Goal: a word counts as said when the Coordinator that decides has acknowledged it, and only news is said. Method:
// words and answers by hand.
import { expect, test } from "vitest";
import type { RegionReport } from "../coordinator/region-report.ts";
import type { RegionMeta } from "../raft/region.ts";
import { ToldRegions, type Word } from "./told-regions.ts";

const none = new Uint8Array(0);
const region: RegionMeta = { id: 1, start: none, end: none, epoch: { version: 1, confVer: 1 }, peers: [] };

function word(report: Partial<RegionReport> = {}, atUs = 0, term = 4): Word {
  const none = { sizeBytes: 0, entriesPerSecond: 0, commandsPerSecond: 0, peers: [] };
  return { term, region, report: { ...none, ...report }, atUs };
}

function said(first: Word): ToldRegions {
  const told = new ToldRegions();
  told.acknowledged(first, 1);
  return told;
}

test("what an earlier office acknowledges was not said, and a later one knows nothing", () => {
  const told = new ToldRegions();
  expect(told.answeredBy(3)).toBe(true);
  expect(told.acknowledged(word(), 2)).toBe(false);
  expect(told.isSaid(4, region)).toBe(false);
  expect(told.acknowledged(word(), 3)).toBe(false);
  expect(told.isSaid(4, region)).toBe(true);
  expect([told.answeredBy(0), told.answeredBy(3), told.isSaid(4, region)]).toEqual([false, false, true]);
  expect([told.answeredBy(4), told.isSaid(4, region)]).toEqual([true, false]);
  expect(told.acknowledged(word(), 5)).toBe(true);
  told.forgetOffice();
  expect([told.isSaid(4, region), told.answeredBy(1)]).toEqual([false, true]);
});

test("a Coordinator on an old copy of its directory, whose office is an earlier one, is told everything", () => {
  const told = new ToldRegions();
  told.acknowledged(word(), 3);
  expect([told.answeredBy(2), told.isSaid(4, region)]).toEqual([true, false]);
  expect([told.acknowledged(word(), 2), told.isSaid(4, region)]).toEqual([false, true]);
  expect([told.answeredBy(3), told.isSaid(4, region)]).toEqual([true, false]);
});

test("a word without an answer may have been heard: the one before it counts no more", () => {
  const told = said(word());
  told.acknowledged(word({ sizeBytes: 65_536 }), 0);
  expect([told.isSaid(4, region), told.isNews(word())]).toEqual([false, true]);
  told.acknowledged(word(), 1);
  expect(told.isNews(word())).toBe(false);
});

test("another term and another epoch are said, whatever was", () => {
  const told = said(word());
  expect([told.isSaid(4, region), told.isSaid(5, region), told.isSaid(3, region)]).toEqual([true, false, false]);
  expect(told.isSaid(4, { ...region, epoch: { version: 1, confVer: 2 } })).toBe(false);
  expect(told.isSaid(4, { ...region, epoch: { version: 2, confVer: 1 } })).toBe(false);
  expect(told.isNews(word({}, 0, 5))).toBe(true);
});

test("of sizes and rates what makes a difference is news", () => {
  const large = said(word({ sizeBytes: 8_000_000, entriesPerSecond: 1_000 }));
  const sizes = [8_000_000, 7_500_000, 8_900_000, 9_000_000, 6_000_000];
  const isNews = (report: Partial<RegionReport>): boolean => {
    return large.isNews(word({ sizeBytes: 8_000_000, entriesPerSecond: 1_000, ...report }));
  };
  expect(sizes.map((sizeBytes) => isNews({ sizeBytes }))).toEqual([false, false, false, true, true]);
  const rates = [1_000, 1_200, 1_250, 760, 750, 0];
  const news = rates.map((entriesPerSecond) => isNews({ entriesPerSecond }));
  expect(news).toEqual([false, false, true, false, true, true]);
  const small = said(word({ sizeBytes: 100, entriesPerSecond: 1 }));
  expect(small.isNews(word({ sizeBytes: 60_000, entriesPerSecond: 9 }))).toBe(false);
  expect(small.isNews(word({ sizeBytes: 60_000, entriesPerSecond: 0 }))).toBe(true);
  // Plans count small regions by their number.
  const known = said(word({ sizeBytes: 1 }));
  expect([2, 65_537, 0].map((sizeBytes) => known.isNews(word({ sizeBytes })))).toEqual([false, true, true]);
});

test("of a peer it is news when it falls silent, answers again, fell silent anew, and catches up", () => {
  const peers = (silentMs: number, caughtUp = true): Partial<RegionReport> => ({
    peers: [{ peerId: 2, silentMs, caughtUp }],
  });
  const told = said(word(peers(0)));
  expect([told.isNews(word(peers(0), 9_000_000)), told.isNews(word(peers(1_000), 9_000_000))]).toEqual([false, true]);
  expect(told.isNews(word(peers(0, false)))).toBe(true);
  const silent = said(word(peers(1_000), 9_000_000));
  const later = (silentMs: number): boolean => silent.isNews(word(peers(silentMs), 19_000_000));
  expect([later(11_000), later(11_300), later(0), later(2_000)]).toEqual([false, false, true, true]);
  expect(silent.isNews(word({ peers: [] }))).toBe(true);
});

test("words of regions that are led no more go when there are many", () => {
  const told = new ToldRegions();
  for (let id = 1; id <= 100; id++) told.acknowledged({ ...word(), region: { ...region, id } }, 1);
  told.prune(50, (id) => id > 50);
  expect(told.isSaid(4, region)).toBe(true);
  told.prune(30, (id) => id > 70);
  expect([told.isSaid(4, region), told.isSaid(4, { ...region, id: 71 })]).toEqual([false, true]);
});

test("each word has a later number", () => {
  const told = new ToldRegions();
  expect([told.nextSeq(), told.nextSeq(), told.nextSeq()]).toEqual([1, 2, 3]);
});
