import { versionMax } from "../../core/bytes/record.ts";
import { NokvError } from "../../core/errors.ts";

const twoTo32 = 0x1_0000_0000;

export function writeU53(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value >>> 0, true);
  view.setUint32(offset + 4, Math.floor(value / twoTo32), true);
}

/** Reads the fields of one record in order; every wrong byte is named. */
export class RecordReader {
  readonly #what: string;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  /** `what` names the record in errors. */
  constructor(what: string, bytes: Uint8Array) {
    this.#what = what;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(field: string, max: number): number {
    return this.#bounded(field, this.#view.getUint8(this.#take(field, 1)), max);
  }

  u16(field: string): number {
    return this.#view.getUint16(this.#take(field, 2), true);
  }

  u32(field: string): number {
    return this.#view.getUint32(this.#take(field, 4), true);
  }

  u53(field: string): number {
    const at = this.#take(field, 8);
    const value = this.#view.getUint32(at + 4, true) * twoTo32 + this.#view.getUint32(at, true);
    return this.#bounded(field, value, versionMax);
  }

  /** A copy. */
  bytes(field: string, length: number): Uint8Array {
    const at = this.#take(field, length);
    return this.#bytes.slice(at, at + length);
  }

  rest(): Uint8Array {
    return this.#bytes.slice(this.#at);
  }

  end(): void {
    if (this.#at < this.#bytes.length) this.fail("end", `${this.#bytes.length - this.#at} bytes follow it`);
  }

  /** Throws `NOKV_CORRUPTION`. */
  fail(field: string, what: string): never {
    throw new NokvError("NOKV_CORRUPTION", `${this.#what}: ${field}: ${what}`, { offset: this.#at });
  }

  #take(field: string, length: number): number {
    const at = this.#at;
    if (at + length > this.#bytes.length) {
      this.fail(field, `needs ${length} bytes at ${at} of ${this.#bytes.length}`);
    }
    this.#at = at + length;
    return at;
  }

  #bounded(field: string, value: number, max: number): number {
    if (value > max) this.fail(field, `${value} is above ${max}`);
    return value;
  }
}
