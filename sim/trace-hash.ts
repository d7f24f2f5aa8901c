// HOT: takes in every env call, its result and its bytes.

/**
 * A rolling 64-bit hash in two 32-bit lanes. Not cryptographic: its enemy is a leak of ambient state, not a
 * forger. Everything goes in by content, so equal runs agree across processes.
 */
export class TraceHash {
  #low = 0x811c_9dc5;
  #high = 0x9e37_79b9;

  /** Any number with an integer value; both halves of large ones count. */
  number(value: number): void {
    this.#mix(value | 0);
    if (value > 0x7fff_ffff || value < -0x8000_0000) this.#mix(Math.floor(value / 0x1_0000_0000) | 0);
  }

  text(value: string): void {
    const length = value.length;
    this.#mix(length);
    for (let i = 0; i < length; i++) this.#mix(value.charCodeAt(i));
  }

  bytes(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    this.#mix(length);
    let at = start;
    if (length >= viewBytesMin) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (; at + 4 <= end; at += 4) this.#mix(view.getUint32(at, true));
    } else {
      for (; at + 4 <= end; at += 4) this.#mix(word(bytes, at));
    }
    for (; at < end; at++) this.#mix(bytes[at] ?? 0);
  }

  /** 16 hexadecimal digits. */
  digest(): string {
    return hex(finish(this.#low ^ (this.#high << 1))) + hex(finish(this.#high ^ (this.#low >>> 1)));
  }

  #mix(word: number): void {
    const low = Math.imul(this.#low ^ word, 0x0100_0193);
    this.#low = low ^ (low >>> 15);
    const high = Math.imul(this.#high + word, 0x85eb_ca6b) ^ this.#low;
    this.#high = (high << 13) | (high >>> 19);
  }
}

/** Below this, making a view costs more than reading bytes one by one. */
const viewBytesMin = 512;

/** What a view's `getUint32(at, true)` gives, as a signed integer. */
function word(bytes: Uint8Array, at: number): number {
  const low = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
  return low | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
}

function finish(value: number): number {
  let hash = Math.imul(value ^ (value >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}
