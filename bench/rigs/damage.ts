import { crc32, salt } from "../../core/bytes/crc32.ts";
import { type OwnFileKind, ownFile } from "../../core/engine/file-names.ts";
import { Xorshift } from "../xorshift.ts";
import type { Image, ImageEntry } from "./image-disk.ts";

/** One way of damaging one file of a directory. */
export interface Damage {
  /** G1 to G16 of the catalogue, with what it does. */
  readonly name: string;
  readonly file: string;
  readonly kind: OwnFileKind;
  readonly replace: ReadonlyMap<string, ImageEntry | null>;
}

/** What stands beside the damaged directory. */
export interface Sources {
  readonly image: Image;
  /** The same directory at an earlier time. */
  readonly older: Image;
  /** Another database with files of the same names. */
  readonly foreign: Image;
}

export interface DamageOptions {
  readonly seed: number;
  /** Variants of one mutation of one file, at most, where a mutation has a place or a length. */
  readonly variants: number;
  /** Only mutations whose name begins so. */
  readonly only: string;
}

type Edit = (bytes: Uint8Array) => Uint8Array;

const headerBytes = 32;
const frameBytes = 32;
const footerBytes = 96;

export function planDamage(sources: Sources, options: DamageOptions): readonly Damage[] {
  const random = new Xorshift(options.seed);
  const plan: Damage[] = [];
  for (const [name, entry] of sources.image) {
    const own = ownFile(name);
    if (own === null || !("bytes" in entry)) continue;
    const { kind, number } = own;
    const add = (mutation: string, replace: ReadonlyMap<string, ImageEntry | null>): void => {
      if (!`${mutation} `.startsWith(`${options.only} `) && options.only !== "") return;
      plan.push({ name: mutation, file: name, kind, replace });
    };
    for (const [mutation, edit] of edits(entry.bytes, number, { kind, random, variants: options.variants })) {
      add(mutation, new Map([[name, { bytes: edit(entry.bytes.slice()) }]]));
    }
    for (const [mutation, replacement] of replacements(name, kind, sources)) {
      add(mutation, new Map([[name, replacement]]));
    }
    for (const foreign of strangerNames(name)) add("G16 unknown file", new Map([[foreign, junk(random, 100)]]));
    const sibling = siblingOf(name, kind, sources.image);
    if (sibling !== null) {
      const [other, content] = sibling;
      add("G10 swapped with its sibling", new Map([[name, content], [other, entry]]));
      add("G10 its sibling's content", new Map([[name, content]]));
    }
  }
  return plan;
}

interface EditContext {
  readonly kind: OwnFileKind;
  readonly random: Xorshift;
  readonly variants: number;
}

function* edits(bytes: Uint8Array, number: number, context: EditContext): Generator<readonly [string, Edit]> {
  const { kind, random, variants } = context;
  yield ["G2 empty", () => new Uint8Array(0)];
  for (const length of lengthsOf(bytes, context)) {
    yield [`G3 truncated to ${length}`, (copy) => copy.subarray(0, length)];
  }
  for (const bit of bitsOf(bytes.length, context)) {
    const offset = bit >> 3;
    const mask = 1 << (bit & 7);
    yield [`G4 byte ${offset} xor ${mask}`, (copy) => changed(copy, offset, [(copy[offset] ?? 0) ^ mask])];
  }
  yield ["G5 wrong magic", (copy) => changed(copy, 0, [...new TextEncoder().encode("NOTOURS\n")])];
  for (const count of [1, 7, 64, 4_096]) {
    const tail = junk(random, count).bytes;
    yield [`G7 ${count} bytes of garbage behind it`, (copy) => joined(copy, tail)];
    yield [`G8 ${count} zeros behind it`, (copy) => joined(copy, new Uint8Array(count))];
    yield [`G8 its last ${count} bytes zero`, (copy) => copy.fill(0, Math.max(0, copy.length - count))];
  }
  for (let i = 0; i < Math.ceil(variants / 4); i++) {
    const hole = Math.min(4_096, Math.ceil(bytes.length / 3));
    const start = random.below(bytes.length - hole + 1);
    yield [`G9 ${hole} zeros at ${start}`, (copy) => copy.fill(0, start, start + hole)];
  }
  if (["wal", "manifest", "table", "value"].includes(kind) && bytes.length >= headerBytes) {
    yield ["G6 newer format version", (copy) => newerVersion(copy, number)];
  }
  if (kind === "wal" || kind === "manifest") {
    for (const offset of frameOffsets(bytes).slice(0, variants)) {
      yield [`G15 length of 1 GiB at ${offset}`, (copy) => hugeFrame(copy, number, offset)];
    }
  }
  if (kind === "table") yield ["G15 parts beyond the file", (copy) => hugeFooter(copy, number)];
}

/** Every bit of a small file, otherwise as many as asked, drawn. */
function bitsOf(size: number, { random, variants }: EditContext): readonly number[] {
  if (8 * size <= variants) return Array.from({ length: 8 * size }, (_, bit) => bit);
  return Array.from({ length: variants }, () => random.below(8 * size));
}

/** Around every frame of a log and every part whose place is known, and lengths drawn over the whole file. */
function lengthsOf(bytes: Uint8Array, { kind, random, variants }: EditContext): readonly number[] {
  const size = bytes.length;
  const frames = kind === "wal" || kind === "manifest" ? frameOffsets(bytes).slice(-variants) : [];
  const around = [headerBytes, size - footerBytes, size - 4, ...frames].flatMap((at) => [at - 1, at, at + 1]);
  const drawn = Array.from({ length: variants }, () => random.below(size));
  const aligned = drawn.map((length) => length - (length % 4));
  return [...new Set([...around, ...drawn, ...aligned])].filter((length) => length > 0 && length < size);
}

function* replacements(
  name: string,
  kind: OwnFileKind,
  { older, foreign }: Sources,
): Generator<readonly [string, ImageEntry | null]> {
  yield ["G1 missing", null];
  const another = foreign.get(name) ?? firstOfKind(foreign, kind);
  if (another !== undefined) yield ["G11 another database's", another];
  const before = older.get(name);
  if (before !== undefined) yield ["G12 as it was before", before];
  yield ["G13 a directory", { refuses: "EISDIR", kind: "directory" }];
  yield ["G13 a pipe", { refuses: "EIO", kind: "other" }];
  yield ["G14 may not be opened", { refuses: "EACCES", kind: "file" }];
}

function strangerNames(name: string): readonly string[] {
  return [`${name}~`, `${name}.bak`, `.${name}.swp`, "core", "notes.txt"];
}

function firstOfKind(image: Image, kind: OwnFileKind): ImageEntry | undefined {
  for (const [name, entry] of image) if (ownFile(name)?.kind === kind) return entry;
  return undefined;
}

function siblingOf(name: string, kind: OwnFileKind, image: Image): readonly [string, ImageEntry] | null {
  for (const [other, entry] of image) if (other !== name && ownFile(other)?.kind === kind) return [other, entry];
  return null;
}

function junk(random: Xorshift, count: number): { readonly bytes: Uint8Array } {
  return { bytes: Uint8Array.from({ length: count }, () => random.below(256)) };
}

function changed(bytes: Uint8Array, offset: number, put: readonly number[]): Uint8Array {
  for (const [index, byte] of put.entries()) if (offset + index < bytes.length) bytes[offset + index] = byte;
  return bytes;
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The places of these fields hold for every version of every file. */
function newerVersion(bytes: Uint8Array, number: number): Uint8Array {
  const view = viewOf(bytes);
  view.setUint32(8, view.getUint32(8, true) + 1, true);
  view.setUint32(28, crc32(bytes, 0, 28, salt(number, 0)), true);
  return bytes;
}

/** Where frames begin, by following their lengths. */
export function frameOffsets(bytes: Uint8Array): readonly number[] {
  const view = viewOf(bytes);
  const offsets: number[] = [];
  for (let offset = headerBytes; offset + frameBytes <= bytes.length; ) {
    if (view.getUint32(offset, true) === 0) break;
    offsets.push(offset);
    offset += frameBytes + view.getUint32(offset + 8, true);
  }
  return offsets;
}

function hugeFrame(bytes: Uint8Array, number: number, offset: number): Uint8Array {
  const view = viewOf(bytes);
  view.setUint32(offset + 8, 0x4000_0000, true);
  const seed = salt(number, offset) ^ view.getUint32(16, true);
  view.setUint32(offset, crc32(bytes, offset + 4, offset + frameBytes, seed), true);
  return bytes;
}

function hugeFooter(bytes: Uint8Array, number: number): Uint8Array {
  const footer = bytes.length - footerBytes;
  if (footer < 0) return bytes;
  const view = viewOf(bytes);
  for (let field = 0; field < 6; field++) view.setUint32(footer + 16 + 8 * field + 4, 0x100, true);
  view.setUint32(bytes.length - 4, crc32(bytes, footer, bytes.length - 4, salt(number, footer)), true);
  return bytes;
}
