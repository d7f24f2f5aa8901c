// Goal: small writes in a row reach the file as they were, in few calls. Method: fast-check over lengths.
import fc from "fast-check";
import { expect, test } from "vitest";
import { GatheredFile } from "./gathered-file.ts";
import { MemoryDisk } from "./memory-disk.test-support.ts";

test("the file holds what was written, whatever the pieces", () => {
  const lengths = fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 40 });
  fc.assert(
    fc.property(lengths, fc.integer({ min: 1, max: 64 }), (pieces, bufferBytes) => {
      const disk = new MemoryDisk();
      const file = new GatheredFile(disk.open("/f", "create"), new Uint8Array(bufferBytes), false);
      const written: number[] = [];
      const source = new Uint8Array(50);
      for (const length of pieces) {
        for (let i = 0; i < length; i++) source[3 + i] = (written.length + i) & 255;
        expect(file.write(written.length, source, 3, 3 + length)).toBe(length);
        written.push(...source.subarray(3, 3 + length));
        // A buffer of the caller's is free again.
        source.fill(0);
        expect(file.sizeBytes()).toBe(written.length);
      }
      file.sync(() => {});
      file.close();
      const stored = disk.open("/f", "read");
      const found = new Uint8Array(written.length + 1);
      expect(stored.sizeBytes()).toBe(written.length);
      stored.read(0, found, 0, written.length);
      expect([...found.subarray(0, written.length)]).toEqual(written);
    }),
  );
});
