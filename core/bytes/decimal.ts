/**
 * 64-bit signed integers as Redis writes them: an optional minus, no leading zeros, no plus, no blanks, so
 * that every integer has one text and `parse(format(x))` is `x`.
 */
export const int64Max = 0x7fff_ffff_ffff_ffffn;
export const int64Min = -0x8000_0000_0000_0000n;

/** As many digits always fit a double exactly, also after one addition. */
const exactDigitsMax = 15;
const int64DigitsMax = 19;

const minus = 0x2d;
const zero = 0x30;
const nine = 0x39;

/**
 * The integer that `bytes[start, end)` is the canonical text of, or null. A number when it has at most 15
 * digits, a bigint beyond: the common case allocates nothing.
 */
export function parseDecimal(bytes: Uint8Array, start: number, end: number): number | bigint | null {
  const negative = start < end && bytes[start] === minus;
  const first = negative ? start + 1 : start;
  const digits = end - first;
  if (digits < 1 || digits > int64DigitsMax) return null;
  if (bytes[first] === zero) return digits === 1 && !negative ? 0 : null;
  let value = 0;
  for (let i = first; i < end; i++) {
    const byte = bytes[i] as number;
    if (byte < zero || byte > nine) return null;
    if (i - first < exactDigitsMax) value = value * 10 + (byte - zero);
  }
  if (digits <= exactDigitsMax) return negative ? -value : value;
  return parseLong(bytes, first, end, negative);
}

function parseLong(bytes: Uint8Array, first: number, end: number, negative: boolean): bigint | null {
  let text = negative ? "" : "0";
  for (let i = first; i < end; i++) text += String.fromCharCode(bytes[i] as number);
  const value = negative ? -BigInt(text) : BigInt(text);
  return value > int64Max || value < int64Min ? null : value;
}

/** The canonical text as ASCII bytes. A number must be a safe integer. */
export function formatDecimal(value: number | bigint): Uint8Array {
  const text = String(value);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
