import type { Mutant } from "./mutant.ts";

const scenario = "facade-model";

/** What a program calls: arguments, signals, handles, walks. */
export const facadeMutants: readonly Mutant[] = [
  {
    name: "abort-before-write-ignored",
    file: "core/engine/arguments.ts",
    find: `  if (signal.aborted) throw aborted(signal, what);`,
    replace: ``,
    oracles: ["abort", "errors"],
    scenario,
    why: "A write goes on although its caller gave up before.",
  },
  {
    name: "abort-after-write-heard",
    file: "core/engine/db.ts",
    find: `      batch.set(keyBytes, toBytes(value, "value"), this.#expiresAtMs(options));
      return this.engine.commitShared(batch);`,
    replace: `      batch.set(keyBytes, toBytes(value, "value"), this.#expiresAtMs(options));
      return this.engine.commitShared(batch).then(() => checkSignal(options.signal, "late"));`,
    oracles: ["abort"],
    scenario,
    why: "A write that happened is told as aborted, and done twice by whoever believes it.",
  },
  {
    name: "batch-of-calls-not-cleared",
    file: "core/engine/db.ts",
    find: `    this.#batch.clear();`,
    replace: ``,
    oracles: ["model", "prefix", "snapshot", "iterator", "lifetime"],
    scenario,
    why: "Each write repeats those before it, and brings back what was overwritten since.",
  },
  {
    name: "array-batch-in-halves",
    file: "core/engine/db.ts",
    find: `    for (const operation of operations as readonly BatchOperation[]) this.#add(batch, operation);
    return batch;`,
    replace: `    for (const operation of operations as readonly BatchOperation[]) {
      this.#add(batch, operation);
      if (batch.count < 3) continue;
      this.engine.commitShared(batch).catch(() => {});
      batch.clear();
    }
    return batch;`,
    oracles: ["model", "prefix", "snapshot", "iterator", "versions", "visibility", "misuse"],
    scenario,
    why: "A crash leaves half of a batch.",
  },
  {
    name: "wrong-batch-half-written",
    file: "core/engine/db.ts",
    find: `    for (const operation of operations as readonly BatchOperation[]) this.#add(batch, operation);`,
    replace: `    for (const operation of operations as readonly BatchOperation[]) {
      try {
        this.#add(batch, operation);
      } catch (error) {
        await this.engine.commitShared(batch);
        throw error;
      }
    }`,
    oracles: ["misuse", "model"],
    scenario,
    why: "A batch with one wrong operation does the others.",
  },
  {
    name: "get-many-forgets-snapshot",
    file: "core/engine/db.ts",
    find: `    const at = snapshot ?? this.engine.snapshot();`,
    replace: `    const at = this.engine.snapshot();`,
    oracles: ["snapshot", "leaks"],
    scenario,
    why: "Several keys read through a snapshot show the present, and its pin is never given back.",
  },
  {
    name: "get-many-keeps-pin",
    file: "core/engine/db.ts",
    find: `      if (snapshot === null) at.release();`,
    replace: ``,
    oracles: ["leaks", "stats"],
    scenario,
    why: "Every getMany holds back the space of all later deletes, for ever.",
  },
  {
    name: "prefix-ends-at-0xff",
    file: "core/engine/arguments.ts",
    find: `    if (last === 0xff) continue;`,
    replace: `    if (last === 0xff) return undefined;`,
    oracles: ["model", "snapshot"],
    scenario,
    why: "A prefix that ends in 0xff shows keys that do not begin with it.",
  },
  {
    name: "seek-leaves-bounds",
    file: "core/engine/iterator.ts",
    find: `    this.#ended = !this.#isWithin(target);`,
    replace: `    this.#ended = false;`,
    oracles: ["iterator"],
    scenario,
    why: "An iterator that is sought beyond its bounds shows what lies there.",
  },
  {
    name: "seek-back-misses-target",
    file: "core/engine/iterator.ts",
    find: `cursor.seek(this.#family, successor(this.#target));`,
    replace: `cursor.seek(this.#family, this.#target);`,
    oracles: ["iterator"],
    scenario,
    why: "A reverse iterator sought to a key passes over it.",
  },
  {
    name: "range-delete-takes-its-start",
    file: "core/engine/arguments.ts",
    find: `(gt === undefined ? empty : behind(gt))`,
    replace: `gt ?? empty`,
    oracles: ["model", "prefix", "snapshot", "iterator", "lifetime"],
    scenario,
    why: "A deleted range takes the key with it that it was to begin behind.",
  },
  {
    name: "range-delete-spares-its-end",
    file: "core/engine/arguments.ts",
    find: `lte === undefined ? (lt ?? null) : behind(lte)`,
    replace: `lte ?? lt ?? null`,
    oracles: ["model", "prefix", "snapshot", "iterator", "versions"],
    scenario,
    why: "The last key of a deleted range lives on.",
  },
  {
    name: "ttl-in-seconds",
    file: "core/engine/arguments.ts",
    find: `  return nowMs() + ttlMs;`,
    replace: `  return nowMs() + 1000 * ttlMs;`,
    oracles: ["lifetime"],
    scenario,
    why: "What should live for a minute lives for most of a day.",
  },
  {
    name: "loop-left-early-leaks",
    file: "core/engine/db-iterator.ts",
    find: `    while (iterator.next()) yield pick(iterator);
  } finally {
    iterator.close();
  }`,
    replace: `    while (iterator.next()) yield pick(iterator);
    iterator.close();
  } finally {
    // Nothing.
  }`,
    oracles: ["leaks"],
    scenario,
    why: "Each loop that is left early holds back space until the database closes.",
  },
  {
    name: "iteration-ignores-signal",
    file: "core/engine/db-iterator.ts",
    find: `    if (this.#signal !== null && this.#signal.aborted) throw aborted(this.#signal, "the iteration");`,
    replace: ``,
    oracles: ["abort"],
    scenario,
    why: "A walk that was called off goes on.",
  },
  {
    name: "aborted-opening-keeps-lock",
    file: "core/engine/db.ts",
    find: `    await engine.close();
    throw aborted(signal, "while opening; the database is closed again");`,
    replace: `    throw aborted(signal, "while opening; the database is closed again");`,
    oracles: ["errors", "liveness"],
    scenario,
    why: "After an opening that was given up, nobody can open the directory until the process ends.",
  },
  {
    name: "sync-write-returns-too-early",
    file: "core/engine/write-path.ts",
    find: `    this.wal.completeNow(version);
    if (this.#visibleVersion >= version) return;`,
    replace: `    if (this.#failure === null) return;`,
    oracles: ["visibility", "prefix", "acknowledged", "model"],
    scenario,
    why: "A synchronous write has returned and is lost by a crash.",
  },
  {
    name: "sync-delete-forgotten",
    file: "core/engine/db.ts",
    find: `    batch.delete(toBytes(key, "key"));
    this.engine.commitSync(batch);`,
    replace: `    batch.delete(toBytes(key, "key"));
    this.engine.commitSync(new Batch());`,
    oracles: ["versions", "model", "iterator", "snapshot", "visibility"],
    scenario,
    why: "A synchronous delete does nothing.",
  },
];
