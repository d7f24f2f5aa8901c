// HOT: every request of a simulated client is written here.
const startBytes = 1024;
const keptBytesMax = 64 * 1024;

const encoder = new TextEncoder();

/** A token of a request: bytes, or a text that is sent as UTF-8. */
export type Token = Uint8Array | string;

/** Requests as arrays of bulk strings, one behind the other, in a buffer that grows. */
export class RequestEncoder {
  length = 0;
  #bytes = new Uint8Array(startBytes);

  append(tokens: readonly Token[]): void {
    this.#header(0x2a, tokens.length);
    for (const token of tokens) {
      const bytes = typeof token === "string" ? encoder.encode(token) : token;
      this.#header(0x24, bytes.length);
      this.#reserve(bytes.length + 2);
      this.#bytes.set(bytes, this.length);
      this.length += bytes.length;
      this.#lineEnd();
    }
  }

  /** Valid until the next `append`. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }

  clear(): void {
    this.length = 0;
    if (this.#bytes.length > keptBytesMax) this.#bytes = new Uint8Array(startBytes);
  }

  #header(type: number, count: number): void {
    const text = String(count);
    this.#reserve(text.length + 3);
    this.#bytes[this.length++] = type;
    for (let i = 0; i < text.length; i++) this.#bytes[this.length++] = text.charCodeAt(i);
    this.#lineEnd();
  }

  /** Room was reserved. */
  #lineEnd(): void {
    this.#bytes[this.length++] = 0x0d;
    this.#bytes[this.length++] = 0x0a;
  }

  #reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.view());
    this.#bytes = grown;
  }
}
