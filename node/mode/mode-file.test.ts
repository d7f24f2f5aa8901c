// Goal: MODE says what was written or is refused, whatever became of its bytes. Method: every byte changed, cut off
// everywhere, and a newer format.
import { expect, test } from "vitest";
import { crc32 } from "../../core/bytes/crc32.ts";
import { formatMode, type ModeFile, parseMode } from "./mode-file.ts";

const mode: ModeFile = {
  mode: "seeded", step: "done", migrationId: "0123abc", clusterId: "müßig", storeId: 7, baseTs: 2 ** 52 + 1,
  regions: [
    { regionId: 1, peerId: 101, start: new Uint8Array(0), end: Uint8Array.of(0, 0xff) },
    { regionId: 2, peerId: 102, start: Uint8Array.of(0, 0xff), end: new Uint8Array(0) },
  ],
  verify: { count: 3, bytes: 99, hash: [1, 2, 3, 0xffff_ffff] },
};
const bytes = formatMode(mode);

test("it is read as it was written, and stays what it is", () => {
  expect(parseMode(bytes)).toEqual(mode);
  expect(parseMode(formatMode({ ...mode, verify: null, regions: [] }))).toEqual({ ...mode, verify: null, regions: [] });
  expect(new TextDecoder().decode(bytes)).toMatchSnapshot();
});

test("no changed bit and no missing end passes for something else", () => {
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const changed = bytes.slice();
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    const read = parseMode(changed);
    // Blanks between fields may be others.
    if (typeof read !== "string") expect(read).toEqual(mode);
  }
  for (let end = 0; end < bytes.length - 1; end++) expect(typeof parseMode(bytes.subarray(0, end))).toBe("string");
});

test("what another program or a person wrote is refused by what is wrong with it", () => {
  const say = (text: string): unknown => parseMode(new TextEncoder().encode(text));
  expect(say("")).toBe("it is not JSON");
  expect(say("[]")).toBe("its checksum is wrong: it was changed, or is damaged");
  expect(say("7")).toBe("it is no object");
  const newer = '{"v":2,"mode":"floating"';
  const whole = new TextEncoder().encode(`${newer}}`);
  const crc = crc32(whole, 0, whole.length, 0).toString(16).padStart(8, "0");
  expect(say(`${newer},"crc":"${crc}"}`)).toBe("is of a newer format");
  expect(say(`${newer},"crc":"00000000"}`)).toContain("its checksum is wrong");
  expect(say(new TextDecoder().decode(bytes).replace("seeded", "cluster"))).toContain("its checksum is wrong");
});
