import type { BenchEngine, BenchStore } from "../store.ts";

/** Does nothing: what remains is the cost of the harness. */
class NullStore implements BenchStore {
  readonly #value = new Uint8Array(8);

  get(): Uint8Array {
    return this.#value;
  }

  set(): undefined {}

  setMany(): undefined {}

  scan(_start: Uint8Array, limit: number): number {
    return limit;
  }

  scanAll(): number {
    return 0;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  counts(): Readonly<Record<string, number>> {
    return {};
  }
}

export const nullEngine: BenchEngine = {
  name: "harness",
  label: "the harness alone",
  immutableFile: null,
  open: () => Promise.resolve(new NullStore()),
};
