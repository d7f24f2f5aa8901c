import { assert } from "../core/assert.ts";
import { columnFamily } from "../core/bytes/record.ts";
import type { Engine } from "../core/engine/engine.ts";
import type { EngineIterator } from "../core/engine/iterator.ts";
import { NokvError } from "../core/errors.ts";
import { modelKey, type SeenEntry } from "../sim/checkers/expected-state.ts";
import { toText } from "../sim/checkers/text.ts";
import type { Looked } from "./engine-look.ts";

/** Everything that plain forward scans of `families` return. */
export function scanAll(engine: Engine, families: readonly number[]): readonly SeenEntry[] {
  const seen: SeenEntry[] = [];
  for (const family of families) collect(engine.iterator({ family }), seen, family);
  return seen;
}

/** Moves `iterator` to its end, notes what it shows, and closes it, whatever happens. */
export function collect(iterator: EngineIterator, seen: SeenEntry[], family: number): void {
  try {
    while (iterator.next()) seen.push(entryOf(iterator, family));
  } finally {
    iterator.close();
  }
}

/** The current entry, copied from what the iterator lends: its own copies are compared with that. */
export function entryOf(iterator: EngineIterator, family: number): SeenEntry {
  const { keyView, valueView, expiresAtMs } = iterator;
  const lent = toText(keyView);
  const entry = { key: modelKey(family, lent), value: toText(valueView), expiresAtMs };
  const { key, value, valueLength } = iterator;
  assert(toText(key) === lent && toText(value) === entry.value, "a copy is what was lent");
  assert(valueLength === value.length, "a value is as long as its copy");
  return entry;
}

/** All of the data family, or why not. */
export function entriesOrError(engine: Engine): Looked {
  try {
    return scanAll(engine, [columnFamily.data]);
  } catch (error) {
    if (error instanceof NokvError) return error;
    throw error;
  }
}

/** Nothing was written to it, so nothing is in doubt when that fails. */
export async function closeQuietly(engine: Engine | null): Promise<void> {
  try {
    await engine?.close();
  } catch (error) {
    if (!(error instanceof NokvError)) throw error;
  }
}
