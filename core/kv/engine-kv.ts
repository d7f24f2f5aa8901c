import { assert } from "../assert.ts";
import type { Clock } from "../env/clock.ts";
import { Batch } from "../engine/batch.ts";
import type { Engine } from "../engine/engine.ts";
import type { EngineIterator } from "../engine/iterator.ts";
import { NokvError } from "../errors.ts";
import { evaluateTransaction, keysReadBy } from "./evaluate-transaction.ts";
import { evaluate, keysRead, type Write } from "./evaluate.ts";
import type {
  Kv,
  KvEntry,
  MutateDone,
  Mutation,
  OperationResult,
  Outcome,
  ReadDone,
  ScanDone,
  ScanPage,
  ScanRequest,
  TransactDone,
  Transaction,
  WatchDone,
  WatchedKey,
} from "./kv.ts";

/** What this asks of an engine. */
export type EngineAccess = Pick<
  Engine,
  | "commit"
  | "latest"
  | "visibleVersion"
  | "pendingVersion"
  | "flushedVersion"
  | "whenVisible"
  | "nowMs"
  | "iterator"
>;

export interface EngineKvLimits {
  /** As the engine's option of the same name. */
  readonly valueBytesMax: number;
  /** What the values of one read may take together: a short request must not ask for all of memory. */
  readonly readBytesMax: number;
}

/** Keys counted before others get their turn. */
const countedPerTurn = 8192;

/**
 * The embedded `Kv`. An operation takes effect when it is called, on the newest records, whether or not they
 * are durable yet; it completes when everything that it saw and everything that it wrote is. So no read, and
 * no refusal either, rests on a write that a crash could take back, and writes of one turn share a sync.
 *
 * When durability has failed for good, what is pending will never be visible: reads then show the visible
 * entries, and mutations that would have rested on pending ones fail as those do that write.
 */
export class EngineKv implements Kv {
  readonly ordered = true;
  readonly #engine: EngineAccess;
  readonly #clock: Clock;
  readonly #limits: EngineKvLimits;
  readonly #idle: Commitment[] = [];

  constructor(engine: EngineAccess, clock: Clock, limits: EngineKvLimits) {
    this.#engine = engine;
    this.#clock = clock;
    this.#limits = limits;
  }

  read(keys: readonly Uint8Array[], done: ReadDone): void {
    const sight = this.#see(keys);
    if (sight instanceof NokvError) {
      done(sight, []);
    } else if (sight.version <= this.#engine.visibleVersion) {
      done(null, sight.entries);
    } else {
      this.#readWhenVisible(
        keys.map((key) => key.slice()),
        sight,
        done,
      );
    }
  }

  mutate(mutation: Mutation, done: MutateDone): void {
    const answer = this.#act(mutation, done);
    if (answer instanceof NokvError) done(answer, null);
    else if (answer !== null) this.#answerWhenVisible(answer, done);
  }

  scan(request: ScanRequest, done: ScanDone): void {
    assert(request.limit >= 1, "a page has room for a key");
    const after = request.after === null ? null : request.after.slice();
    const page = attempt(() => this.#page(after, request.limit, true));
    if (page instanceof NokvError) {
      done(page, null);
      return;
    }
    this.#whenVisible(this.#engine.pendingVersion, (failure) => {
      const shown = failure === null ? page : attempt(() => this.#page(after, request.limit, false));
      if (shown instanceof NokvError) done(shown, null);
      else done(null, shown);
    });
  }

  count(done: (error: NokvError | null, count: number) => void): void {
    // Whether or not what is pending becomes visible: what is counted is visible.
    this.#whenVisible(this.#engine.pendingVersion, () => {
      const iterator = attempt(() => this.#engine.iterator({ keysOnly: true }));
      if (iterator instanceof NokvError) done(iterator, 0);
      else this.#countOn(iterator, 0, done);
    });
  }

  clear(done: (error: NokvError | null) => void): void {
    // Above everything taken so far, below everything to come: it removes what there is, and no more.
    const batch = new Batch().deleteRange(new Uint8Array(0), null);
    const refused = attempt(() => this.#engine.commit(batch, done));
    if (refused instanceof NokvError) done(refused);
  }

  watch(keys: readonly Uint8Array[], done: WatchDone): void {
    const sight = attempt(() => this.#watch(keys));
    if (sight instanceof NokvError) return done(sight, []);
    this.#whenVisible(sight.version, (failure) => {
      if (failure === null) done(null, sight.watched);
      else done(definite(failure), []);
    });
  }

  transact(transaction: Transaction, done: TransactDone): void {
    const answer = attempt(() => this.#transact(transaction, done));
    if (answer instanceof NokvError) return done(answer, null);
    if (answer === null) return;
    const { results, version } = answer;
    this.#whenVisible(version, (failure) => {
      if (failure === null) done(null, results);
      else done(definite(failure), null);
    });
  }

  #watch(keys: readonly Uint8Array[]): { readonly watched: readonly WatchedKey[]; readonly version: number } {
    const sinceVersion = this.#engine.pendingVersion;
    let newest = 0;
    const watched = keys.map((key) => {
      const { value, version } = this.#engine.latest(key);
      newest = Math.max(newest, version);
      return { key: key.slice(), version, alive: value !== null, sinceVersion };
    });
    return { watched, version: newest };
  }

  /** Decides and commits; null when the commit will answer, for nothing was written otherwise. */
  #transact({ operations, watched }: Transaction, done: TransactDone): TransactionAnswer | null {
    const changed = this.#changed(watched);
    if (changed !== null) return { results: null, version: changed };
    const sight = this.#latest(keysReadBy(operations));
    const { results, writes } = evaluateTransaction(operations, sight.entries, {
      nowMs: this.#engine.nowMs(),
      valueBytesMax: this.#limits.valueBytesMax,
    });
    const version = watched.reduce((newest, each) => Math.max(newest, each.version), sight.version);
    if (writes.length === 0) return { results, version };
    const batch = new Batch();
    fill(batch, writes);
    this.#engine.commit(batch, (error) => done(error, error === null ? results : null));
    return null;
  }

  /** The version of the first change of a watched key; null: each is what it was. */
  #changed(watched: readonly WatchedKey[]): number | null {
    for (const { key, version, alive, sinceVersion } of watched) {
      const now = this.#engine.latest(key);
      if ((now.value !== null) !== alive || now.version > version) return now.version;
      // It may have come and gone since: whatever is in tables only may have been forgotten.
      if (!alive && this.#engine.flushedVersion > sinceVersion) return now.version;
    }
    return null;
  }

  /** The newest entries of `keys`, and the newest version that they rest on. */
  #see(keys: readonly Uint8Array[]): Sight | NokvError {
    try {
      return this.#latest(keys);
    } catch (error) {
      if (error instanceof NokvError) return error;
      throw error;
    }
  }

  #latest(keys: readonly Uint8Array[]): Sight {
    const entries: (KvEntry | null)[] = [];
    let version = 0;
    let bytes = 0;
    for (const key of keys) {
      const latest = this.#engine.latest(key);
      if (latest.version > version) version = latest.version;
      const entry = entryOf(latest);
      bytes += entry === null ? 0 : entry.value.length;
      if (bytes > this.#limits.readBytesMax) throw tooMuch(this.#limits.readBytesMax);
      entries.push(entry);
    }
    return { entries, version };
  }

  #readWhenVisible(keys: readonly Uint8Array[], sight: Sight, done: ReadDone): void {
    this.#whenVisible(sight.version, (failure) => {
      const entries = failure === null ? sight.entries : attempt(() => this.#visible(keys));
      if (entries instanceof NokvError) done(entries, []);
      else done(null, entries);
    });
  }

  /** Decides and commits; null when the commit will answer, for nothing was written otherwise. */
  #act(mutation: Mutation, done: MutateDone): Answer | null | NokvError {
    try {
      return this.#decide(mutation, done);
    } catch (error) {
      if (error instanceof NokvError) return error;
      throw error;
    }
  }

  #decide(mutation: Mutation, done: MutateDone): Answer | null {
    const sight = this.#latest(keysRead(mutation));
    const { outcome, writes } = evaluate(mutation, sight.entries, {
      nowMs: this.#engine.nowMs(),
      valueBytesMax: this.#limits.valueBytesMax,
    });
    if (writes.length === 0) return { outcome, version: sight.version };
    const commitment = this.#idle.pop() ?? new Commitment((used) => this.#retire(used));
    commitment.fill(writes, outcome, done);
    this.#engine.commit(commitment.batch, commitment.committed);
    return null;
  }

  #answerWhenVisible(answer: Answer, done: MutateDone): void {
    this.#whenVisible(answer.version, (failure) => {
      if (failure === null) done(null, answer.outcome);
      else done(definite(failure), null);
    });
  }

  #retire(used: Commitment): void {
    if (used.isSmall && this.#idle.length < commitmentsKeptMax) this.#idle.push(used);
  }

  #page(after: Uint8Array | null, limit: number, latest: boolean): ScanPage {
    const bound = after === null ? {} : { gt: after };
    const iterator = this.#engine.iterator({ ...bound, keysOnly: true, latest, limit: limit + 1 });
    const keys: Uint8Array[] = [];
    while (keys.length < limit && iterator.next()) keys.push(iterator.key);
    const exhausted = keys.length < limit || !iterator.next();
    iterator.close();
    return { keys, exhausted };
  }

  /** The visible entries, with their deadlines. */
  #visible(keys: readonly Uint8Array[]): (KvEntry | null)[] {
    return keys.map((key) => {
      const iterator = this.#engine.iterator({ gte: key, lte: key });
      const entry = iterator.next() ? { value: iterator.value, expiresAtMs: iterator.expiresAtMs } : null;
      iterator.close();
      return entry;
    });
  }

  #countOn(
    iterator: EngineIterator,
    before: number,
    done: (error: NokvError | null, count: number) => void,
  ): void {
    const counted = attempt(() => countTurn(iterator));
    if (counted instanceof NokvError) done(counted, 0);
    else if (counted < countedPerTurn) done(null, before + counted);
    else this.#clock.soon(() => this.#countOn(iterator, before + counted, done));
  }

  /** As the engine's, but told through `done` when the engine is closed. */
  #whenVisible(version: number, done: (failure: NokvError | null) => void): void {
    if (version <= this.#engine.visibleVersion) {
      done(null);
      return;
    }
    const refused = attempt(() => this.#engine.whenVisible(version, done));
    if (refused instanceof NokvError) done(refused);
  }
}

function countTurn(iterator: EngineIterator): number {
  let counted = 0;
  while (counted < countedPerTurn && iterator.next()) counted++;
  if (counted < countedPerTurn) iterator.close();
  return counted;
}

/** What a look at some keys showed, and the newest version it rests on. */
interface Sight {
  readonly entries: readonly (KvEntry | null)[];
  readonly version: number;
}

interface Answer {
  readonly outcome: Outcome;
  readonly version: number;
}

interface TransactionAnswer {
  readonly results: readonly OperationResult[] | null;
  readonly version: number;
}

const commitmentsKeptMax = 2048;
const batchBytesKeptMax = 16 * 1024;

/** A commit under way. Reused, so that a write allocates no closures. */
class Commitment {
  readonly batch = new Batch();
  readonly committed: (error: NokvError | null) => void;
  #outcome: Outcome | null = null;
  #done: MutateDone | null = null;

  constructor(retire: (used: Commitment) => void) {
    this.committed = (error): void => {
      const [outcome, done] = [this.#outcome, this.#done];
      assert(done !== null, "a commit completes once");
      this.#outcome = null;
      this.#done = null;
      retire(this);
      done(error, error === null ? outcome : null);
    };
  }

  get isSmall(): boolean {
    return this.batch.bytes.length <= batchBytesKeptMax;
  }

  fill(writes: readonly Write[], outcome: Outcome, done: MutateDone): void {
    this.batch.clear();
    this.#outcome = outcome;
    this.#done = done;
    fill(this.batch, writes);
  }
}

function fill(batch: Batch, writes: readonly Write[]): void {
  for (const { key, value, expiresAtMs } of writes) {
    if (value === null) batch.delete(key);
    else batch.set(key, value, expiresAtMs);
  }
}

/** What the engine throws says that nothing happened: it becomes the answer. */
function attempt<Result>(act: () => Result): Result | NokvError {
  try {
    return act();
  } catch (error) {
    if (error instanceof NokvError) return error;
    throw error;
  }
}

function entryOf(latest: ReturnType<Engine["latest"]>): KvEntry | null {
  if (latest.value === null) return null;
  return { value: latest.value, expiresAtMs: latest.expiresAtMs };
}

function tooMuch(limit: number): NokvError {
  return new NokvError("NOKV_INVALID_ARGUMENT", `the values read together exceed ${limit} bytes`);
}

/** Of a mutation that wrote nothing nothing survives, whatever became of what it saw. */
function definite(error: NokvError): NokvError {
  if (error.code !== "NOKV_UNDETERMINED") return error;
  const message = "nothing was written: the answer rests on a write whose durability failed";
  return new NokvError("NOKV_POISONED", message, { cause: error });
}
