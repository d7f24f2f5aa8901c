/**
 * Keys and values inside models are binary strings: one UTF-16 unit per byte. They compare like the bytes
 * do, work as keys of a `Map`, and cost nothing to print.
 */
export function toText(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** The inverse of `toText`. Throws RangeError for a unit above 0xff, which would lose information. */
export function toBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0xff) throw new RangeError(`unit ${unit} at ${i} is not a byte`);
    bytes[i] = unit;
  }
  return bytes;
}

const shownUnitsMax = 24;

/** For messages: printable, quoted, and short whatever its length. */
export function show(text: string | null): string {
  if (text === null) return "nothing";
  const head = text.length > shownUnitsMax ? text.slice(0, shownUnitsMax) : text;
  const rest = text.length > shownUnitsMax ? `… (${text.length} bytes)` : "";
  let shown = "";
  for (let i = 0; i < head.length; i++) {
    const unit = head.charCodeAt(i);
    const printable = unit >= 0x20 && unit < 0x7f && unit !== 0x22 && unit !== 0x5c;
    shown += printable ? head.charAt(i) : `\\x${unit.toString(16).padStart(2, "0")}`;
  }
  return `"${shown}"${rest}`;
}

/** Order of binary strings, which is the unsigned order of their bytes. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
