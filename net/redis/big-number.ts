/** An integer of any size, sign allowed; null when `text` is none. */
export function parseBigNumber(text: string): bigint | null {
  return /^[+-]?\d{1,10000}$/.test(text) ? BigInt(text.startsWith("+") ? text.slice(1) : text) : null;
}
