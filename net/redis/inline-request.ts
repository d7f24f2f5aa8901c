import type { Arguments } from "./arguments.ts";

const space = 0x20;
const quote = 0x22;
const apostrophe = 0x27;
const backslash = 0x5c;

/**
 * Splits one line as Redis does (`sdssplitargs`): blanks separate; "..." knows \n \r \t \b \a \xHH and \c for
 * any other c; '...' knows only \'; a closing quote must be followed by a blank. The tokens are decoded into
 * `target`, which is as long as the line. False: a quote is not closed where it must be.
 */
export function splitInline(line: Uint8Array, target: Uint8Array, args: Arguments): boolean {
  const cursor: Cursor = { line, target, position: 0, written: 0 };
  for (;;) {
    while (cursor.position < line.length && isBlank(line[cursor.position] as number)) cursor.position++;
    if (cursor.position === line.length) return true;
    const start = cursor.written;
    if (!readToken(cursor)) return false;
    args.add(start, cursor.written - start);
  }
}

interface Cursor {
  readonly line: Uint8Array;
  readonly target: Uint8Array;
  position: number;
  written: number;
}

function readToken(cursor: Cursor): boolean {
  while (cursor.position < cursor.line.length) {
    const byte = cursor.line[cursor.position] as number;
    if (byte === space || byte === 0x0a || byte === 0x0d || byte === 0x09) return true;
    cursor.position++;
    if (byte === quote || byte === apostrophe) return readQuoted(cursor, byte);
    cursor.target[cursor.written++] = byte;
  }
  return true;
}

/** From behind the opening quote; a token ends with its closing one. */
function readQuoted(cursor: Cursor, closing: number): boolean {
  const { line, target } = cursor;
  while (cursor.position < line.length) {
    const byte = line[cursor.position++] as number;
    if (byte === closing) return cursor.position === line.length || isBlank(line[cursor.position] as number);
    if (byte === backslash && cursor.position < line.length) {
      readEscape(cursor, closing);
    } else {
      target[cursor.written++] = byte;
    }
  }
  return false;
}

/** From behind a backslash that is not the last byte of the line. */
function readEscape(cursor: Cursor, closing: number): void {
  const { line, target } = cursor;
  const next = line[cursor.position] as number;
  if (closing === apostrophe) {
    if (next === apostrophe) cursor.position++;
    target[cursor.written++] = next === apostrophe ? apostrophe : backslash;
    return;
  }
  cursor.position++;
  const high = hexDigit(line[cursor.position] ?? 0);
  const low = hexDigit(line[cursor.position + 1] ?? 0);
  if (next === 0x78 && high >= 0 && low >= 0) {
    cursor.position += 2;
    target[cursor.written++] = high * 16 + low;
    return;
  }
  target[cursor.written++] = escapes.get(next) ?? next;
}

/** \n \r \t \b \a */
const escapes: ReadonlyMap<number, number> = new Map([
  [0x6e, 0x0a],
  [0x72, 0x0d],
  [0x74, 0x09],
  [0x62, 0x08],
  [0x61, 0x07],
]);

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : -1;
}

/** As C's isspace. */
function isBlank(byte: number): boolean {
  return byte === space || (byte >= 0x09 && byte <= 0x0d);
}
