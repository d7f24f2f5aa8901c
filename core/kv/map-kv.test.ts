// Goal: MapKv can serve as the reference of `Kv`. Method: expiry, order and pages by hand; bytes are copied.
import { expect, test } from "vitest";
import type { KvEntry, Mutation, ScanPage } from "./kv.ts";
import { MapKv } from "./map-kv.ts";

const bytes = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0));
const text = (value: Uint8Array): string => String.fromCharCode(...value);

function read(kv: MapKv, key: string): string | null {
  let seen: KvEntry | null = null;
  kv.read([bytes(key)], (_, entries) => (seen = entries[0] ?? null));
  return seen === null ? null : text((seen as KvEntry).value);
}

function put(kv: MapKv, key: string, value: string, ms = 0): void {
  const expiry: Mutation & { kind: "put" } = {
    kind: "put",
    key: bytes(key),
    value: bytes(value),
    expiry: ms === 0 ? { kind: "never" } : { kind: "after", ms },
    condition: "always",
    returning: false,
  };
  kv.mutate(expiry, (error) => expect(error).toBeNull());
}

function page(kv: MapKv, after: string | null, limit: number): ScanPage {
  const pages: ScanPage[] = [];
  kv.scan({ after: after === null ? null : bytes(after), limit }, (_, got) => {
    if (got !== null) pages.push(got);
  });
  return pages[0] ?? { keys: [], exhausted: false };
}

test("an entry is gone from its deadline on", () => {
  let nowMs = 100;
  const kv = new MapKv(() => nowMs);
  put(kv, "a", "1", 10);
  put(kv, "b", "2");
  nowMs = 109;
  expect(read(kv, "a")).toBe("1");
  nowMs = 110;
  expect(read(kv, "a")).toBeNull();
  expect(page(kv, null, 10).keys.map(text)).toEqual(["b"]);
  kv.count((_, count) => expect(count).toBe(1));
});

test("pages follow byte order and say when they are the last", () => {
  const kv = new MapKv(() => 0);
  for (const key of ["b", "\xff", "a", "", "ab"]) put(kv, key, "v");
  expect(page(kv, null, 3).keys.map(text)).toEqual(["", "a", "ab"]);
  expect(page(kv, null, 3).exhausted).toBe(false);
  expect(page(kv, "ab", 2).keys.map(text)).toEqual(["b", "\xff"]);
  expect(page(kv, "ab", 2).exhausted).toBe(true);
  kv.clear((error) => expect(error).toBeNull());
  expect(page(kv, null, 1)).toEqual({ keys: [], exhausted: true });
});

test("bytes are copied on the way in and on the way out", () => {
  const kv = new MapKv(() => 0);
  const value = bytes("abc");
  const never = { kind: "never" } as const;
  kv.mutate(
    { kind: "put", key: bytes("k"), value, expiry: never, condition: "always", returning: false },
    () => value.fill(0),
  );
  expect(read(kv, "k")).toBe("abc");
  kv.read([bytes("k")], (_, entries) => entries[0]?.value.fill(0));
  expect(read(kv, "k")).toBe("abc");
});
