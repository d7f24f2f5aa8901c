import type { Mutation } from "../core/kv/kv.ts";
import type { TxnLog } from "../sim/checkers/timestamp-model.ts";
import type { Dice } from "../sim/dice.ts";
import { type LoggedTxn, type WorkloadUser, bytesOf } from "./txn-user.ts";

const accounts = ["a0", "a1", "a2", "a3"];
const registers = ["r0", "r1", "r2", "r3", "r4", "r5"];
/** Some begin with another: whoever takes a wrong step from one key to the next leaves them out. */
const gaps = ["g0", "g00", "g000", "g01", "g02", "g020", "g03", "g04"];
const doctors = ["s0", "s1"];
const counters = ["n0", "n1"];
/** In order; regions are split at any of them. */
export const everyKey: readonly string[] = [...accounts, ...gaps, ...counters, ...registers, ...doctors];
const firstBalance = 100;
const total = firstBalance * accounts.length;

const operationKinds = ["transfer", "read", "rotate", "insert", "atomic", "registers"] as const;
export type OperationKind = (typeof operationKinds)[number];

/** On most seeds only some kinds happen, so that those meet each other often. */
export function drawKinds(dice: Dice): readonly OperationKind[] {
  const drawn = operationKinds.filter(() => dice.chance(1, 2));
  return drawn.length === 0 ? operationKinds : drawn;
}

export interface WorkloadPlan {
  readonly kinds: readonly OperationKind[];
  /** Operations on one key go to those that are scanned, too. */
  readonly atomicsEverywhere?: boolean;
  /** How many registers there are: few are met by many. */
  readonly registers: number;
  readonly serializable: "never" | "always" | "some";
  /** Some values do not fit into a lock. */
  readonly large: boolean;
  /** The sum of all accounts was wrong. */
  readonly fail: (message: string) => never;
}

/** What the clients do: transfers, registers, doctors on call, insertions into what was scanned, counters. */
export class TxnWorkload {
  readonly #dice: Dice;
  readonly #plan: WorkloadPlan;
  readonly #registerKeys: readonly string[];
  #values = 0;

  constructor(dice: Dice, plan: WorkloadPlan) {
    this.#dice = dice;
    this.#plan = plan;
    this.#registerKeys = registers.slice(0, plan.registers);
  }

  /** False: not even with nothing broken. */
  async setUp(user: WorkloadUser): Promise<boolean> {
    const put = async (txn: LoggedTxn): Promise<boolean> => {
      for (const account of accounts) txn.put(account, this.#unique(`${firstBalance}`));
      for (const doctor of doctors) txn.put(doctor, this.#unique("on"));
      await Promise.resolve();
      return true;
    };
    for (let left = 20; left > 0; left--) if ((await user.transact(false, put)).outcome === "committed") return true;
    return false;
  }

  operate(user: WorkloadUser): Promise<unknown> {
    switch (user.dice.pick(this.#plan.kinds)) {
      case "transfer":
        return this.#transfer(user);
      case "read":
        return this.readAll(user);
      case "rotate":
        return this.#rotate(user);
      case "insert":
        return this.#insert(user);
      case "atomic":
        return user.atomically(this.#mutation(user.dice));
      case "registers":
        return this.#registers(user);
    }
  }

  /** When nothing is broken any more, this commits. */
  async last(user: WorkloadUser): Promise<TxnLog> {
    const write = async (txn: LoggedTxn): Promise<boolean> => {
      // No read before: what the client knows of regions is as old as it was.
      txn.put("r0", this.#unique("last"));
      txn.put("a-last", this.#unique("last"));
      await Promise.resolve();
      return true;
    };
    let log = await user.transact(false, write);
    for (let left = 20; left > 0 && log.outcome !== "committed"; left--) {
      // A conflict with what was still on its way is no failure; these are, for nothing is broken any more.
      const isWrong = log.outcome === "unknown" || log.refusal === "rolled-back";
      if (isWrong && user.isPatient) return log;
      log = await user.transact(false, write);
    }
    return log;
  }

  readAll(user: WorkloadUser): Promise<TxnLog> {
    return user.transact(this.#isSerializable(user.dice), async (txn) => {
      if (user.dice.chance(1, 3)) return (await txn.scan("", null, 100)) !== undefined;
      let sum = 0;
      for (const account of accounts) {
        const balance = await txn.get(account);
        if (balance === undefined) return false;
        sum += amountOf(balance);
      }
      if (sum !== total) this.#plan.fail(`the accounts hold ${sum} in all, not ${total}`);
      return true;
    });
  }

  /** True: it was read. */
  async readOne(user: WorkloadUser, key: string): Promise<boolean> {
    let isRead = false;
    await user.transact(false, async (txn) => {
      isRead = (await txn.get(key)) !== undefined;
      return isRead;
    });
    return isRead;
  }

  #transfer(user: WorkloadUser): Promise<TxnLog> {
    return user.transact(this.#isSerializable(user.dice), async (txn) => {
      const [from, to] = [user.dice.pick(accounts), user.dice.pick(accounts)];
      if (from === to) return false;
      const [source, target] = [await txn.get(from), await txn.get(to)];
      if (source === undefined || target === undefined) return false;
      const amount = user.dice.between(1, 10);
      txn.put(from, this.#unique(`${amountOf(source) - amount}`));
      txn.put(to, this.#unique(`${amountOf(target) + amount}`));
      return true;
    });
  }

  /** Goes off call if the other is on call; together they could both be off, if what was read may change. */
  #rotate(user: WorkloadUser): Promise<TxnLog> {
    const serializable = this.#isSerializable(user.dice);
    return user.transact(serializable, async (txn) => {
      const states = [await txn.get("s0"), await txn.get("s1")];
      if (states.includes(undefined)) return false;
      const mine = user.dice.below(2);
      const other = states[1 - mine] ?? "";
      txn.put(doctors[mine] as string, this.#unique(other.startsWith("on") ? "off" : "on"));
      // Under snapshot isolation, what was read may be locked instead.
      if (!serializable && user.dice.chance(1, 2)) txn.lock(doctors[1 - mine] as string);
      return true;
    });
  }

  /** Counts what a range holds and adds one more, or takes one away. */
  #insert(user: WorkloadUser): Promise<TxnLog> {
    const { dice } = user;
    return user.transact(this.#isSerializable(dice), async (txn) => {
      const [low, high] = [dice.below(gaps.length), dice.between(1, gaps.length)];
      const end = high >= gaps.length ? "h" : (gaps[high] as string);
      const found = await txn.scan(gaps[low] as string, end, dice.pick([1, 2, 100]));
      if (found === undefined) return false;
      if (dice.chance(1, 3) && found.length > 0) txn.delete(dice.pick(found)[0]);
      const target = dice.pick(gaps);
      if (dice.chance(1, 4)) txn.checkAbsent(target);
      txn.put(target, this.#unique(`${found.length}`));
      return true;
    });
  }

  #registers(user: WorkloadUser): Promise<TxnLog> {
    const { dice } = user;
    const keys = this.#registerKeys;
    const all = [...keys, ...counters];
    return user.transact(this.#isSerializable(dice), async (txn) => {
      for (let left = dice.below(4); left > 0; left--) {
        if ((await txn.get(dice.pick(all))) === undefined) return false;
      }
      if (dice.chance(1, 4)) return true;
      const written = new Set<string>();
      for (let left = dice.between(1, 4); left > 0; left--) written.add(dice.pick(all));
      let puts = 0;
      for (const key of [...written].sort(byCodeUnit)) {
        if (puts > 0 && dice.chance(1, 4)) txn.delete(key);
        else {
          txn.put(key, this.#unique("r"));
          puts++;
        }
      }
      const locked = dice.pick(keys);
      if (dice.chance(1, 4) && !written.has(locked)) txn.lock(locked);
      return true;
    });
  }

  #mutation(dice: Dice): Mutation {
    const keys = this.#registerKeys;
    const scanned = this.#plan.atomicsEverywhere === true ? gaps : [];
    const key = bytesOf(dice.pick([...counters, ...keys, ...scanned]));
    const value = bytesOf(this.#unique("v"));
    switch (dice.below(8)) {
      case 0:
        return { kind: "put", key, value, expiry: { kind: "never" }, condition: "absent", returning: true };
      case 1:
        return { kind: "put", key, value, expiry: { kind: "keep" }, condition: "present", returning: true };
      case 2:
        return { kind: "take", key };
      case 3:
        return { kind: "append", key, suffix: bytesOf("+") };
      case 4:
        return { kind: "delete", keys: [key, bytesOf(dice.pick(keys))] };
      case 5:
        return { kind: "put", key, value, expiry: { kind: "after", ms: 300 }, condition: "always", returning: false };
      default:
        return { kind: "increment", key: bytesOf(dice.pick(counters)), delta: BigInt(dice.between(-3, 3)) };
    }
  }

  #isSerializable(dice: Dice): boolean {
    const { serializable } = this.#plan;
    return serializable === "some" ? dice.chance(1, 2) : serializable === "always";
  }

  #unique(prefix: string): string {
    const filler = this.#plan.large && this.#dice.chance(1, 3) ? "x".repeat(600) : "";
    return `${prefix}#${++this.#values}${filler}`;
  }
}

function amountOf(balance: string | null): number {
  return balance === null ? 0 : Number(balance.slice(0, balance.indexOf("#")));
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
