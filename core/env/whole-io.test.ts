// Goal: short reads and writes never lose or repeat a byte. Method: a file that moves at most `step` bytes.
import { expect, test } from "vitest";
import type { DiskFile } from "./disk.ts";
import { readFully, writeFully } from "./whole-io.ts";

class ShortFile implements DiskFile {
  readonly path = "short";
  bytes = new Uint8Array(64);
  size = 0;
  readonly #step: number;

  constructor(step: number) {
    this.#step = step;
  }

  sizeBytes(): number {
    return this.size;
  }

  read(position: number, target: Uint8Array, start: number, end: number): number {
    const filled = Math.min(this.#step, end - start, Math.max(0, this.size - position));
    target.set(this.bytes.subarray(position, position + filled), start);
    return filled;
  }

  write(position: number, source: Uint8Array, start: number, end: number): number {
    const taken = Math.min(this.#step, end - start);
    this.bytes.set(source.subarray(start, start + taken), position);
    this.size = Math.max(this.size, position + taken);
    return taken;
  }

  truncate(sizeBytes: number): void {
    this.size = sizeBytes;
  }

  sync(): void {}
  syncNow(): void {}
  close(): void {}
}

test("moves whole ranges in any step", () => {
  const source = Uint8Array.from({ length: 20 }, (_, i) => i + 1);
  for (let step = 1; step <= 21; step++) {
    const file = new ShortFile(step);
    writeFully(file, 3, source, 2, 19);
    expect(file.size).toBe(20);
    const target = new Uint8Array(24);
    expect(readFully(file, 3, target, 4, 21)).toBe(17);
    expect(target.subarray(4, 21)).toEqual(source.subarray(2, 19));
    expect(target[3]).toBe(0);
    expect(target[21]).toBe(0);
  }
});

test("says how far it came when the file ends", () => {
  const file = new ShortFile(3);
  writeFully(file, 0, new Uint8Array(10).fill(9), 0, 10);
  expect(readFully(file, 6, new Uint8Array(10), 0, 10)).toBe(4);
  expect(readFully(file, 10, new Uint8Array(10), 0, 10)).toBe(0);
  expect(readFully(file, 0, new Uint8Array(10), 5, 5)).toBe(0);
});
