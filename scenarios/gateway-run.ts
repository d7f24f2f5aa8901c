import type { Env } from "../core/env/env.ts";
import { NokvError } from "../core/errors.ts";
import { RedisClient } from "../net/redis/client.ts";
import type { GatewayOptions } from "../net/redis/options.ts";
import { gatewayOptionExtremes, gatewayOptionsDefault } from "../net/redis/options.ts";
import { ClockReadings } from "../sim/checkers/lifetime.ts";
import type { Dice } from "../sim/dice.ts";
import type { Machine } from "../sim/machine.ts";
import type { World } from "../sim/world.ts";
import { GatewayHistory, Lane } from "./gateway-history.ts";
import { LifetimeProbe } from "./gateway-lifetimes.ts";
import type { GatewayKeys, GatewayRequest } from "./gateway-requests.ts";
import { GatewayCommands, countOf, get, getTwins, keysOf, put, twins, valueOf } from "./gateway-requests.ts";
import type { GatewayStage } from "./gateway-user.ts";
import { GatewayTransactions } from "./gateway-transactions.ts";
import { GatewayUser, settle } from "./gateway-user.ts";
import { pause } from "./recording-clock.ts";

export const gatewayPort = 6379;
/** Faults last at most so long, in virtual time. */
const faultsMsMax = 120_000;
/** And then users get so long to finish. */
const finishMsMax = 60_000;
/** Without faults, the server answers within this. */
const recoveryMsMax = 120_000;
const attemptMs = 200;

/** One process that serves clients. */
export interface ServingNode {
  close(): Promise<void>;
}

/** What is behind the gateway. */
export interface GatewayBackend {
  /** For the story. */
  readonly plan: string;
  /** What a process that ended had begun is done within this, or never. */
  readonly graceMs: number;
  /** Beyond so many requests of unknown outcome, an order of all takes too long to find. */
  readonly unknownMax: number;
  /** Lifetimes can be judged by the clock of the server's machine. */
  readonly judgesLifetimes: boolean;
  /** Of the server's process: the processes beside it. */
  readonly others: readonly Machine[];
  open(env: Env, config: { readonly gateway: Partial<GatewayOptions>; onFatal(error: NokvError): void }): Promise<
    ServingNode
  >;
  /** Faults begin, and end. */
  begin(): void;
  end(): void;
}

export type MakeBackend = (world: World, plan: Dice, readings: ClockReadings) => GatewayBackend;

/** Clients of one gateway, whatever keeps its data, and everything they are told. */
export class GatewayRun {
  readonly #world: World;
  readonly #node: Machine;
  readonly #dice: Dice;
  readonly #keys: GatewayKeys;
  readonly #history: GatewayHistory;
  readonly #stage: GatewayStage;
  readonly #everWritten = new Set<string>();
  readonly #readings = new ClockReadings();
  readonly #users: GatewayUser[] = [];
  /** Machines of users that meet faults of their own, besides those of the links to the server. */
  readonly #exposed: Machine[] = [];
  readonly #backend: GatewayBackend;
  readonly #gateway: Partial<GatewayOptions>;
  #values = 0;
  /** Ends the present process in order; null while none serves. */
  #stopServing: (() => void) | null = null;
  #closing = false;
  /** Damage at rest was found and the directory refused. */
  #refused = false;

  constructor(world: World, makeBackend: MakeBackend) {
    this.#world = world;
    this.#node = world.machine("node");
    this.#dice = world.dice("node");
    const plan = world.dice("plan");
    this.#keys = {
      plain: numbered("plain", plan.between(1, 3)),
      mixed: numbered("mixed", plan.between(1, 3)),
      counters: numbered("counter", plan.between(1, 2)),
    };
    const always = numbered("stable", plan.between(1, 12));
    for (const key of [...this.#allKeys(), ...always]) {
      for (const name of keysOf(key)) this.#everWritten.add(name);
    }
    this.#backend = makeBackend(world, plan, this.#readings);
    this.#history = new GatewayHistory(world, this.#keys, this.#backend.graceMs);
    const tunables = world.tunables("gateway", gatewayOptionsDefault, gatewayOptionExtremes);
    this.#gateway = { ...tunables, protectedMode: false };
    this.#stage = {
      world,
      server: this.#node,
      address: { host: this.#node.name, port: gatewayPort },
      history: this.#history,
      always,
      everWritten: this.#everWritten,
      lingers: tunables.lingerMs === undefined || tunables.lingerMs >= gatewayOptionsDefault.lingerMs,
      unknownMax: this.#backend.unknownMax,
      stops: 0,
      stopped: false,
    };
    this.#hire(plan);
    world.story(`${this.#users.length} users; ${this.#backend.plan} ${JSON.stringify(tunables)}`);
  }

  async run(): Promise<void> {
    const world = this.#world;
    const serving = this.#keepServing();
    await this.#prepare();
    world.startFaults(this.#node, ...this.#backend.others, ...this.#exposed);
    this.#backend.begin();
    const working = Promise.all(this.#users.map((user) => user.run()));
    await this.#orTimeout(working, faultsMsMax);
    world.stopFaults();
    this.#backend.end();
    await this.#orTimeout(working, finishMsMax);
    this.#stage.stopped = true;
    await working;
    // What nobody was told of may still come, and must not come between two looks.
    if (this.#backend.graceMs > 0) await this.#world.sleep(this.#backend.graceMs);
    if (!this.#refused) await this.#readEverything();
    if (!this.#refused && this.#dice.chance(1, 4)) await this.#clearEverything();
    world.story(this.#history.summary());
    this.#closing = true;
    this.#stopServing?.();
    await serving;
    this.#history.judge();
  }

  #allKeys(): readonly string[] {
    return [...this.#keys.plain, ...this.#keys.mixed, ...this.#keys.counters, twins];
  }

  #hire(plan: Dice): void {
    const count = plan.between(2, 5);
    const requests = plan.between(12, 60);
    const nextValue = (): string => `v${++this.#values}.`;
    for (let i = 1; i <= count; i++) {
      const machine = this.#world.machine(`user-${i}`);
      const written = (key: string): void => void this.#everWritten.add(key);
      const commands = new GatewayCommands(this.#world.dice("commands", i), this.#keys, nextValue);
      const dice = this.#world.dice("transactions", i);
      const user = new GatewayUser(this.#stage, machine, {
        commands,
        transactions: new GatewayTransactions(dice, commands, this.#keys, nextValue),
        lifetimes: this.#backend.judgesLifetimes
          ? new LifetimeProbe(this.#world, this.#readings, `life-${i}`, written)
          : null,
        requests,
      });
      this.#users.push(user);
      if (plan.chance(1, 4)) this.#exposed.push(machine);
    }
  }

  async #orTimeout(work: Promise<unknown>, ms: number): Promise<void> {
    let finished = false;
    const noted = work.then(() => {
      finished = true;
    });
    const deadlineUs = this.#world.nowUs + ms * 1_000;
    while (!finished && this.#world.nowUs < deadlineUs && !this.#refused) {
      await Promise.race([noted, this.#world.sleep(attemptMs)]);
    }
  }

  /** The supervisor: one process after the other, until the run ends. */
  async #keepServing(): Promise<void> {
    while (!this.#closing && !this.#refused) {
      const outcome = await this.#node.run((env) => this.#serve(env));
      this.#stopServing = null;
      if (outcome.kind === "failed") this.#openFailed(outcome.error);
      // A process that comes to its end, in order or not, exits.
      this.#node.crash("process");
      this.#history.ended(this.#node.incarnation);
      if (!this.#closing) await this.#world.sleep(this.#dice.skewed(1, 3_000));
    }
  }

  async #serve(env: Env): Promise<void> {
    let isFatal = false;
    const ended = new Promise<void>((resolve) => {
      this.#stopServing = () => {
        this.#stage.stops++;
        resolve();
      };
    });
    const node = await this.#backend.open(env, {
      gateway: this.#gateway,
      onFatal: (error) => {
        isFatal = true;
        this.#world.story(`fatal: ${error.code} ${error.message}`);
        this.#stopServing?.();
      },
    });
    if (this.#dice.chance(1, 4)) {
      env.clock.after(this.#dice.skewed(1_000, 20_000_000), () => this.#stopServing?.());
    }
    await ended;
    if (isFatal && this.#dice.chance(1, 2)) return;
    try {
      await node.close();
    } catch (error) {
      if (!(error instanceof NokvError)) throw error;
      this.#explain("close", error);
    }
    const { openFiles } = this.#node.disk;
    if (openFiles > 0) this.#world.fail("leaks", `${openFiles} files are open after close`);
  }

  #openFailed(error: unknown): void {
    if (!(error instanceof NokvError)) throw error;
    this.#world.story(`the server does not start: ${error.code} ${error.message}`);
    if (error.code === "NOKV_CORRUPTION" && this.#world.options.atRestCorruption) {
      this.#refused = true;
      return;
    }
    this.#explain("open", error);
  }

  #explain(what: string, error: NokvError): void {
    const explained = ["NOKV_IO", "NOKV_NO_SPACE", "NOKV_UNDETERMINED"].includes(error.code);
    if (this.#world.options.faultFree || !explained) {
      this.#world.fail("errors", `${what}: ${error.code} ${error.message}`);
    }
  }

  /** The keys that every SCAN must show, before anything can go wrong. */
  async #prepare(): Promise<void> {
    await this.#asUser(async (_, client) => {
      for (const key of this.#stage.always) {
        const outcome = await client.request(["SET", key, "stable"]);
        if (outcome.kind !== "reply") return false;
      }
      return true;
    });
  }

  /** Without faults: the server comes up, takes a write, and every key has its last word. */
  async #readEverything(): Promise<void> {
    await this.#asUser(async (lane, client) => {
      const ask = (request: GatewayRequest): Promise<string | null | undefined> => {
        return this.#askFor(lane, client, request);
      };
      for (const key of [...this.#keys.plain, ...this.#keys.mixed]) {
        if ((await ask(get(key))) === undefined) return false;
      }
      for (const key of this.#keys.counters) {
        const final = await ask(get(key));
        if (final === undefined) return false;
        this.#history.judgeCounter(key, final);
      }
      if ((await ask(getTwins())) === undefined) return false;
      const [first] = this.#keys.plain;
      if ((await ask(put(first ?? "", `v${++this.#values}.`, "always"))) === undefined) return false;
      return this.#countKeys(client);
    });
  }

  /** Deadlines may still pass between the two counts, and only make the second smaller. */
  async #countKeys(client: RedisClient): Promise<boolean> {
    const keys = await client.request(["KEYS", "*"]);
    const size = await client.request(["DBSIZE"]);
    if (keys.kind !== "reply" || size.kind !== "reply" || keys.reply.kind !== "array") return false;
    const names = keys.reply.items.map((item) => valueOf(item) ?? "");
    const count = countOf(size.reply) ?? -1;
    const least = names.filter((name) => !name.startsWith("life-")).length;
    if (count < least || count > names.length) {
      this.#world.fail("scan", `DBSIZE ${count}, KEYS has ${names.length}, ${least} of them for ever`);
    }
    const missing = this.#stage.always.find((key) => !names.includes(key));
    if (missing !== undefined) this.#world.fail("scan", `KEYS misses ${missing}`);
    return true;
  }

  /** An acknowledged FLUSHALL removed every key at once and for good. */
  async #clearEverything(): Promise<void> {
    let cleared = false;
    await this.#asUser(async (_, client) => {
      cleared = (await client.request(["FLUSHALL"])).kind === "reply";
      return true;
    });
    if (!cleared) return;
    const { crash, faultFree } = this.#world.options;
    if (!faultFree) this.#node.crash(this.#dice.pick(crash.kinds));
    await this.#asUser(async (_, client) => {
      const keys = await client.request(["KEYS", "*"]);
      if (keys.kind !== "reply" || keys.reply.kind !== "array") return false;
      const [first] = keys.reply.items;
      if (first !== undefined) this.#world.fail("clear", `${String(valueOf(first))} is there after FLUSHALL`);
      return true;
    });
  }

  /** Undefined: no reply. */
  async #askFor(
    lane: Lane,
    client: RedisClient,
    request: GatewayRequest,
  ): Promise<string | null | undefined> {
    const sent = this.#history.begin(request, lane);
    const outcome = await client.request(request.tokens);
    settle(this.#stage, sent, outcome);
    if (outcome.kind !== "reply") return undefined;
    return valueOf(outcome.reply) ?? null;
  }

  /** Tries again, each time on a new connection, until `work` says that it is done. */
  async #asUser(work: (lane: Lane, client: RedisClient) => Promise<boolean>): Promise<void> {
    const deadlineUs = this.#world.nowUs + recoveryMsMax * 1_000;
    const outcome = await this.#world.machine("reader").run(async (env) => {
      for (;;) {
        if (this.#refused) return;
        const client = new RedisClient(env, this.#stage.address, { connectMs: 5_000, replyMs: 20_000 });
        const hello = await client.request(["PING"]);
        const lane = new Lane(this.#node.incarnation);
        const done = hello.kind === "reply" && (await work(lane, client));
        client.close();
        if (done) return;
        if (this.#world.nowUs > deadlineUs) {
          if (this.#world.options.atRestCorruption) return;
          this.#world.fail("liveness", "the server does not answer although nothing is wrong any more");
        }
        await pause(env, 50_000);
      }
    });
    if (outcome.kind === "failed") throw outcome.error;
  }
}

function numbered(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}:${index + 1}`);
}
