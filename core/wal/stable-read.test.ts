// Goal: damage on the way from the disk never reaches a decision; damage on the disk does, as it is.
import { describe, expect, test } from "vitest";
import { TestWorld } from "../engine/test-world.test-support.ts";
import { NokvError } from "../errors.ts";
import { readStable } from "./stable-read.ts";

const content = Uint8Array.from({ length: 3000 }, (_, i) => (i * 31) >>> 2);

function isWhole(bytes: Uint8Array): boolean {
  return bytes.length === content.length && bytes.every((byte, i) => byte === content[i]);
}

function worldWithFile(bytes: Uint8Array): TestWorld {
  const world = new TestWorld();
  const file = world.boot().disk.open("/f", "create");
  file.write(0, bytes, 0, bytes.length);
  file.close();
  return world;
}

describe("readStable", () => {
  test("one good read is enough", () => {
    const env = worldWithFile(content).boot();
    expect(readStable(env.disk, "/f", isWhole)).toEqual(content);
    expect(env.callCount).toBe(5);
  });

  test("damage in flight heals, however short the reads", () => {
    for (let seed = 0; seed < 30; seed++) {
      const world = worldWithFile(content);
      Object.assign(world.faults, { flipOnRead: 300_000, misdirectedRead: 100_000, shortRead: 700_000 });
      const { disk } = world.boot();
      // Not even with somebody who can not tell good bytes from bad ones.
      expect(readStable(disk, "/f", seed % 2 === 0 ? isWhole : () => false)).toEqual(content);
      expect(world.disk.openFiles).toBe(0);
    }
  });

  test("damage at rest is what two reads agree on", () => {
    const damaged = content.slice();
    damaged[1000] = 0;
    expect(readStable(worldWithFile(damaged).boot().disk, "/f", isWhole)).toEqual(damaged);
  });

  test("a file that reads differently every time is refused", () => {
    const world = worldWithFile(content);
    const { disk } = world.boot();
    const original = disk.open.bind(disk);
    let reads = 0;
    disk.open = (path, mode) => {
      const file = original(path, mode);
      const read = file.read.bind(file);
      file.read = (position, target, start, end) => {
        const filled = read(position, target, start, end);
        target[start] = ++reads;
        return filled;
      };
      return file;
    };
    expect(() => readStable(disk, "/f", () => false)).toThrow("8 reads of this file gave different bytes");
  });

  test("what is no regular file is refused before it is opened", () => {
    const world = new TestWorld();
    const { disk } = world.boot();
    disk.mkdir("/d");
    expect(() => readStable(disk, "/d", () => true)).toThrow(NokvError);
    expect(() => readStable(disk, "/d", () => true)).toThrow("/d: offset 0: this is not a regular file");
    expect(() => readStable(disk, "/missing", () => true)).toThrow(NokvError);
  });
});
