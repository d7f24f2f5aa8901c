import { expect, test } from "vitest";
import type { DiskFile } from "../core/env/disk.ts";
import type { Env } from "../core/env/env.ts";
import { ReadTracker } from "./tracking-disk.ts";

// Goal: wrong bytes count as seen when a read returned them, not when the file was replaced or the read missed.

const right = Uint8Array.of(1, 2, 3, 4);
const wrong = Uint8Array.of(1, 9, 9, 4);
const damage = { path: "/db/file", offset: 10, right, wrong };

/** Reads `length` bytes at `position` of a file that holds `content` at offset 10 and zeros elsewhere. */
function saw(content: Uint8Array, position: number, length: number, path = "/db/file"): boolean {
  const image = new Uint8Array(32);
  image.set(content, 10);
  const file = {
    path,
    read: (at: number, target: Uint8Array, start: number, end: number): number => {
      target.set(image.subarray(at, at + end - start), start);
      return end - start;
    },
  };
  const tracker = new ReadTracker();
  tracker.watch(damage);
  const env = { disk: { open: (): DiskFile => file as unknown as DiskFile } };
  const tracked = tracker.attach(env as unknown as Env);
  tracked.disk.open(path, "read").read(position, new Uint8Array(40), 3, 3 + length);
  return tracker.saw(damage);
}

test("wrong bytes are seen by any read that returns one of them", () => {
  expect(saw(wrong, 0, 32)).toBe(true);
  expect(saw(wrong, 11, 1)).toBe(true);
  expect(saw(wrong, 12, 8)).toBe(true);
});

test("a read beside them, or of the part that happens to be right, does not see them", () => {
  expect(saw(wrong, 0, 10)).toBe(false);
  expect(saw(wrong, 14, 8)).toBe(false);
  expect(saw(wrong, 13, 1)).toBe(false);
  expect(saw(wrong, 0, 32, "/db/other")).toBe(false);
});

test("a file that was written anew has nothing to do with them", () => {
  expect(saw(right, 0, 32)).toBe(false);
  expect(saw(Uint8Array.of(7, 7, 7, 7), 0, 32)).toBe(false);
});
