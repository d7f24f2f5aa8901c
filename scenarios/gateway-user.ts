import type { Env } from "../core/env/env.ts";
import type { Address } from "../core/env/network.ts";
import type { Reply } from "../net/redis/reply.ts";
import type { RequestOutcome } from "../net/redis/client.ts";
import { RedisClient } from "../net/redis/client.ts";
import type { KeyOperation } from "../sim/checkers/key-model.ts";
import { judgeScanPass } from "../sim/checkers/scan-ledger.ts";
import type { Dice } from "../sim/dice.ts";
import type { Machine } from "../sim/machine.ts";
import type { World } from "../sim/world.ts";
import type { GatewayHistory, Sent } from "./gateway-history.ts";
import { Lane } from "./gateway-history.ts";
import type { LifetimeProbe } from "./gateway-lifetimes.ts";
import type { GatewayCommands, GatewayRequest } from "./gateway-requests.ts";
import { get, valueOf } from "./gateway-requests.ts";
import type { GatewayTransaction, GatewayTransactions, Watched } from "./gateway-transactions.ts";
import { pause } from "./recording-clock.ts";

/** Errors by which a server says that a mutation could not apply to the present value. */
const valueErrors = /not an integer|would overflow/;
/** And that it did not understand what it was asked; nobody here asks anything odd. */
const misunderstandings = /Protocol error|unknown command|syntax error|wrong number of arguments/;
/** So many replies of such a length are more than a network takes at once; a wide link needs seconds. */
const floodEchoes = 4;
const floodEchoBytes = 24_000;
const wideWindowBytes = 16_384;
/** Where nothing is wrong, a server replies within this. */
const calmReplyMs = 60_000;
/** A link so quick brings a few replies long before a server hangs up on a client that said goodbye. */
const quickLatencyUs = 2_000;
/** Pages of one SCAN, at most. */
const pagesMax = 200;

/** What all users of one gateway share. */
export interface GatewayStage {
  readonly world: World;
  readonly server: Machine;
  readonly address: Address;
  readonly history: GatewayHistory;
  /** Keys that were there before the first user came, and stay. */
  readonly always: readonly string[];
  /** Every key anybody ever tried to write. */
  readonly everWritten: ReadonlySet<string>;
  /** A goodbye leaves time for the last replies, as the options of the server say. */
  readonly lingers: boolean;
  /** Beyond, nobody begins anything new: it could not be judged. */
  readonly unknownMax: number;
  /** How often the server was asked to end: what is under way then may be lost. */
  stops: number;
  /** Nobody begins anything new. */
  stopped: boolean;
}

/** One connection. */
interface Line {
  readonly client: RedisClient;
  readonly lane: Lane;
  /** `stops` of the stage before it was opened. */
  readonly stops: number;
  /** Nothing explains a lost reply but the end of the server. */
  readonly calm: boolean;
}

/** One client program: connects, works, and connects again, until it has done its share. */
export class GatewayUser {
  readonly #stage: GatewayStage;
  readonly #machine: Machine;
  readonly #dice: Dice;
  readonly #commands: GatewayCommands;
  readonly #transactions: GatewayTransactions;
  readonly #lifetimes: LifetimeProbe | null;
  readonly #outstanding = new Set<Sent>();
  readonly #slownessUs: number;
  readonly #depthMax: number;
  readonly #floods: boolean;
  #requestsLeft: number;

  constructor(
    stage: GatewayStage,
    machine: Machine,
    work: {
      readonly commands: GatewayCommands;
      readonly transactions: GatewayTransactions;
      readonly lifetimes: LifetimeProbe | null;
      readonly requests: number;
    },
  ) {
    this.#stage = stage;
    this.#machine = machine;
    this.#dice = stage.world.dice(`user/${machine.name}`);
    this.#commands = work.commands;
    this.#transactions = work.transactions;
    this.#lifetimes = work.lifetimes;
    this.#requestsLeft = work.requests;
    this.#slownessUs = this.#dice.pick([200, 5_000, 200_000, 1_500_000]);
    this.#depthMax = this.#dice.pick([1, 1, 3, 8]);
    const { windowBytes } = stage.world.options.network.faults;
    this.#floods = windowBytes >= wideWindowBytes && this.#dice.chance(1, 2);
  }

  /** Until its work is done or the stage is closed, whatever happens to its machine. */
  async run(): Promise<void> {
    while (!this.#finished) {
      const outcome = await this.#machine.run((env) => this.#connectAndWork(env));
      if (outcome.kind === "failed") throw outcome.error;
      if (outcome.kind === "crashed") {
        for (const sent of this.#outstanding) this.#stage.history.lost(sent);
        this.#outstanding.clear();
        await this.#stage.world.sleep(this.#dice.skewed(1, 1_000));
      }
    }
  }

  get #finished(): boolean {
    const { stopped, history, unknownMax } = this.#stage;
    return stopped || this.#requestsLeft <= 0 || history.unknownCount > unknownMax;
  }

  async #connectAndWork(env: Env): Promise<void> {
    const dice = this.#dice;
    const { stops, world } = this.#stage;
    const calm = world.options.faultFree;
    const replyMs = dice.skewed(100, 30_000);
    const client = new RedisClient(env, this.#stage.address, {
      protocol: dice.pick([2, 3] as const),
      connectMs: dice.skewed(50, 5_000),
      replyMs: calm ? calmReplyMs : replyMs,
    });
    const hello = await client.request(["PING"]);
    if (hello.kind === "reply") {
      // Whoever accepted this connection was no later incarnation than the present one.
      const lane = new Lane(this.#stage.server.incarnation);
      const line = { client, lane, stops, calm };
      while (!this.#finished && !client.closed) {
        await this.#work(env, line);
        if (dice.chance(1, 30)) break;
      }
      if (!client.closed && dice.chance(1, 2)) await this.#quit(line);
    }
    client.close();
    await pause(env, dice.skewed(100, 500_000));
  }

  async #work(env: Env, line: Line): Promise<void> {
    const dice = this.#dice;
    const choice = dice.below(20);
    if (choice < 2 && this.#lifetimes !== null) {
      this.#requestsLeft--;
      await this.#lifetimes.step((tokens) => this.#request(line, tokens));
    } else if (choice < 3) {
      this.#requestsLeft--;
      await this.#scan(line);
    } else if (choice < 7) {
      this.#requestsLeft--;
      await this.#transact(env, line);
    } else {
      const burst = this.#burst(line);
      if (this.#floods && dice.chance(1, 10)) burst.push(...this.#flood(line));
      await Promise.all(burst);
    }
    await pause(env, dice.skewed(1, this.#slownessUs));
  }

  /** Some requests at once, among them such as are answered without asking the store. */
  #burst(line: Line): Promise<void>[] {
    const dice = this.#dice;
    const burst: Promise<void>[] = [];
    for (let i = dice.between(1, this.#depthMax); i > 0; i--) {
      this.#requestsLeft--;
      burst.push(this.#ask(line, this.#commands.next()));
      if (dice.chance(1, 8)) burst.push(this.#echo(line, `echo-${this.#requestsLeft}`));
    }
    return burst;
  }

  /** More than a connection holds: the server has to wait for its client, and go on afterwards. */
  #flood(line: Line): Promise<void>[] {
    const digits = Array.from({ length: floodEchoes }, (_, i) => String(i));
    return digits.map((digit) => this.#echo(line, digit.repeat(floodEchoBytes)));
  }

  /** The last requests, and a goodbye behind them: it must not cost them their replies. */
  async #quit(line: Line): Promise<void> {
    const { lingers, world } = this.#stage;
    const quick = world.options.network.faults.latencyUsMax <= quickLatencyUs;
    const last = { ...line, calm: line.calm && lingers && quick };
    await Promise.all([...this.#burst(last), this.#request(last, ["QUIT"])]);
  }

  async #echo(line: Line, text: string): Promise<void> {
    const outcome = await this.#request(line, ["ECHO", text]);
    if (outcome.kind === "reply" && valueOf(outcome.reply) !== text) {
      this.#stage.world.fail("replies", `${nameOf(["ECHO", text])}: another reply`);
    }
  }

  #ask(line: Line, request: GatewayRequest): Promise<void> {
    const sent = this.#stage.history.begin(request, line.lane);
    this.#outstanding.add(sent);
    return new Promise((resolve) => {
      line.client.send(request.tokens, (outcome) => {
        this.#outstanding.delete(sent);
        this.#judge(line, request.tokens, outcome);
        settle(this.#stage, sent, outcome);
        resolve();
      });
    });
  }

  async #request(line: Line, tokens: readonly string[]): Promise<RequestOutcome> {
    const outcome = await line.client.request(tokens);
    this.#judge(line, tokens, outcome);
    return outcome;
  }

  /** A sound request is understood, and answered as long as nothing is wrong. */
  #judge({ calm, stops }: Line, tokens: readonly string[], outcome: RequestOutcome): void {
    const { world, stops: stopsNow } = this.#stage;
    if (outcome.kind === "error" && misunderstandings.test(outcome.message)) {
      world.fail("replies", `${nameOf(tokens)}: ${outcome.message}`);
    }
    if (outcome.kind === "undetermined" && calm && stops === stopsNow) {
      world.fail("liveness", `${nameOf(tokens)}: no reply although nothing is wrong: ${outcome.reason}`);
    }
  }

  /** MULTI to EXEC in one go, often with a key watched before; or up to DISCARD; or with a request that is none. */
  async #transact(env: Env, line: Line): Promise<void> {
    const dice = this.#dice;
    const watched = dice.chance(1, 2) ? await this.#watch(line) : null;
    if (watched === undefined) {
      // It may be watched all the same.
      await this.#request(line, ["UNWATCH"]);
      return;
    }
    if (watched !== null && dice.chance(1, 2)) await pause(env, dice.skewed(1, this.#slownessUs));
    const transaction = this.#transactions.next(watched);
    const queued: Promise<RequestOutcome>[] = [this.#request(line, ["MULTI"])];
    for (const tokens of transaction.queued) queued.push(this.#request(line, tokens));
    const ending = dice.below(10);
    if (ending === 0) queued.push(line.client.request(["GET"]));
    const ended = this.#endTransaction(line, transaction, { abort: ending === 0, discard: ending === 1, watched });
    const outcomes = await Promise.all(queued);
    for (const outcome of outcomes.slice(1, transaction.queued.length + 1)) {
      const isQueued = outcome.kind !== "reply" || textOfSimple(outcome.reply) === "QUEUED";
      if (!isQueued) this.#stage.world.fail("replies", "a command after MULTI is not queued");
    }
    await ended;
  }

  /** The value under watch; undefined: nobody knows. */
  async #watch(line: Line): Promise<Watched | null | undefined> {
    const key = this.#transactions.watchable();
    const watching = this.#request(line, ["WATCH", key]);
    let value: string | null | undefined;
    const read = get(key);
    const [part] = read.parts;
    const spy: GatewayRequest = {
      tokens: read.tokens,
      parts: part === undefined ? [] : [{ ...part, known: (reply) => ((value = valueOf(reply)), part.known(reply)) }],
    };
    await Promise.all([watching, this.#ask(line, spy)]);
    return (await watching).kind === "reply" && value !== undefined ? { key, value } : undefined;
  }

  #endTransaction(
    line: Line,
    { request }: GatewayTransaction,
    how: { readonly abort: boolean; readonly discard: boolean; readonly watched: Watched | null },
  ): Promise<void> {
    const { history, world } = this.#stage;
    const sent = history.begin(request, line.lane);
    this.#outstanding.add(sent);
    const tokens = how.discard ? ["DISCARD"] : request.tokens;
    return new Promise((resolve) => {
      line.client.send(tokens, (outcome) => {
        this.#outstanding.delete(sent);
        this.#judge(line, tokens, outcome);
        const isNil = outcome.kind === "reply" && outcome.reply.kind === "null";
        if (isNil && how.watched === null) world.fail("replies", "EXEC replies nil though nothing was watched");
        if (how.abort && outcome.kind === "reply") world.fail("replies", "EXEC runs what was refused while queued");
        // It has not happened, whether or not the reply comes.
        if (how.discard || how.abort || isNil) history.refused(sent);
        else settle(this.#stage, sent, outcome);
        resolve();
      });
    });
  }

  /** From the first page to the last on one connection, or not at all. */
  async #scan(line: Line): Promise<void> {
    const pass: string[] = [];
    let cursor = "0";
    for (let page = 0; page < pagesMax; page++) {
      const count = String(this.#dice.between(1, 12));
      const outcome = await this.#request(line, ["SCAN", cursor, "COUNT", count]);
      if (outcome.kind !== "reply" || outcome.reply.kind !== "array") return;
      const [next, keys] = outcome.reply.items;
      if (keys?.kind !== "array") return this.#stage.world.fail("replies", "SCAN replies no page");
      for (const key of keys.items) pass.push(valueOf(key) ?? "");
      cursor = valueOf(next) ?? "";
      if (cursor === "0") break;
    }
    if (cursor !== "0") return;
    const problem = judgeScanPass(pass, this.#stage.always, this.#stage.everWritten);
    if (problem !== null) this.#stage.world.fail("scan", problem);
  }
}

function textOfSimple(reply: Reply): string {
  return reply.kind === "simple" ? reply.text : "";
}

/** A request as a failure shows it. */
function nameOf(tokens: readonly string[]): string {
  const text = tokens.join(" ");
  return text.length <= 60 ? text : `${text.slice(0, 60)}…`;
}

/** Enters the outcome of a request into the history. */
export function settle(stage: Pick<GatewayStage, "history" | "world">, sent: Sent, outcome: RequestOutcome): void {
  const { history, world } = stage;
  if (outcome.kind === "undetermined") {
    history.lost(sent);
  } else if (outcome.kind === "not-sent") {
    history.refused(sent);
  } else if (outcome.kind === "error" && !valueErrors.test(outcome.message)) {
    history.refused(sent);
  } else {
    const reply =
      outcome.kind === "reply" ? outcome.reply : ({ kind: "error", text: outcome.message } as const);
    const outcomes: KeyOperation[] = [];
    for (const part of sent.request.parts) {
      const operation = part.known(reply);
      if (typeof operation !== "string") outcomes.push(operation);
      else world.fail("replies", `${sent.request.tokens.join(" ")}: ${operation}`);
    }
    history.replied(sent, outcomes);
  }
}
