import type { Env } from "../core/env/env.ts";
import type { Address } from "../core/env/network.ts";
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
import { valueOf } from "./gateway-requests.ts";
import { pause } from "./recording-clock.ts";

/** Errors by which a server says that a mutation could not apply to the present value. */
const valueErrors = /not an integer|would overflow/;
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
  /** Nobody begins anything new. */
  stopped: boolean;
}

/** One client program: connects, works, and connects again, until it has done its share. */
export class GatewayUser {
  readonly #stage: GatewayStage;
  readonly #machine: Machine;
  readonly #dice: Dice;
  readonly #commands: GatewayCommands;
  readonly #lifetimes: LifetimeProbe;
  readonly #outstanding = new Set<Sent>();
  readonly #slownessUs: number;
  readonly #depthMax: number;
  #requestsLeft: number;

  constructor(
    stage: GatewayStage,
    machine: Machine,
    work: {
      readonly commands: GatewayCommands;
      readonly lifetimes: LifetimeProbe;
      readonly requests: number;
    },
  ) {
    this.#stage = stage;
    this.#machine = machine;
    this.#dice = stage.world.dice(`user/${machine.name}`);
    this.#commands = work.commands;
    this.#lifetimes = work.lifetimes;
    this.#requestsLeft = work.requests;
    this.#slownessUs = this.#dice.pick([200, 5_000, 200_000, 1_500_000]);
    this.#depthMax = this.#dice.pick([1, 1, 3, 8]);
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
    return this.#stage.stopped || this.#requestsLeft <= 0;
  }

  async #connectAndWork(env: Env): Promise<void> {
    const dice = this.#dice;
    const client = new RedisClient(env, this.#stage.address, {
      protocol: dice.pick([2, 3] as const),
      connectMs: dice.skewed(50, 5_000),
      replyMs: dice.skewed(100, 30_000),
    });
    const hello = await client.request(["PING"]);
    if (hello.kind === "reply") {
      // Whoever accepted this connection was no later incarnation than the present one.
      const lane = new Lane(this.#stage.server.incarnation);
      while (!this.#finished && !client.closed) {
        await this.#work(env, client, lane);
        if (dice.chance(1, 30)) break;
      }
    }
    client.close();
    await pause(env, dice.skewed(100, 500_000));
  }

  async #work(env: Env, client: RedisClient, lane: Lane): Promise<void> {
    const dice = this.#dice;
    const choice = dice.below(20);
    if (choice < 2) {
      this.#requestsLeft--;
      await this.#lifetimes.step((tokens) => client.request(tokens));
    } else if (choice < 3) {
      this.#requestsLeft--;
      await this.#scan(client);
    } else {
      const burst: Promise<void>[] = [];
      for (let i = dice.between(1, this.#depthMax); i > 0; i--) {
        this.#requestsLeft--;
        burst.push(this.#ask(client, lane, this.#commands.next()));
      }
      await Promise.all(burst);
    }
    await pause(env, dice.skewed(1, this.#slownessUs));
  }

  #ask(client: RedisClient, lane: Lane, request: GatewayRequest): Promise<void> {
    const sent = this.#stage.history.begin(request, lane);
    this.#outstanding.add(sent);
    return new Promise((resolve) => {
      client.send(request.tokens, (outcome) => {
        this.#outstanding.delete(sent);
        settle(this.#stage, sent, outcome);
        resolve();
      });
    });
  }

  /** From the first page to the last on one connection, or not at all. */
  async #scan(client: RedisClient): Promise<void> {
    const pass: string[] = [];
    let cursor = "0";
    for (let page = 0; page < pagesMax; page++) {
      const outcome = await client.request(["SCAN", cursor, "COUNT", String(this.#dice.between(1, 12))]);
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

/** Enters the outcome of a request into the history. */
export function settle(stage: GatewayStage, sent: Sent, outcome: RequestOutcome): void {
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
