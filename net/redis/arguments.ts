// HOT: every token of every request is looked at through here.
import { assert } from "../../core/assert.ts";
import { parseDecimal } from "../../core/bytes/decimal.ts";

const startCapacity = 16;
/** Tables that grew beyond this are given back after the request. */
const keptCapacity = 1024;
const caseBit = 0x20;

/**
 * The tokens of one request as ranges of the bytes it arrived in. Nothing is copied: what `bytes` returns is
 * valid until the handler of the request returns, and whoever keeps it longer copies it.
 */
export class Arguments {
  count = 0;
  #source: Uint8Array = new Uint8Array(0);
  #base = 0;
  #starts = new Int32Array(startCapacity);
  #lengths = new Int32Array(startCapacity);

  clear(): void {
    this.count = 0;
    if (this.#starts.length <= keptCapacity) return;
    this.#starts = new Int32Array(startCapacity);
    this.#lengths = new Int32Array(startCapacity);
  }

  /** `start` counts from the base that `attach` will name. */
  add(start: number, length: number): void {
    if (this.count === this.#starts.length) this.#grow();
    this.#starts[this.count] = start;
    this.#lengths[this.count] = length;
    this.count++;
  }

  /** The ranges lie in `source`, from `base` on. */
  attach(source: Uint8Array, base: number): void {
    this.#source = source;
    this.#base = base;
  }

  /** The same tokens in memory of their own. */
  copy(): Arguments {
    const copy = new Arguments();
    let size = 0;
    for (let i = 0; i < this.count; i++) size += this.length(i);
    const source = new Uint8Array(size);
    let at = 0;
    for (let i = 0; i < this.count; i++) {
      source.set(this.bytes(i), at);
      copy.add(at, this.length(i));
      at += this.length(i);
    }
    copy.attach(source, 0);
    return copy;
  }

  length(index: number): number {
    assert(index < this.count, "the arity was checked");
    return this.#lengths[index] as number;
  }

  /** A plain Uint8Array even where the network hands out Buffers, so that one shape reaches the store. */
  bytes(index: number): Uint8Array {
    assert(index < this.count, "the arity was checked");
    const start = this.#source.byteOffset + this.#base + (this.#starts[index] as number);
    return new Uint8Array(this.#source.buffer, start, this.#lengths[index] as number);
  }

  /** FNV-1a of the token with ASCII letters lowered, as `hashName` of the command table computes it. */
  nameHash(index: number): number {
    const start = this.#base + (this.#starts[index] as number);
    const end = start + (this.#lengths[index] as number);
    let hash = 0x811c9dc5;
    for (let i = start; i < end; i++) {
      hash = Math.imul(hash ^ lowered(this.#source[i] as number), 0x01000193);
    }
    return hash >>> 0;
  }

  /** Does the token equal `word`, which is in lower case, but for the case of ASCII letters? */
  is(index: number, word: string): boolean {
    if (this.length(index) !== word.length) return false;
    const start = this.#base + (this.#starts[index] as number);
    for (let i = 0; i < word.length; i++) {
      if (lowered(this.#source[start + i] as number) !== word.charCodeAt(i)) return false;
    }
    return true;
  }

  /** The token as a canonical 64-bit integer: a number up to 15 digits, else a bigint; null: it is none. */
  integer(index: number): number | bigint | null {
    const start = this.#base + (this.#starts[index] as number);
    return parseDecimal(this.#source, start, start + this.length(index));
  }

  /** One code unit per byte; at most `lengthMax` bytes. */
  text(index: number, lengthMax = 65_536): string {
    const start = this.#base + (this.#starts[index] as number);
    const length = Math.min(this.length(index), lengthMax);
    let text = "";
    for (let i = 0; i < length; i++) text += String.fromCharCode(this.#source[start + i] as number);
    return text;
  }

  #grow(): void {
    const starts = new Int32Array(this.#starts.length * 2);
    const lengths = new Int32Array(this.#starts.length * 2);
    starts.set(this.#starts);
    lengths.set(this.#lengths);
    this.#starts = starts;
    this.#lengths = lengths;
  }
}

function lowered(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | caseBit : byte;
}

/** The hash of a name in lower case, equal to what `Arguments.nameHash` says of it. */
export function hashName(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
