import { assert } from "../assert.ts";
import { ByteReader, MalformedError } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";

/**
 * How a value stands in bytes: one declaration for writing and for reading. All integers are little-endian.
 * For records of the control plane, not for what is written once per key.
 */
export interface Layout<T> {
  readonly write: (out: ByteWriter, value: T) => void;
  /** Throws `MalformedError` naming `field`. Takes no memory on the word of a length alone. */
  readonly read: (from: ByteReader, field: string) => T;
}

export function encode<T>(layout: Layout<T>, value: T): Uint8Array {
  const out = new ByteWriter();
  layout.write(out, value);
  return out.toBytes();
}

/** The value in `bytes[start, end)`, or what is wrong with them. */
export function decode<T>(
  layout: Layout<T>,
  bytes: Uint8Array,
  start = 0,
  end = bytes.length,
): { readonly value: T } | string {
  const from = new ByteReader(bytes.subarray(start, end));
  try {
    const value = layout.read(from, "value");
    from.end("value");
    return { value };
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    return error.message;
  }
}

export const u8: Layout<number> = {
  write: (out, value) => out.u8(value),
  read: (from, field) => from.u8(field),
};

export const u32: Layout<number> = {
  write: (out, value) => out.u32(value),
  read: (from, field) => from.u32(field),
};

/** An unsigned integer below 2^53: two u32, the low one first. */
export const u53: Layout<number> = {
  write: (out, value) => out.u53(value),
  read: (from, field) => from.u53(field),
};

export const bool: Layout<boolean> = {
  write: (out, value) => out.bool(value),
  read: (from, field) => from.bool(field),
};

/** Length as u32, then the bytes. */
export const blob: Layout<Uint8Array> = {
  write(out, value) {
    out.u32(value.length);
    out.raw(value);
  },
  read: (from, field) => from.raw(field, from.u32(field)).slice(),
};

/** UTF-8, as a `blob`. */
export const text: Layout<string> = {
  write: (out, value) => blob.write(out, new TextEncoder().encode(value)),
  read(from, field) {
    const bytes = from.raw(field, from.u32(field));
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      throw new MalformedError(field, bytes.length, "bytes that are not UTF-8");
    }
  },
};

/** One of `values`, as a u8: its place in the list, counted from 1. New values go to the end. */
export function oneOf<const T extends string>(values: readonly T[]): Layout<T> {
  return {
    write: (out, value) => out.u8(values.indexOf(value) + 1),
    read(from, field) {
      const code = from.u8(field);
      const value = values[code - 1];
      if (value === undefined) throw new MalformedError(field, code, `no code of ${values.join(", ")}`);
      return value;
    },
  };
}

/** A u8: 0 for null, 1 before a value. */
export function nullable<T>(item: Layout<T>): Layout<T | null> {
  return {
    write(out, value) {
      out.bool(value !== null);
      if (value !== null) item.write(out, value);
    },
    read: (from, field) => (from.bool(field) ? item.read(from, field) : null),
  };
}

/** Count as u32, then the items. */
export function list<T>(item: Layout<T>): Layout<readonly T[]> {
  return {
    write(out, values) {
      out.u32(values.length);
      for (const value of values) item.write(out, value);
    },
    read(from, field) {
      const count = from.u32(field);
      // Every item takes a byte at least: a crafted count must not take memory.
      if (count > from.left) throw new MalformedError(field, count, `more items than the ${from.left} bytes left`);
      const values: T[] = [];
      for (let i = 0; i < count; i++) values.push(item.read(from, field));
      return values;
    },
  };
}

/** The fields one after the other, in the order of the declaration. */
export function struct<T extends object>(fields: { readonly [K in keyof T]: Layout<T[K]> }): Layout<T> {
  const names = Object.keys(fields) as (keyof T & string)[];
  return {
    write(out, value) {
      for (const name of names) fields[name].write(out, value[name]);
    },
    read(from, field) {
      const value: Partial<T> = {};
      for (const name of names) value[name] = fields[name].read(from, `${field}.${name}`);
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
      out.u8(code);
      (layout as Layout<unknown>).write(out, value);
    },
    read(from, field) {
      const code = from.u8(field);
      const kind = byCode.get(code);
      if (kind === undefined) throw new MalformedError(field, code, "no known kind");
      return { kind, ...(table[kind][1] as Layout<object>).read(from, `${field}.${kind}`) } as unknown as T;
    },
  };
}
