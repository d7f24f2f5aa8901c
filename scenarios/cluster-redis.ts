import type { Env } from "../core/env/env.ts";
import { RedisClient } from "../net/redis/client.ts";
import type { Dice } from "../sim/dice.ts";
import type { Machine } from "../sim/machine.ts";
import type { World } from "../sim/world.ts";
import { redisPort } from "./cluster-plan.ts";
import { type GatewayHistory, Lane, type Sent } from "./gateway-history.ts";
import type { GatewayCommands } from "./gateway-requests.ts";
import { settle } from "./gateway-user.ts";
import { pause } from "./recording-clock.ts";

export interface RedisStage {
  readonly world: World;
  readonly history: GatewayHistory;
  readonly gateways: number;
  readonly gapMsMax: number;
  readonly replyMs: number;
  /** Nothing new is begun. */
  over: boolean;
}

/** A Redis client of a gateway before the cluster, which asks for one thing at a time. */
export class ClusterRedisUser {
  readonly #stage: RedisStage;
  readonly #machine: Machine;
  readonly #dice: Dice;
  readonly #commands: GatewayCommands;
  readonly #outstanding = new Set<Sent>();
  #requestsLeft: number;

  // oxlint-disable-next-line max-params
  constructor(stage: RedisStage, index: number, commands: GatewayCommands, requests: number) {
    this.#stage = stage;
    this.#machine = stage.world.machine(`client-${index}`);
    stage.world.network.speaksPlain(this.#machine.name);
    this.#dice = stage.world.dice("redis", index);
    this.#commands = commands;
    this.#requestsLeft = requests;
  }

  async run(): Promise<void> {
    const { world, history } = this.#stage;
    while (!this.#stage.over && this.#requestsLeft > 0) {
      const outcome = await this.#machine.run((env) => this.#connectAndWork(env));
      if (outcome.kind === "failed") throw outcome.error;
      for (const sent of this.#outstanding) history.lost(sent);
      this.#outstanding.clear();
      await world.sleep(this.#dice.skewed(1, 500));
    }
  }

  /** One request that is answered; false: not this time. */
  async probe(tokens: readonly string[]): Promise<boolean> {
    let isAnswered = false;
    await this.#machine.run(async (env) => {
      const client = this.#connect(env);
      isAnswered = (await client.request(tokens)).kind === "reply";
      client.close();
    });
    return isAnswered;
  }

  async #connectAndWork(env: Env): Promise<void> {
    const { gapMsMax } = this.#stage;
    const client = this.#connect(env);
    const lane = new Lane(0);
    while (!this.#stage.over && this.#requestsLeft > 0 && !client.closed) {
      this.#requestsLeft--;
      const request = this.#commands.next();
      const sent = this.#stage.history.begin(request, lane);
      this.#outstanding.add(sent);
      const outcome = await client.request(request.tokens);
      this.#outstanding.delete(sent);
      settle(this.#stage, sent, outcome);
      await pause(env, this.#dice.skewed(1, Math.ceil(gapMsMax) + 1) * 1_000);
    }
    client.close();
  }

  #connect(env: Env): RedisClient {
    const { gateways, replyMs } = this.#stage;
    const host = `gateway-${this.#dice.between(1, gateways)}`;
    return new RedisClient(env, { host, port: redisPort }, { connectMs: replyMs, replyMs });
  }
}
