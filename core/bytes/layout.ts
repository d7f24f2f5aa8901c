import { assert } from "../assert.ts";

/**
 * How a value stands in bytes: one declaration for writing and for reading. All integers are little-endian.
 * For records of the control plane, not for what is written once per key.
 */
export interface Layout<T> {
  readonly write: (out: ByteSink, value: T) => void;
  /** Throws `LayoutError`. Takes no memory on the word of a length alone. */
  readonly read: (from: ByteSource) => T;
}

/** What bytes that were not written by this layout are answered with. Never leaves `decode`. */
class LayoutError extends Error {
  override readonly name = "LayoutError";
}

const twoTo32 = 0x1_0000_0000;
const sinkBytesMin = 256;

/** Bytes that grow. */
export class ByteSink {
  #bytes = new Uint8Array(sinkBytesMin);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  /** `bytes` more, as a place to write at. */
  take(bytes: number): number {
    const at = this.#length;
    const end = at + bytes;
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(end, 2 * this.#bytes.length));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    this.#length = end;
    return at;
  }

  /** Valid until the next `take`. */
  get view(): DataView {
    return this.#view;
  }

  put(source: Uint8Array): void {
    const at = this.take(source.length);
    this.#bytes.set(source, at);
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
}

/** `bytes[position, end)`, read from the front. */
export class ByteSource {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #end: number;
  #position: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    assert(start <= end && end <= bytes.length, "a source lies within its bytes");
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#position = start;
    this.#end = end;
  }

  get left(): number {
    return this.#end - this.#position;
  }

  get view(): DataView {
    return this.#view;
  }

  /** Where the next `bytes` bytes stand. Throws `LayoutError`. */
  take(bytes: number): number {
    if (bytes > this.left) throw new LayoutError("the bytes end inside a value");
    const at = this.#position;
    this.#position = at + bytes;
    return at;
  }

  copy(length: number): Uint8Array {
    const at = this.take(length);
    return this.#bytes.slice(at, at + length);
  }
}

export function encode<T>(layout: Layout<T>, value: T): Uint8Array {
  const out = new ByteSink();
  layout.write(out, value);
  return out.finish();
}

/** The value in `bytes[start, end)`, or what is wrong with them. */
export function decode<T>(
  layout: Layout<T>,
  bytes: Uint8Array,
  start = 0,
  end = bytes.length,
): { readonly value: T } | string {
  const from = new ByteSource(bytes, start, end);
  try {
    const value = layout.read(from);
    return from.left === 0 ? { value } : "the bytes go on after their value";
  } catch (error) {
    if (!(error instanceof LayoutError)) throw error;
    return error.message;
  }
}

export const u8: Layout<number> = {
  write(out, value) {
    assert(Number.isInteger(value) && value >= 0 && value <= 0xff, "a stored byte is in [0, 255]");
    const at = out.take(1);
    out.view.setUint8(at, value);
  },
  read: (from) => from.view.getUint8(from.take(1)),
};

export const u32: Layout<number> = {
  write(out, value) {
    assert(Number.isInteger(value) && value >= 0 && value < twoTo32, "a stored u32 is in [0, 2^32)");
    const at = out.take(4);
    out.view.setUint32(at, value, true);
  },
  read: (from) => from.view.getUint32(from.take(4), true),
};

/** An unsigned integer below 2^53: two u32, the low one first. */
export const u53: Layout<number> = {
  write(out, value) {
    assert(Number.isSafeInteger(value) && value >= 0, "a stored integer is exact and not negative");
    const at = out.take(8);
    out.view.setUint32(at, value % twoTo32, true);
    out.view.setUint32(at + 4, Math.floor(value / twoTo32), true);
  },
  read(from) {
    const at = from.take(8);
    const value = from.view.getUint32(at + 4, true) * twoTo32 + from.view.getUint32(at, true);
    if (!Number.isSafeInteger(value)) throw new LayoutError("an integer is above 2^53 - 1");
    return value;
  },
};

export const bool: Layout<boolean> = {
  write: (out, value) => u8.write(out, value ? 1 : 0),
  read(from) {
    const value = u8.read(from);
    if (value > 1) throw new LayoutError("a truth value is neither 0 nor 1");
    return value === 1;
  },
};

/** Length as u32, then the bytes. */
export const blob: Layout<Uint8Array> = {
  write(out, value) {
    u32.write(out, value.length);
    out.put(value);
  },
  read: (from) => from.copy(u32.read(from)),
};

/** UTF-8, as a `blob`. */
export const text: Layout<string> = {
  write: (out, value) => blob.write(out, new TextEncoder().encode(value)),
  read(from) {
    const bytes = blob.read(from);
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      throw new LayoutError("a text is not UTF-8", { cause: error });
    }
  },
};

/** One of `values`, as a u8: its place in the list, counted from 1. New values go to the end. */
export function oneOf<const T extends string>(values: readonly T[]): Layout<T> {
  return {
    write: (out, value) => u8.write(out, values.indexOf(value) + 1),
    read(from) {
      const value = values[u8.read(from) - 1];
      if (value === undefined) throw new LayoutError("a code is not in its list");
      return value;
    },
  };
}

/** Count as u32, then the items. */
export function list<T>(item: Layout<T>): Layout<readonly T[]> {
  return {
    write(out, values) {
      u32.write(out, values.length);
      for (const value of values) item.write(out, value);
    },
    read(from) {
      const count = u32.read(from);
      // Every item takes a byte at least: a crafted count must not take memory.
      if (count > from.left) throw new LayoutError("a list counts more than it holds");
      const values: T[] = [];
      for (let i = 0; i < count; i++) values.push(item.read(from));
      return values;
    },
  };
}

/** The fields one after the other, in the order of the declaration. */
export function struct<T extends object>(fields: { readonly [K in keyof T]: Layout<T[K]> }): Layout<T> {
  const names = Object.keys(fields) as (keyof T)[];
  return {
    write(out, value) {
      for (const name of names) fields[name].write(out, value[name]);
    },
    read(from) {
      const value: Partial<T> = {};
      for (const name of names) value[name] = fields[name].read(from);
      return value as T;
    },
  };
}

interface Kinded {
  readonly kind: string;
}

/** Per `kind`: its code, which never changes, and the layout of the whole value without `kind`. */
export type Variants<T extends Kinded> = {
  readonly [K in T["kind"]]: readonly [code: number, layout: Layout<Omit<Extract<T, { readonly kind: K }>, "kind">>];
};

/** The code as u8, then what that kind has. */
export function variants<T extends Kinded>(table: Variants<T>): Layout<T> {
  const kinds = Object.keys(table) as T["kind"][];
  const byCode: ReadonlyMap<number, T["kind"]> = new Map(kinds.map((kind) => [table[kind][0], kind]));
  assert(byCode.size === kinds.length, "every kind has a code of its own");
  return {
    write(out, value) {
      const [code, layout] = table[value.kind as T["kind"]];
      u8.write(out, code);
      (layout as Layout<unknown>).write(out, value);
    },
    read(from) {
      const kind = byCode.get(u8.read(from));
      if (kind === undefined) throw new LayoutError("a value is of an unknown kind");
      return { kind, ...(table[kind][1] as Layout<object>).read(from) } as unknown as T;
    },
  };
}
