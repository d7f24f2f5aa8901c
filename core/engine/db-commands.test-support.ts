/**
 * The whole embedded API as fast-check commands against a sorted map, for any disk. Few keys, so that writes
 * meet; every command is judged as it happens, and the whole content after the last one.
 */
import fc from "fast-check";
import { expect } from "vitest";
import type { BatchOperation, Db, ScanOptions } from "./db.ts";
import type { EngineOptions } from "./options.ts";
import type { Snapshot } from "./snapshot.ts";

/** A database that can be opened again and again, and whatever makes its promises settle. */
export interface Subject {
  readonly path: string;
  open(path: string, options: Partial<EngineOptions>): Promise<Db>;
  settle<T>(promise: Promise<T>): Promise<T>;
}

interface Entry {
  readonly value: string;
  readonly expiresAtMs: number;
}

type Content = ReadonlyMap<string, Entry>;

/** What the database should hold. */
export class DbModel {
  content = new Map<string, Entry>();
  readonly snapshots: Content[] = [];
}

/** The database under test. */
export class DbUnderTest {
  readonly subject: Subject;
  readonly options: Partial<EngineOptions>;
  db: Db;
  readonly snapshots: Snapshot[] = [];
  checkpoints = 0;

  constructor(subject: Subject, options: Partial<EngineOptions>, db: Db) {
    this.subject = subject;
    this.options = options;
    this.db = db;
  }

  settle<T>(promise: Promise<T>): Promise<T> {
    return this.subject.settle(promise);
  }
}

type Command = fc.AsyncCommand<DbModel, DbUnderTest>;

/** Lifetimes that no clock of a test reaches, and one that is over before it begins. */
const lifetimes = { never: 0, far: 9_000_000_000_000, past: 1 } as const;

interface Write {
  readonly key: string;
  /** Null deletes. */
  readonly value: string | null;
  readonly lifetime: keyof typeof lifetimes;
}

const keys = ["", "a", "a\u0000", "ab", "abc", "b", "b\u00ff", "c", "caf\u00e9", "\uffff"];
const key = fc.constantFrom(...keys);
const value = fc.oneof(fc.string({ maxLength: 40 }), fc.constantFrom("", "v".repeat(300), "w".repeat(3000)));
const write: fc.Arbitrary<Write> = fc.record({
  key,
  value: fc.option(value, { freq: 3 }),
  lifetime: fc.constantFrom("never", "never", "never", "far", "past" as const),
});
const range = fc.oneof(
  fc.record({ gte: key, lt: key }, { requiredKeys: [] }),
  fc.record({ gt: key, lte: key }, { requiredKeys: [] }),
  fc.record({ prefix: fc.constantFrom("", "a", "b", "caf") }),
);
const scan = fc.tuple(
  range,
  fc.record(
    { reverse: fc.boolean(), limit: fc.integer({ min: -1, max: 5 }), keysOnly: fc.boolean() },
    { requiredKeys: [] },
  ),
);

/** Programs of at most `most` commands. */
export function dbCommands(most: number): fc.Arbitrary<Iterable<Command>> {
  const kinds: fc.Arbitrary<Command>[] = [
    write.map((one) => new SetOrDelete(one)),
    write.map((one) => new SetOrDelete(one)),
    fc.array(write, { maxLength: 6 }).map((writes) => new WriteTogether(writes, false)),
    fc.array(write, { maxLength: 6 }).map((writes) => new WriteTogether(writes, true)),
    fc.constant(new ReadAll()),
    scan.map(([bounds, rest]) => new Scan({ ...bounds, ...rest })),
    scan.map(([bounds, rest]) => new Scan({ ...bounds, ...rest })),
    fc.tuple(scan, key).map(([[bounds, rest], target]) => new SeekWithin({ ...bounds, ...rest }, target)),
    fc.constant(new TakeSnapshot()),
    fc.constant(new ReleaseSnapshot()),
    fc.constantFrom("flush", "compact", "reopen" as const).map((what) => new Maintain(what)),
    fc.constant(new Checkpoint()),
  ];
  return fc.commands(kinds, { maxCommands: most });
}

class SetOrDelete implements Command {
  readonly #write: Write;

  constructor(one: Write) {
    this.#write = one;
  }

  check(): boolean {
    return true;
  }

  async run(model: DbModel, real: DbUnderTest): Promise<void> {
    const { key: name, value: text, lifetime } = this.#write;
    if (text === null) await real.settle(real.db.delete(name));
    else await real.settle(real.db.set(name, text, { expiresAtMs: lifetimes[lifetime] }));
    apply(model, [this.#write]);
    expect(textOf(real.db.get(name))).toBe(live(model.content).get(name)?.value);
  }

  toString(): string {
    return `write ${JSON.stringify(this.#write)}`;
  }
}

/** A batch as a list, or filled by calls. */
class WriteTogether implements Command {
  readonly #writes: readonly Write[];
  readonly #byCalls: boolean;

  constructor(writes: readonly Write[], byCalls: boolean) {
    this.#writes = writes;
    this.#byCalls = byCalls;
  }

  check(): boolean {
    return true;
  }

  async run(model: DbModel, real: DbUnderTest): Promise<void> {
    if (this.#byCalls) {
      const batch = real.db.batch();
      for (const { key: name, value: text, lifetime } of this.#writes) {
        if (text === null) batch.delete(name);
        else batch.set(name, text, { expiresAtMs: lifetimes[lifetime] });
      }
      await real.settle(batch.commit());
    } else {
      const operations = this.#writes.map(({ key: name, value: text, lifetime }): BatchOperation => {
        if (text === null) return { type: "delete", key: name };
        return { type: "set", key: name, value: text, expiresAtMs: lifetimes[lifetime] };
      });
      await real.settle(real.db.batch(operations));
    }
    apply(model, this.#writes);
  }

  toString(): string {
    return `${this.#byCalls ? "batch()" : "batch"} ${JSON.stringify(this.#writes)}`;
  }
}

class ReadAll implements Command {
  check(): boolean {
    return true;
  }

  async run(model: DbModel, real: DbUnderTest): Promise<void> {
    judgeAll(model, real);
    await Promise.resolve();
  }

  toString(): string {
    return "read all";
  }
}

class Scan implements Command {
  readonly #options: ScanOptions;

  constructor(options: ScanOptions) {
    this.#options = options;
  }

  check(): boolean {
    return true;
  }

  async run(model: DbModel, real: DbUnderTest): Promise<void> {
    const options = this.#options;
    expect(shown(real.db, options)).toEqual(expected(live(model.content), options));
    for (const [i, snapshot] of real.snapshots.entries()) {
      expect(shown(real.db, { ...options, snapshot })).toEqual(expected(model.snapshots[i] ?? new Map(), options));
    }
    const names = expected(live(model.content), { ...options, keysOnly: true }).map(([name]) => name);
    const { keysOnly: _, ...rest } = options;
    expect([...real.db.keys(rest)].map((name) => textOf(name))).toEqual(names);
    const waited: unknown[] = [];
    const walking = (async (): Promise<void> => {
      for await (const [name] of real.db.entries(options)) waited.push(textOf(name));
    })();
    await real.settle(walking);
    expect(waited).toEqual(names);
  }

  toString(): string {
    return `scan ${JSON.stringify(this.#options)}`;
  }
}

/** The next step after a seek goes to the nearest entry at or behind the target. */
class SeekWithin implements Command {
  readonly #options: ScanOptions;
  readonly #target: string;

  constructor(options: ScanOptions, target: string) {
    const { limit: _, ...rest } = options;
    this.#options = rest;
    this.#target = target;
  }

  check(): boolean {
    return true;
  }

  async run(model: DbModel, real: DbUnderTest): Promise<void> {
    const within = expected(live(model.content), this.#options).map(([name]) => name);
    const reverse = this.#options.reverse === true;
    const behind = within.filter((name) => {
      const order = compareText(name, this.#target);
      return reverse ? order <= 0 : order >= 0;
    });
    const iterator = real.db.iterator(this.#options);
    iterator.seek(this.#target);
    const found: unknown[] = [];
    while (iterator.next()) found.push(textOf(iterator.key));
    iterator.close();
    // A target outside the bounds is the end.
    expect(found).toEqual(isWithin(this.#target, this.#options) ? behind : []);
    await Promise.resolve();
  }

  toString(): string {
    return `seek ${JSON.stringify(this.#target)} in ${JSON.stringify(this.#options)}`;
  }
}

class TakeSnapshot implements Command {
  check(model: Readonly<DbModel>): boolean {
    return model.snapshots.length < 3;
  }

  async run(model: DbModel, real: DbUnderTest): Promise<void> {
    real.snapshots.push(real.db.snapshot());
    model.snapshots.push(live(model.content));
    await Promise.resolve();
  }

  toString(): string {
    return "snapshot";
  }
}

class ReleaseSnapshot implements Command {
  check(model: Readonly<DbModel>): boolean {
    return model.snapshots.length > 0;
  }

  async run(model: DbModel, real: DbUnderTest): Promise<void> {
    real.snapshots.shift()?.release();
    model.snapshots.shift();
    await Promise.resolve();
  }

  toString(): string {
    return "release";
  }
}

class Maintain implements Command {
  readonly #what: "flush" | "compact" | "reopen";

  constructor(what: "flush" | "compact" | "reopen") {
    this.#what = what;
  }

  check(): boolean {
    return true;
  }

  async run(model: DbModel, real: DbUnderTest): Promise<void> {
    if (this.#what === "flush") await real.settle(real.db.flush());
    else if (this.#what === "compact") await real.settle(real.db.compact());
    else {
      await real.settle(real.db.close());
      real.snapshots.length = 0;
      model.snapshots.length = 0;
      real.db = await real.settle(real.subject.open(real.subject.path, real.options));
    }
    judgeAll(model, real);
  }

  toString(): string {
    return this.#what;
  }
}

/** A database of its own: the same content, and what happens to it stays there. */
class Checkpoint implements Command {
  check(): boolean {
    return true;
  }

  async run(model: DbModel, real: DbUnderTest): Promise<void> {
    const path = `${real.subject.path}-checkpoint-${++real.checkpoints}`;
    await real.settle(real.db.engine.checkpoint(path));
    const copy = await real.settle(real.subject.open(path, real.options));
    expect(shown(copy, {})).toEqual(expected(live(model.content), {}));
    await real.settle(copy.set("a", "of the copy"));
    await real.settle(copy.close());
    judgeAll(model, real);
  }

  toString(): string {
    return "checkpoint";
  }
}

/** Every key by every way of reading, now and as of each snapshot. */
export function judgeAll(model: DbModel, real: DbUnderTest): void {
  const { db } = real;
  const now = live(model.content);
  const values = keys.map((name) => now.get(name)?.value);
  expect(db.getMany(keys).map((bytes) => textOf(bytes))).toEqual(values);
  for (const [i, name] of keys.entries()) {
    expect(textOf(db.get(name))).toBe(values[i]);
    expect(db.has(name)).toBe(values[i] !== undefined);
  }
  for (const [i, snapshot] of real.snapshots.entries()) {
    const then = model.snapshots[i] ?? new Map<string, Entry>();
    const seen = db.getMany(keys, { snapshot }).map((bytes) => textOf(bytes));
    expect(seen).toEqual(keys.map((name) => then.get(name)?.value));
  }
  expect(shown(db, {})).toEqual(expected(now, {}));
  expect(db.stats().open).toMatchObject({ iterators: 0, snapshots: real.snapshots.length });
}

function apply(model: DbModel, writes: readonly Write[]): void {
  const content = new Map(model.content);
  for (const { key: name, value: text, lifetime } of writes) {
    if (text === null) content.delete(name);
    else content.set(name, { value: text, expiresAtMs: lifetimes[lifetime] });
  }
  model.content = content;
}

function live(content: Content): Content {
  return new Map([...content].filter(([, { expiresAtMs }]) => expiresAtMs !== lifetimes.past));
}

type Shown = [key: string | undefined, value: string | undefined, expiresAtMs: number];

function shown(db: Db, options: ScanOptions): Shown[] {
  const found: Shown[] = [];
  const iterator = db.iterator(options);
  while (iterator.next()) {
    found.push([textOf(iterator.key), textOf(iterator.value), iterator.expiresAtMs]);
  }
  iterator.close();
  return found;
}

function expected(content: Content, options: ScanOptions): [string, string, number][] {
  const found = [...content]
    .filter(([name]) => isWithin(name, options))
    .sort(([a], [b]) => compareText(a, b))
    .map(([name, entry]): [string, string, number] => {
      return [name, options.keysOnly === true ? "" : entry.value, entry.expiresAtMs];
    });
  if (options.reverse === true) found.reverse();
  const limit = options.limit ?? -1;
  return limit < 0 ? found : found.slice(0, limit);
}

function isWithin(name: string, options: ScanOptions): boolean {
  const { gt, gte, lt, lte, prefix } = options;
  if (typeof prefix === "string") return name.startsWith(prefix);
  if (typeof gte === "string" ? compareText(name, gte) < 0 : typeof gt === "string" && compareText(name, gt) <= 0) {
    return false;
  }
  if (typeof lte === "string") return compareText(name, lte) <= 0;
  return !(typeof lt === "string" && compareText(name, lt) >= 0);
}

/** By the bytes of UTF-8, as the database orders. */
function compareText(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function textOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}
