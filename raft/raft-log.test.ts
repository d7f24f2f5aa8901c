// Goal: the log in memory agrees with a plain array, and never calls durable what the disk does not hold.
// Method: random programs over one log, its lane and a model of both; a truncation may strike at any time.
import fc from "fast-check";
import { expect, test } from "vitest";
import { EntryRing } from "./entry-ring.ts";
import type { Entry } from "./entry.ts";
import { RaftLog } from "./raft-log.ts";
import { TermRuns, noTerm } from "./term-runs.ts";

const data = new Uint8Array(10);
const entryOf = (index: number, term: number): Entry => ({ index, term, kind: "normal", data });
const emptyLog = { base: 0, baseTerm: 0, runs: [], last: 0, confs: [] };

interface LogModel {
  /** Term of entry i + 1. */
  terms: number[];
  /** The same, on disk: what tasks have completed. */
  disk: number[];
  tasks: { seq: number; first: number; terms: number[] }[];
  seq: number;
}

type Command = fc.Command<LogModel, RaftLog>;

const command = (name: string, run: (model: LogModel, log: RaftLog) => void): Command => ({
  check: () => true,
  run: (model, log) => {
    run(model, log);
    log.check();
    expect(log.last).toBe(model.terms.length);
    model.terms.forEach((term, at) => expect(log.term(at + 1)).toBe(term));
    // What counts as durable is on disk, entry by entry.
    expect(model.disk.slice(0, log.stable)).toEqual(model.terms.slice(0, log.stable));
  },
  toString: () => name,
});

const append = fc.integer({ min: 1, max: 3 }).map((count) =>
  command(`append ${count}`, (model, log) => {
    const term = (model.terms.at(-1) ?? 1) as number;
    for (let i = 0; i < count; i++) {
      log.push(entryOf(log.last + 1, term));
      model.terms.push(term);
    }
  }),
);

/** A leader of a later term overwrites the end. */
const overwrite = fc.tuple(fc.nat(4), fc.integer({ min: 1, max: 3 })).map(([back, count]) =>
  command(`overwrite the last ${back} with ${count}`, (model, log) => {
    const from = Math.max(log.committed, model.terms.length - back);
    const term = (model.terms.at(-1) ?? 1) + 1;
    const entries = Array.from({ length: count }, (_, at) => entryOf(from + 1 + at, term));
    log.take(from, entries);
    model.terms = [...model.terms.slice(0, from), ...entries.map(() => term)];
  }),
);

const hand = fc.constant(
  command("hand over", (model, log) => {
    if (!log.unhanded) return;
    const entries = log.handOver();
    const first = entries[0]?.index ?? 0;
    model.seq++;
    expect(log.lane.hand(log.last, 0, 0)).toBe(model.seq);
    model.tasks.push({ seq: model.seq, first, terms: entries.map(({ term }) => term) });
  }),
);

const complete = fc.integer({ min: 1, max: 3 }).map((count) =>
  command(`complete ${count}`, (model, log) => {
    const done = model.tasks.splice(0, count);
    for (const { first, terms } of done) model.disk = [...model.disk.slice(0, first - 1), ...terms];
    const last = done.at(-1);
    if (last !== undefined) log.appended(last.seq);
  }),
);

const commit = fc.nat(2).map((back) =>
  command(`commit all but ${back}`, (_, log) => {
    log.commitTo(log.last - back);
  }),
);

const commands: fc.Arbitrary<Command>[] = [append, overwrite, hand, complete, commit];

test("what is durable in memory's view is on disk, however entries were overwritten on their way", () => {
  const program = fc.commands(commands, { maxCommands: 60, size: "max" });
  fc.assert(
    fc.property(program, (run) => {
      const model: LogModel = { terms: [], disk: [], tasks: [], seq: 0 };
      fc.modelRun(() => ({ model, real: new RaftLog(emptyLog, 0, 0, 120) }), run);
    }),
    { numRuns: 400 },
  );
});

test("an overwritten entry is not made durable by the task that wrote its predecessor", () => {
  const log = new RaftLog({ base: 0, baseTerm: 0, runs: [{ first: 1, term: 1 }], last: 4, confs: [] }, 0, 0, 1_000);
  const write = (term: number): number => {
    log.take(4, [entryOf(5, term), entryOf(6, term)]);
    log.handOver();
    return log.lane.hand(log.last, 0, 0);
  };
  const [first, second, third] = [write(1), write(2), write(3)];
  log.appended(first);
  expect(log.stable).toBe(4);
  log.appended(second);
  expect(log.stable).toBe(4);
  log.appended(third);
  expect(log.stable).toBe(6);
});

test("runs of terms answer like an array of terms", () => {
  const steps = fc.array(fc.tuple(fc.nat(2), fc.nat(5), fc.nat(9)), { maxLength: 40 });
  fc.assert(
    fc.property(steps, (list) => {
      const runs = new TermRuns(0, 0);
      let terms: number[] = [];
      let base = 0;
      for (const [kind, a, b] of list) {
        const last = terms.length;
        if (kind === 0) {
          const term = (terms.at(-1) ?? 0) + (a % 3);
          runs.extend(term, b % 3);
          for (let i = 0; i < b % 3; i++) terms.push(term);
        } else if (kind === 1 && last > base) {
          const index = base + 1 + (a % (last - base));
          runs.cut(index);
          terms = terms.slice(0, index - 1);
        } else if (kind === 2 && last > base) {
          base += 1 + (b % (last - base));
          runs.compact(base);
        }
        runs.check();
        expect([runs.base, runs.last]).toEqual([base, terms.length]);
        const termOf = (index: number): number => (index === 0 ? 0 : (terms[index - 1] ?? noTerm));
        for (let index = 0; index <= terms.length + 1; index++) {
          expect(runs.term(index)).toBe(index < base ? noTerm : termOf(index));
        }
        for (let term = 0; term <= 5; term++) {
          let expected = Math.min(a + b, terms.length);
          while (expected >= base && termOf(expected) > term) expected--;
          if (expected < base) expected = base - 1;
          expect(runs.lastAtMost(a + b, term)).toBe(Math.max(expected, base - 1));
        }
      }
    }),
    { numRuns: 300 },
  );
});

test("the end of the log in memory keeps to its bytes, but never lets go what is not durable", () => {
  const ring = new EntryRing(1, 100);
  for (let index = 1; index <= 10; index++) ring.push(entryOf(index, 1));
  ring.evict(6);
  expect([ring.first, ring.length, ring.bytes]).toEqual([7, 4, 4 * 34]);
  ring.evict(9);
  expect([ring.first, ring.length]).toEqual([9, 2]);
  expect(ring.slice(9, 11, 1).map(({ index }) => index)).toEqual([9]);
  ring.cut(9);
  expect([ring.first, ring.length, ring.bytes]).toEqual([9, 0, 0]);
  ring.push(entryOf(9, 2));
  ring.cut(4);
  expect([ring.first, ring.length]).toEqual([4, 0]);
});
