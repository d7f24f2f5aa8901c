// Goal: what one member has fetched of a snapshot stays good when another one wants a snapshot, too.
// Method: a leader's side alone, with a state that goes on between the two; requests that note their answers.
import { expect, test } from "vitest";
import { decode } from "../core/bytes/layout.ts";
import type { RootCheckpoint } from "./root-checkpoint.ts";
import { partLayout, SnapshotsOut } from "./root-snapshots.ts";
import { emptyState } from "./state.ts";

const conf = { voters: [1, 2, 3], votersOutgoing: [], learners: [], learnersNext: [] };

function asOf(index: number): RootCheckpoint {
  return { token: { term: 7, index }, state: emptyState };
}

/** The index that is told to `to`. */
function begin(out: SnapshotsOut, to: number, index: number, base: number): number {
  return out.begin(to, { checkpoint: asOf(index), conf, base }).index;
}

function bytesAt(out: SnapshotsOut, to: number, index: number, offset: number): number | "refused" {
  let got: number | "refused" = "refused";
  out.answer({ index, offset }, to, {
    respond: (payload) => {
      const part = decode(partLayout, payload);
      got = typeof part === "string" ? "refused" : part.value.bytes.length;
    },
    fail: () => {},
  });
  return got;
}

test("two members that are behind at once get one snapshot", () => {
  const out = new SnapshotsOut(4, 10);
  expect(begin(out, 2, 100, 90)).toBe(100);
  expect(bytesAt(out, 2, 100, 0)).toBe(4);
  expect(begin(out, 3, 120, 95)).toBe(100);
  expect([bytesAt(out, 2, 100, 4), bytesAt(out, 3, 100, 0)]).toEqual([4, 4]);
});

test("a snapshot that the log does not go on from any more is not given to another one", () => {
  const out = new SnapshotsOut(4, 10);
  begin(out, 2, 100, 90);
  expect(begin(out, 3, 120, 101)).toBe(120);
  expect([bytesAt(out, 2, 100, 0), bytesAt(out, 3, 120, 0)]).toEqual(["refused", 4]);
});

test("who asks again while nobody else fetches gets the present", () => {
  const out = new SnapshotsOut(4, 10);
  begin(out, 2, 100, 90);
  expect(begin(out, 2, 120, 90)).toBe(120);
  out.tick(() => false);
  expect(begin(out, 3, 130, 90)).toBe(130);
});
