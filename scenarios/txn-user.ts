import type { Mutation } from "../core/kv/kv.ts";
import { type AtomicLog, beganTxn, type ObservedScan, type TxnLog } from "../sim/checkers/timestamp-model.ts";
import type { Dice } from "../sim/dice.ts";
import type { World } from "../sim/world.ts";
import { AtomicMachine, type AtomicOutcome } from "../txn/client/atomic-machine.ts";
import { Backoff } from "../txn/client/backoff.ts";
import type { CommitOutcome } from "../txn/client/commit-machine.ts";
import { type ClientInput, type ClientOutput, Exchange } from "../txn/client/exchange.ts";
import { RegionCache } from "../txn/client/region-cache.ts";
import { RegionCalls } from "../txn/client/region-calls.ts";
import { type Transaction, type TxnOptions, begin } from "../txn/client/transaction.ts";
import type { Check, KeyRange, ReadEntry } from "../txn/percolator/command.ts";
import type { TxnCluster } from "./txn-cluster.ts";

/** What the network between clients and regions does; rates are per 1,000. */
export interface TxnNetwork {
  readonly delayUsMax: number;
  readonly lost: number;
  readonly doubled: number;
  /** Answers about regions that were true once. */
  readonly stale: number;
  /** Of the copies: how late they may come. */
  readonly lateUsMax: number;
}

export interface TxnStage {
  readonly world: World;
  readonly cluster: TxnCluster;
  readonly txns: TxnLog[];
  readonly atomics: AtomicLog[];
  readonly options: { readonly ttlMs: number; readonly deadlineMs: number; readonly pageEntriesMax: number };
  /** A message is given up after so long. */
  readonly answerMsMax: number;
  /** No faults: nothing lost, nothing doubled. */
  network: TxnNetwork;
}

export const valueBytesMax = 64;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function bytesOf(text: string): Uint8Array {
  return encoder.encode(text);
}

export function textOf(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** One life of a client: what it awaits, and what it knows of regions. When it crashes, both are gone. */
class Life {
  readonly exchange = new Exchange();
  readonly cache = new RegionCache();
  over = false;
  readonly crash: Promise<"crashed">;
  die: () => void = () => {};

  constructor() {
    this.crash = new Promise((resolve) => {
      this.die = () => {
        this.over = true;
        resolve("crashed");
      };
    });
  }
}

/** As old are the names of operations at most when they are used, like those of a real client. */
const idsKeptUs = 250_000;

/** A client over the simulated regions: its machines' outputs become messages, with all that happens to those. */
export class TxnUser {
  readonly name: string;
  readonly dice: Dice;
  readonly #stage: TxnStage;
  readonly #net: Dice;
  #life = new Life();
  /** Outputs until this life ends; 0: it does not. */
  #stepsLeft = 0;
  /** For operations that are to come. */
  readonly #ids: number[] = [];
  #idsTakenUs = 0;
  /** Until then nothing reaches this client; what it sends arrives. */
  #deafUntilUs = 0;
  crashes = 0;

  constructor(stage: TxnStage, index: number) {
    this.name = `client-${index}`;
    this.dice = stage.world.dice("client", index);
    this.#net = stage.world.dice("client-net", index);
    this.#stage = stage;
  }

  /** The next messages are the last of this life. */
  crashAfter(steps: number): void {
    this.#stepsLeft = steps;
  }

  /** For so long, it hears nothing: what it asked for is done, and it is not told. */
  deafen(ms: number): void {
    this.#deafUntilUs = this.#stage.world.nowUs + ms * 1_000;
  }

  /** It waits long enough for any answer, and its locks live long enough for any commit, while nothing is broken. */
  get isPatient(): boolean {
    const { answerMsMax, options } = this.#stage;
    return answerMsMax >= 1_000 && options.deadlineMs >= 5_000 && options.ttlMs >= 3_000;
  }

  /** Hears again, and is not about to crash. */
  recover(): void {
    this.#deafUntilUs = 0;
    this.#stepsLeft = 0;
  }

  /** Runs one transaction; the log is among the stage's, whatever happens. `body` null: it gave up. */
  async transact(serializable: boolean, body: (txn: LoggedTxn) => Promise<boolean>): Promise<TxnLog> {
    const { world, txns, options } = this.#stage;
    const log = beganTxn(`${this.name}/${txns.length}`, serializable, world.nowUs);
    txns.push(log);
    const life = this.#life;
    // An idle client's clock stands where its last answer left it.
    life.exchange.nowMs = this.#nowMs();
    const given: TxnOptions = {
      serializable,
      deadlineMs: life.exchange.nowMs + options.deadlineMs,
      backgroundMs: options.deadlineMs,
      ttlMs: options.ttlMs,
      pageEntriesMax: options.pageEntriesMax,
    };
    const parts = { exchange: life.exchange, cache: life.cache, draw: (n: number) => this.dice.below(n) };
    const txn = await this.#await<Transaction | null>(life, (then) => begin(parts, given, then));
    if (txn === null || txn === "crashed") return log;
    log.startTs = txn.startTs;
    const logged = new LoggedTxn(txn, log, (start) => this.#await(life, start));
    if (!(await body(logged)) || life.over) return log;
    log.outcome = "unknown";
    const outcome = await this.#await<CommitOutcome>(life, (then) => txn.commit(then));
    log.returnedUs = world.nowUs;
    if (outcome === "crashed" || outcome.kind === "undetermined") return log;
    log.outcome = outcome.kind;
    if (outcome.kind === "committed") log.commitTs = outcome.commitTs;
    else log.refusal = outcome.refusal?.kind ?? null;
    return log;
  }

  async atomically(mutation: Mutation): Promise<AtomicLog> {
    const { world, atomics, options } = this.#stage;
    const log: AtomicLog = {
      name: `${this.name}/op-${atomics.length}`,
      calledUs: world.nowUs,
      returnedUs: Infinity,
      opId: 0,
      mutation,
      valueBytesMax,
      outcome: "unknown",
      commitTs: 0,
      result: null,
    };
    atomics.push(log);
    const life = this.#life;
    const machine = new AtomicMachine(this.#calls(life, options.deadlineMs), mutation, valueBytesMax);
    const answer = await this.#await<AtomicOutcome>(life, (then) =>
      machine.run(then, (opId) => (log.opId = opId)),
    );
    log.returnedUs = world.nowUs;
    if (answer === "crashed" || answer.kind === "undetermined") return log;
    if (answer.kind === "decided") {
      log.outcome = "decided";
      log.commitTs = answer.commitTs;
      log.result = answer.outcome;
    } else log.outcome = "none";
    return log;
  }

  /** Runs something of the client's that is no transaction; null: it crashed. */
  async perform<T>(
    deadlineMs: number,
    run: (calls: RegionCalls, then: (result: T) => void) => void,
  ): Promise<T | null> {
    const life = this.#life;
    const result = await this.#await<T>(life, (then) => run(this.#calls(life, deadlineMs), then));
    return result === "crashed" ? null : result;
  }

  get isIdle(): boolean {
    return this.#life.exchange.isIdle;
  }

  #calls({ exchange, cache }: Life, deadlineMs: number): RegionCalls {
    const backoff = new Backoff(this.#nowMs() + deadlineMs, (n) => this.dice.below(n));
    return new RegionCalls({ exchange, cache }, backoff);
  }

  #nowMs(): number {
    return Math.floor(this.#stage.world.nowUs / 1_000);
  }

  async #await<T>(life: Life, start: (then: (result: T) => void) => void): Promise<T | "crashed"> {
    life.exchange.nowMs = this.#nowMs();
    const result = new Promise<T>((resolve) => start(resolve));
    this.#drain(life);
    return await Promise.race([result, life.crash]);
  }

  #drain(life: Life): void {
    for (const output of life.exchange.outputs.splice(0)) {
      if (life.over) return;
      this.#perform(life, output);
      if (this.#stepsLeft > 0 && --this.#stepsLeft === 0) this.#crash(life);
    }
  }

  #crash(life: Life): void {
    this.crashes++;
    life.die();
    this.#ids.length = 0;
    this.#life = new Life();
  }

  #step(life: Life, input: ClientInput): void {
    if (life.over) return;
    life.exchange.step(input, this.#nowMs());
    this.#drain(life);
  }

  #perform(life: Life, output: ClientOutput): void {
    const { world, cluster, answerMsMax } = this.#stage;
    const { id } = output;
    if (output.kind === "wait") {
      return world.after(output.delayMs * 1_000, () => this.#step(life, { kind: "woken", id }));
    }
    world.after(answerMsMax * 1_000, () => this.#step(life, { kind: "lost", id }));
    this.#deliver(() => {
      if (output.kind === "timestamp") {
        const ts = output.present ? cluster.timestamp() : this.#operationId();
        this.#hear(() => this.#step(life, { kind: "timestamp", id, ts }));
      } else if (output.kind === "locate") {
        const region = cluster.locate(output.key, this.#net.chance(this.#stage.network.stale, 1_000));
        this.#hear(() => this.#step(life, { kind: "located", id, region }));
      } else {
        cluster.request(output.region, output.command, (answer) =>
          this.#hear(() => this.#step(life, { ...answer, id })),
        );
      }
    });
  }

  /** One that was taken ahead, not too long ago. */
  #operationId(): number {
    const { cluster, world } = this.#stage;
    if (world.nowUs - this.#idsTakenUs > idsKeptUs) this.#ids.length = 0;
    const id = this.#ids.shift();
    if (id !== undefined) return id;
    this.#idsTakenUs = world.nowUs;
    for (let ahead = this.#net.below(9); ahead > 0; ahead--) this.#ids.push(cluster.timestamp());
    return cluster.timestamp();
  }

  #hear(arrive: () => void): void {
    if (this.#stage.world.nowUs < this.#deafUntilUs) this.#stage.world.count("net.one-way-loss");
    else this.#deliver(arrive);
  }

  /** Carries one message: late, twice or not at all. */
  #deliver(arrive: () => void): void {
    const { world, network } = this.#stage;
    const { delayUsMax, lost, doubled, lateUsMax } = network;
    const delayUs = this.#net.skewed(1, delayUsMax);
    const isLost = this.#net.chance(lost, 1_000);
    const isDoubled = this.#net.chance(doubled, 1_000);
    const lateUs = this.#net.skewed(1, lateUsMax);
    if (isLost) world.count("net.one-way-loss");
    else world.after(delayUs, arrive);
    if (isDoubled) world.after(delayUs + lateUs, arrive);
  }
}

/** Whoever runs transactions of a workload. */
export interface WorkloadUser {
  readonly dice: Dice;
  /** It waits long enough for any answer while nothing is broken. */
  readonly isPatient: boolean;
  transact(serializable: boolean, body: (txn: LoggedTxn) => Promise<boolean>): Promise<TxnLog>;
  atomically(mutation: Mutation): Promise<unknown>;
}

/** A transaction of either kind of client. */
export interface TxnHandle {
  get(key: Uint8Array, then: (failure: unknown, entry: ReadEntry | null) => void): void;
  scan(range: KeyRange, limit: number, then: (failure: unknown, entries: readonly ReadEntry[] | null) => void): void;
  put(key: Uint8Array, value: Uint8Array): void;
  delete(key: Uint8Array): void;
  lock(key: Uint8Array): void;
  check(check: Check): void;
}

type Await = <T>(start: (then: (result: T) => void) => void) => Promise<T | "crashed">;

/** A transaction whose reads and writes are noted. Reads come before writes, so none is of an own write. */
export class LoggedTxn {
  readonly #txn: TxnHandle;
  readonly #isForeign: (key: string) => boolean;
  readonly #log: TxnLog;
  readonly #wait: Await;

  /** `isForeign`: keys that somebody else writes and judges are not seen. */
  // oxlint-disable-next-line max-params
  constructor(txn: TxnHandle, log: TxnLog, wait: Await, isForeign: (key: string) => boolean = () => false) {
    this.#isForeign = isForeign;
    this.#txn = txn;
    this.#log = log;
    this.#wait = wait;
  }

  /** Undefined: it can not be read; the transaction is to be given up. */
  async get(key: string): Promise<string | null | undefined> {
    type Answer = { readonly failed: boolean; readonly entry: ReadEntry | null };
    const answer = await this.#wait<Answer>((then) =>
      this.#txn.get(bytesOf(key), (failure, entry) => then({ failed: failure !== null, entry })),
    );
    if (answer === "crashed" || answer.failed) return undefined;
    const value = answer.entry === null ? null : textOf(answer.entry.value);
    this.#log.reads.push({ key, value });
    return value;
  }

  async scan(start: string, end: string | null, limit: number): Promise<ObservedScan["entries"] | undefined> {
    const range = { start: bytesOf(start), end: end === null ? null : bytesOf(end) };
    type Answer = { readonly failed: boolean; readonly entries: readonly ReadEntry[] };
    const answer = await this.#wait<Answer>((then) =>
      this.#txn.scan(range, limit, (failure, entries) => then({ failed: failure !== null, entries: entries ?? [] })),
    );
    if (answer === "crashed" || answer.failed) return undefined;
    const all = answer.entries.map(({ key, value }) => [textOf(key), textOf(value)] as const);
    const entries = all.filter(([key]) => !this.#isForeign(key));
    this.#log.scans.push({ start, end, limit, entries });
    return entries;
  }

  put(key: string, value: string): void {
    this.#txn.put(bytesOf(key), bytesOf(value));
    this.#log.writes.set(key, value);
  }

  delete(key: string): void {
    this.#txn.delete(bytesOf(key));
    this.#log.writes.set(key, null);
  }

  lock(key: string): void {
    this.#txn.lock(bytesOf(key));
    this.#log.locked.add(key);
  }

  checkAbsent(key: string): void {
    this.#txn.check({ kind: "absent", key: bytesOf(key) });
  }
}
