// Goal: a crafted frame, checksums and all, never leads the reader outside the image or to more memory, and
// what no writer writes is told apart from what a crash leaves.
import { describe, expect, test } from "vitest";
import { crc32, salt } from "../bytes/crc32.ts";
import { NokvError } from "../errors.ts";
import { fileHeaderBytes, fileMagic, readFileHeader, writeFileHeader } from "./file-header.ts";
import { frameHeaderBytes, framePayloadBytesMax, FrameReader, frameType, FrameWriter } from "./frame.ts";
import { batchImages, epoch, scanImage } from "./log.test-support.ts";

const number = 7;

function emptyFile(bytes: number): Uint8Array {
  const image = new Uint8Array(bytes);
  writeFileHeader(image, new DataView(image.buffer), fileMagic.wal, {
    fileNumber: number, epoch, previousNumber: 0, previousBytes: 0,
  });
  return image;
}

/** A file with one frame around `payload`; `craft` changes the header before it is sealed again. */
function craftedFile(
  payload: Uint8Array,
  batches: number,
  craft: (view: DataView, offset: number) => void = () => {},
): Uint8Array {
  const image = emptyFile(fileHeaderBytes + frameHeaderBytes + payload.length);
  const view = new DataView(image.buffer);
  image.set(payload, fileHeaderBytes + frameHeaderBytes);
  const writer = new FrameWriter(image, view, number, epoch);
  writer.write(fileHeaderBytes, payload.length, frameType.records, batches);
  craft(view, fileHeaderBytes);
  const seed = salt(number, fileHeaderBytes) ^ epoch;
  const crc = crc32(image, fileHeaderBytes + 4, fileHeaderBytes + frameHeaderBytes, seed);
  view.setUint32(fileHeaderBytes, crc, true);
  return image;
}

/** Seals the payload again after a change of its content. */
function resealed(image: Uint8Array): Uint8Array {
  const view = new DataView(image.buffer);
  const payload = fileHeaderBytes + frameHeaderBytes;
  const seed = salt(number, fileHeaderBytes) ^ epoch;
  view.setUint32(fileHeaderBytes + 4, crc32(image, payload, image.length, seed), true);
  view.setUint32(fileHeaderBytes, crc32(image, fileHeaderBytes + 4, payload, seed), true);
  return image;
}

function refusal(image: Uint8Array): NokvError | null {
  try {
    scanImage(image, number);
    return null;
  } catch (error) {
    if (error instanceof NokvError) return error;
    throw error;
  }
}

describe("crafted frames", () => {
  const payload = batchImages(5, [4]);

  test("the frame as written is read", () => {
    const scan = scanImage(craftedFile(payload, 1), number);
    expect(scan).toMatchObject({ frameCount: 1, lastVersion: 5 });
  });

  const impossible = [framePayloadBytesMax + 4, 0xffff_fffc, 0x8000_0000, 7];

  test.each(impossible)("a length of %i is impossible", (length) => {
    const image = craftedFile(payload, 1, (view, offset) => view.setUint32(offset + 8, length, true));
    expect(refusal(image)).toMatchObject({ code: "NOKV_CORRUPTION", offset: fileHeaderBytes });
  });

  test("a length beyond the end of the file is a torn frame", () => {
    const image = craftedFile(payload, 1, (view, offset) => view.setUint32(offset + 8, 4096, true));
    const problem = "a frame is cut off by the end of the file";
    expect(scanImage(image, number)).toMatchObject({ frameCount: 0, problem });
  });

  test.each([
    ["an unknown type", 12, 9],
    ["an edit, which belongs into a manifest", 12, frameType.edit],
    ["a seal that holds something", 12, frameType.seal],
    ["another number of batches", 14, 3],
    ["a witness for itself", 16, 200],
  ])("%s is refused", (_, at, value) => {
    const image = craftedFile(payload, 1, (view, offset) => view.setUint8(offset + at, value));
    expect(refusal(image)).toMatchObject({ code: "NOKV_CORRUPTION" });
  });
});

describe("crafted records in a frame with good checksums", () => {
  test.each([
    ["a value longer than its frame", 0, [0xff, 0xff, 0xff, 0xff]],
    ["a value a little too long", 0, [8, 0, 0, 0]],
    ["a key longer than its frame", 4, [0xff, 0xff]],
    ["an unknown kind", 6, [3]],
    ["a range that ends before it starts", 6, [2, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]],
    ["an unknown family", 7, [255]],
    ["a version of zero", 8, [0, 0, 0, 0]],
    ["a version above 2^53 - 1", 8, [0, 0, 0, 0, 0, 0, 0x20, 0]],
    ["an expiry above 2^53 - 1", 16, [0, 0, 0, 0, 0, 0, 0x20, 0]],
  ])("%s is refused", (_, at, bytes) => {
    const payload = batchImages(5, [4]);
    payload.set(bytes, at);
    const image = resealed(craftedFile(payload, 1));
    expect(refusal(image)).toMatchObject({ code: "NOKV_CORRUPTION", path: `/log-${number}` });
  });

  test("versions that go back are refused", () => {
    const payload = new Uint8Array([...batchImages(5, [4]), ...batchImages(4, [4])]);
    expect(refusal(craftedFile(payload, 2))?.message).toContain("version goes back");
  });
});

describe("the salt", () => {
  test("a frame is good at its place, in its file and in its epoch only", () => {
    const payload = batchImages(5, [4]);
    const image = craftedFile(payload, 1);
    const step = (bytes: Uint8Array, file: number, of: number): string =>
      new FrameReader(bytes, bytes.length, file, of).next();
    expect(step(image, number, epoch)).toBe("frame");
    expect(step(image, number + 1, epoch)).toBe("bad");
    expect(step(image, number, epoch + 1)).toBe("bad");
    const moved = new Uint8Array(image.length + 4);
    moved.set(image.subarray(fileHeaderBytes), fileHeaderBytes + 4);
    const reader = new FrameReader(moved, moved.length, number, epoch);
    reader.position = fileHeaderBytes + 4;
    expect(reader.next()).toBe("bad");
  });
});

describe("the file header", () => {
  function problem(change: (image: Uint8Array, view: DataView) => void, as = number): string {
    const image = emptyFile(fileHeaderBytes);
    const view = new DataView(image.buffer);
    change(image, view);
    const header = readFileHeader(image, image.length, fileMagic.wal, as, "/f");
    return header instanceof NokvError ? `${header.code} ${header.message}` : "none";
  }

  function reseal(image: Uint8Array, view: DataView): void {
    view.setUint32(28, crc32(image, 0, 28, salt(number, 0)), true);
  }

  test("tells what is wrong with it", () => {
    expect(problem(() => {})).toBe("none");
    expect(problem(() => {}, number + 1)).toContain("another file's");
    expect(problem((image) => void (image[0] = 0))).toContain('does not begin with "NOKVWAL"');
    expect(problem((image) => void (image[16] = 1))).toContain("does not match its checksum");
    expect(problem((image, view) => {
      view.setUint32(8, 2, true);
      reseal(image, view);
    })).toBe("NOKV_FORMAT /f: format version 2; this program reads version 1");
    expect(problem((image) => void (image[8] = 2))).toContain("NOKV_CORRUPTION");
    const cut = readFileHeader(emptyFile(fileHeaderBytes), 31, fileMagic.wal, number, "/f");
    expect(cut).toBeInstanceOf(NokvError);
  });
});
