// Goal: frames arrive as they were sent however the bytes are cut, and nothing else arrives: not a changed byte, not a
// frame twice, not one out of place; what a stranger sends costs little memory.
// Method: random frames, random cuts; every byte of a stream changed in turn.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FrameReader } from "./frame-reader.ts";
import { FrameWriter, frameBytes } from "./frame-writer.ts";

interface Plain {
  readonly cls: number;
  readonly type: number;
  readonly id: number;
  readonly flags: number;
  readonly body: Uint8Array;
}

const bodyMax = 3_000;
const plain: fc.Arbitrary<Plain> = fc.record({
  cls: fc.nat(4),
  type: fc.nat(0xffff),
  id: fc.nat(0xffff_ffff),
  flags: fc.nat(0xff),
  body: fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ minLength: 1_000, maxLength: bodyMax })),
});

function write(frames: readonly Plain[]): Uint8Array {
  const writer = new FrameWriter();
  for (const { cls, type, id, flags, body } of frames) {
    writer.begin(cls, type, id, flags).raw(body);
    writer.end();
  }
  return writer.view().slice();
}

/** What a reader makes of `bytes`, fed in pieces of these lengths in turn; each piece is destroyed after its turn. */
function read(bytes: Uint8Array, cuts: readonly number[]): { frames: Plain[]; reader: FrameReader } {
  const reader = new FrameReader(bodyMax);
  const frames: Plain[] = [];
  let turn = 0;
  for (let at = 0; at < bytes.length; turn++) {
    const piece = bytes.slice(at, at + (cuts[turn % cuts.length] ?? bytes.length));
    at += piece.length;
    reader.feed(piece);
    while (reader.next() === "frame") {
      const { cls, type, id, flags, body } = reader;
      frames.push({ cls, type, id, flags, body: body.slice() });
    }
    reader.retain();
    piece.fill(0x58);
  }
  return { frames, reader };
}

const noCuts: readonly number[] = [];
const none = new Uint8Array(0);

describe("frames", () => {
  test("arrive as they were sent, cut anywhere", () => {
    const length = fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 5_000 }));
    const cuts = fc.array(length, { minLength: 1 });
    fc.assert(
      fc.property(fc.array(plain, { maxLength: 12 }), cuts, (frames, lengths) => {
        expect(read(write(frames), lengths).frames).toEqual(frames);
      }),
    );
  });

  test("arrive byte by byte", () => {
    fc.assert(
      fc.property(fc.array(plain, { maxLength: 3 }), (frames) => {
        expect(read(write(frames), [1]).frames).toEqual(frames);
      }),
      { numRuns: 30 },
    );
  });

  test("a prefix of the bytes is a prefix of the frames, and nothing fails", () => {
    fc.assert(
      fc.property(fc.array(plain, { minLength: 1, maxLength: 6 }), fc.nat(), (frames, at) => {
        const bytes = write(frames);
        const { frames: got, reader } = read(bytes.subarray(0, at % bytes.length), [700]);
        expect(got).toEqual(frames.slice(0, got.length));
        expect(reader.failure).toBeNull();
      }),
    );
  });
});

describe("what was not sent", () => {
  test("a single changed byte, wherever it is, is found before its frame is shown", () => {
    const frames: Plain[] = [
      { cls: 0, type: 300, id: 1, flags: 0, body: Uint8Array.of(1, 2, 3, 4, 5) },
      { cls: 2, type: 16, id: 70_000, flags: 1, body: new Uint8Array(300).fill(9) },
      { cls: 4, type: 34, id: 3, flags: 0, body: new Uint8Array(0) },
    ];
    const bytes = write(frames);
    const ends = frames.map((_, i) => write(frames.slice(0, i + 1)).length);
    for (let at = 0; at < bytes.length; at++) {
      const owner = ends.findIndex((end) => at < end);
      for (const change of [1, 0x80, 0xff]) {
        const changed = bytes.slice();
        changed[at] = (changed[at] ?? 0) ^ change;
        const { frames: got, reader } = read(changed, [97]);
        expect(got).toEqual(frames.slice(0, owner));
        expect(reader.failure, `byte ${at}`).not.toBeNull();
      }
    }
  });

  test("a frame that is repeated, lost or out of place does not validate", () => {
    fc.assert(
      fc.property(fc.array(plain, { minLength: 2, maxLength: 5 }), fc.nat(), fc.nat(), (frames, a, b) => {
        const pieces = frames.map((_, i) =>
          write(frames.slice(0, i + 1)).slice(i === 0 ? 0 : write(frames.slice(0, i)).length),
        );
        const first = a % frames.length;
        const second = b % frames.length;
        if (first === second) pieces.splice(first, 0, pieces[first] ?? new Uint8Array(0));
        else [pieces[first], pieces[second]] = [pieces[second] ?? none, pieces[first] ?? none];
        const bytes = Uint8Array.from(pieces.flatMap((piece) => [...piece]));
        const { frames: got, reader } = read(bytes, [512]);
        expect(got.length).toBeLessThanOrEqual(first === second ? first + 1 : Math.min(first, second));
        expect(reader.failure?.field).toBe("frame header");
      }),
    );
  });

  test("a long frame is refused by its header alone", () => {
    const bytes = write([{ cls: 1, type: 256, id: 0, flags: 0, body: new Uint8Array(bodyMax + 1) }]);
    const { reader } = read(bytes.subarray(0, 16), noCuts);
    expect(reader.failure?.message).toBe(`frame length is ${bodyMax + 1}: more than ${bodyMax}`);
  });

  test("an unknown class is refused", () => {
    const { reader } = read(write([{ cls: 5, type: 256, id: 0, flags: 0, body: new Uint8Array(0) }]), noCuts);
    expect(reader.failure?.message).toBe("frame class is 5: more than 4");
  });

  test("any bytes: no frame, no exception, and the failure stays", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 900 }), fc.integer({ min: 1, max: 99 }), (bytes, cut) => {
        const { frames, reader } = read(bytes, [cut]);
        expect(frames).toEqual([]);
        expect(reader.next()).toBe("failed");
      }),
    );
  });
});

describe("memory", () => {
  test("grows with what came, not with what was announced, and goes back", () => {
    const bytes = write([{ cls: 1, type: 256, id: 0, flags: 0, body: new Uint8Array(900_000) }]);
    const reader = new FrameReader(1024 * 1024);
    reader.feed(bytes.subarray(0, 100));
    expect(reader.next()).toBe("more");
    reader.retain();
    expect(reader.heldBytes).toBeLessThanOrEqual(1024);
    for (let at = 100; at < bytes.length; at += 1_000) {
      reader.feed(bytes.subarray(at, at + 1_000));
      expect(reader.next()).toBe(at + 1_000 >= bytes.length ? "frame" : "more");
      expect(reader.heldBytes).toBeLessThanOrEqual(Math.max(1024, 2 * (at + 1_000)));
      reader.retain();
    }
    expect(reader.heldBytes).toBe(0);
  });

  test("of a writer is used again, unless it was a rare giant", () => {
    const writer = new FrameWriter();
    for (const [size, times] of [
      [100_000, 3],
      [900_000, 1],
    ] as const) {
      for (let i = 0; i < times; i++) {
        writer.begin(1, 256, 0, 0).raw(new Uint8Array(size));
        writer.end();
        expect(writer.length).toBe(frameBytes(size));
        writer.clear();
      }
    }
    expect(writer.view().buffer.byteLength).toBeLessThanOrEqual(4096);
  });
});
