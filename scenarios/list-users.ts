import type { NokvError } from "../core/errors.ts";
import type { Env } from "../core/env/env.ts";
import { RedisClient } from "../net/redis/client.ts";
import { type Reply, textOf } from "../net/redis/reply.ts";
import { type IsolationLevel, ListHistory, type ListStep, type ListTxn } from "../sim/checkers/list-append.ts";
import type { Dice } from "../sim/dice.ts";
import type { Machine } from "../sim/machine.ts";
import type { World } from "../sim/world.ts";
import type { ClientTransaction } from "../txn/remote/client-transaction.ts";
import type { TxnClient } from "../txn/remote/txn-client.ts";
import type { NodeSeat } from "./cluster-seat.ts";
import { bytesOf } from "./txn-user.ts";

/**
 * "list-append": anything. "long-fork": some append to one list, others read all: two readers must not see two writers
 * in two orders. "write-skew": each reads two lists and appends to one of them.
 */
const listWorkloads = ["list-append", "long-fork", "write-skew"] as const;
export type ListWorkload = (typeof listWorkloads)[number];

/** Far enough apart to lie in regions of their own. */
const listKeys = ["a:list", "h:list", "n:list", "t:list"];
/** More is more than what a judge should search through. */
const txnsMax = 160;

/** What a process must be that runs transactions. */
export interface ListGateway {
  readonly client: TxnClient;
  close(): Promise<void>;
}

type Plan = readonly { readonly kind: "append" | "read"; readonly key: string }[];

/** Of a run: the transactions of all its users, and what was appended. */
export class Lists {
  readonly world: World;
  readonly workload: ListWorkload;
  readonly txns: ListTxn[] = [];
  readonly keys: readonly string[];
  #tokens = 0;

  constructor(world: World, dice: Dice) {
    this.world = world;
    this.workload = dice.pick(listWorkloads);
    this.keys = listKeys.slice(0, this.workload === "write-skew" ? 2 : dice.between(2, listKeys.length));
  }

  get isFull(): boolean {
    return this.txns.length >= txnsMax;
  }

  token(): string {
    return `${++this.#tokens}`;
  }

  draw(dice: Dice): Plan {
    const { keys } = this;
    const reads = (names: readonly string[]): Plan => names.map((key) => ({ kind: "read", key }));
    const ordered = dice.chance(1, 2) ? keys : keys.toReversed();
    if (this.workload === "list-append") {
      return Array.from({ length: dice.between(1, 4) }, () => {
        return { kind: dice.chance(1, 2) ? "append" : "read", key: dice.pick(keys) } as const;
      });
    }
    if (dice.chance(1, this.workload === "long-fork" ? 2 : 5)) return reads(ordered);
    const append = { kind: "append", key: dice.pick(keys) } as const;
    return this.workload === "long-fork" ? [append] : [...reads(ordered), append];
  }

  /** Of all that was written, everybody must have been told by now. */
  judge(): void {
    const history = new ListHistory(this.txns);
    const verdict = history.judge();
    if (verdict !== null) this.world.fail(verdict.oracle, verdict.message);
    const ended = (outcome: string): number => this.txns.filter((txn) => txn.outcome === outcome).length;
    const skew = history.isSkewed() ? ", with write skew" : "";
    const unclear = `${ended("aborted")} aborted, ${ended("unknown")} unknown`;
    this.world.story(`${this.workload}: ${ended("committed")} committed, ${unclear}${skew}`);
  }
}

type Running = { -readonly [K in keyof Omit<ListTxn, "steps">]: ListTxn[K] } & { readonly steps: ListStep[] };

/** Somebody who runs one transaction of lists after the other: in the process of a gateway, or over Redis as EXEC. */
export class ListUser {
  readonly name: string;
  readonly dice: Dice;
  readonly #lists: Lists;
  readonly #gateway: NodeSeat<ListGateway>;
  readonly #port: number;
  readonly #machine: Machine;

  // oxlint-disable-next-line max-params -- of which run, who, and where
  constructor(lists: Lists, index: number, gateway: NodeSeat<ListGateway>, port: number) {
    this.#lists = lists;
    this.name = `lists-${index}`;
    this.dice = lists.world.dice("lists", index);
    this.#gateway = gateway;
    this.#port = port;
    this.#machine = lists.world.machine(this.name);
    lists.world.network.speaksPlain(this.name);
  }

  async operate(): Promise<void> {
    const plan = this.#lists.draw(this.dice);
    if (this.dice.chance(1, 2)) await this.#execute(plan);
    else await this.transact(this.dice.chance(1, 2) ? "serializable" : "snapshot", plan);
  }

  /** Everything that is there; true: it was read. */
  async readAll(): Promise<boolean> {
    const plan = this.#lists.keys.map((key) => ({ kind: "read", key }) as const);
    return (await this.transact("serializable", plan)).outcome === "committed";
  }

  async transact(level: IsolationLevel, plan: Plan): Promise<ListTxn> {
    const txn = this.#begin(level);
    await this.#gateway.work((node) => this.#run(node, txn, plan));
    return txn;
  }

  async #run({ client }: ListGateway, log: Running, plan: Plan): Promise<void> {
    const { world } = this.#lists;
    const txn = await new Promise<ClientTransaction | null>((resolve) => {
      client.begin({ serializable: log.level === "serializable" }, (_, begun) => resolve(begun));
    });
    if (txn === null) return;
    for (const { kind, key } of plan) {
      const text = await new Promise<string | null>((resolve) => {
        txn.get(bytesOf(key), (error, entry) => {
          if (error !== null) resolve(null);
          else resolve(entry === null ? "" : textOf(entry.value));
        });
      });
      if (text === null) return txn.abandon();
      log.steps.push({ kind: "read", key, list: listOf(text) });
      if (kind === "read") continue;
      const token = this.#lists.token();
      log.steps.push({ kind, key, token });
      txn.put(bytesOf(key), bytesOf(`${text}${token}.`));
    }
    log.outcome = "unknown";
    const error = await new Promise<NokvError | null>((resolve) => txn.commit((failure) => resolve(failure)));
    log.returnedUs = world.nowUs;
    if (error === null) log.outcome = "committed";
    else if (error.code === "NOKV_ABORTED" || error.code === "NOKV_BUSY") log.outcome = "aborted";
  }

  async #execute(plan: Plan): Promise<void> {
    const txn = this.#begin("serializable");
    const appends = new Map(plan.map((step) => [step, step.kind === "append" ? this.#lists.token() : ""]));
    for (const [{ kind, key }, token] of appends) if (kind === "append") txn.steps.push({ kind, key, token });
    let isSent = false;
    const outcome = await this.#machine.run(async (env) => {
      const client = this.#connect(env);
      const queued = [["MULTI"], ...plan.map((step) => commandOf(step, appends.get(step) ?? ""))];
      let isQueued = true;
      for (const tokens of queued) isQueued = (await client.request(tokens)).kind === "reply" && isQueued;
      if (isQueued) {
        isSent = true;
        txn.outcome = "unknown";
        const answer = await client.request(["EXEC"]);
        txn.returnedUs = this.#lists.world.nowUs;
        if (answer.kind === "error" || answer.kind === "not-sent") txn.outcome = "aborted";
        else if (answer.kind === "reply") this.#executed(txn, plan, [...appends.values()], answer.reply);
      }
      client.close();
    });
    if (outcome.kind === "failed") throw outcome.error;
    if (!isSent) await this.#lists.world.sleep(20);
  }

  /** What EXEC says of each step. */
  // oxlint-disable-next-line max-params
  #executed(txn: Running, plan: Plan, tokens: readonly string[], reply: Reply): void {
    const { world } = this.#lists;
    const items = reply.kind === "array" ? reply.items : [];
    if (items.length !== plan.length) world.fail("replies", `EXEC of ${plan.length} commands replies ${reply.kind}`);
    txn.outcome = "committed";
    txn.steps.length = 0;
    for (const [at, { kind, key }] of plan.entries()) {
      const item = items[at];
      if (kind === "append") txn.steps.push({ kind, key, token: tokens[at] ?? "" });
      else if (item?.kind === "null") txn.steps.push({ kind, key, list: [] });
      else if (item?.kind === "bulk") txn.steps.push({ kind, key, list: listOf(textOf(item.bytes)) });
      else world.fail("replies", `GET in EXEC replies ${item?.kind}`);
    }
  }

  #connect(env: Env): RedisClient {
    const address = { host: this.#gateway.machine.name, port: this.#port };
    return new RedisClient(env, address, { connectMs: 5_000, replyMs: 30_000 });
  }

  #begin(level: IsolationLevel): Running {
    const { txns, world } = this.#lists;
    const name = `${this.name}/${txns.length}`;
    const txn: Running = { name, level, calledUs: world.nowUs, returnedUs: Infinity, outcome: "aborted", steps: [] };
    txns.push(txn);
    return txn;
  }
}

function commandOf({ kind, key }: Plan[number], token: string): string[] {
  return kind === "append" ? ["APPEND", key, `${token}.`] : ["GET", key];
}

function listOf(text: string): string[] {
  return text.split(".").slice(0, -1);
}
