import type { ModelWrite } from "../sim/checkers/prefix-model.ts";

/** Every value that was ever handed over, by key, in all lives of a database: nothing else may ever be shown. */
export class WrittenValues {
  readonly #byKey = new Map<string, Set<string>>();

  note(writes: readonly ModelWrite[]): void {
    for (const write of writes) {
      if ("from" in write || write.value === null) continue;
      const values = this.#byKey.get(write.key) ?? new Set();
      values.add(write.value);
      this.#byKey.set(write.key, values);
    }
  }

  has(key: string, value: string): boolean {
    return this.#byKey.get(key)?.has(value) === true;
  }
}
