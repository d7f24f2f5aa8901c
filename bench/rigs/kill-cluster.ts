import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openHostEnv } from "../../host/env.ts";
import { RedisClient } from "../../net/redis/client.ts";
import type { GatewayRequest } from "../../scenarios/gateway-requests.ts";
import { Xorshift } from "../xorshift.ts";
import { coordinatorNames, freePorts, type MemberName, membersOf, PlaygroundProcess } from "./cluster-processes.ts";
import { Recoveries } from "./recoveries.ts";
import { type KeyHistory, Slots } from "./cluster-slots.ts";
import { sleep } from "../sleep.ts";

export interface ClusterKillOptions {
  /** Each kills one process, or several, or all of them. */
  readonly rounds: number;
  readonly clients: number;
  /** Of the playground: 1 or 3. */
  readonly coordinators: number;
  /** Only those die, of three the one that leads in three rounds of four. */
  readonly coordinatorsOnly: boolean;
  readonly seed: number;
  /** Acknowledged between two kills at least: the cluster has come through the one before. */
  readonly acknowledgedPerRound: number;
  /** A cluster that takes longer to get over a kill does not live. */
  readonly patienceMs: number;
  readonly parent: string;
  readonly report: (report: ClusterKillReport) => void;
}

export interface ClusterKillReport {
  readonly rounds: number;
  /** Processes killed. */
  readonly kills: number;
  readonly acknowledged: number;
  readonly refused: number;
  readonly undetermined: number;
  /** Longest time without an acknowledgement. */
  readonly outageMsMax: number;
  /** From each round's kill to the first acknowledged write that began after it. */
  readonly firstWriteMsMedian: number;
  readonly firstWriteMsMax: number;
  readonly histories: number;
  /** Of those, the ones that are over and have an order that explains them. */
  readonly judged: number;
}

export const clusterKillDefaults: ClusterKillOptions = {
  rounds: 100,
  clients: 6,
  coordinators: 1,
  coordinatorsOnly: false,
  seed: 1,
  acknowledgedPerRound: 150,
  patienceMs: 120_000,
  parent: tmpdir(),
  report: () => {},
};

/** In the three regions of a playground. */
const letters = ["a", "k", "z"];
/** Another rig may look for ports at the same time: each begins somewhere else. */
const firstPort = 20_000 + (process.pid % 300) * 100;
const retryMs = 20;

/**
 * Kills random processes of a playground under load, again and again, and judges all that clients were told, key by
 * key, by whether any order of the operations explains it. Throws on the first contradiction, on half of a write, and
 * on a cluster that does not come back.
 */
export async function clusterKillRounds(options: ClusterKillOptions): Promise<ClusterKillReport> {
  const workdir = mkdtempSync(join(options.parent, "nokv-kill-cluster-"));
  const port = await freePorts(firstPort);
  const playground = await PlaygroundProcess.start(join(workdir, "cluster"), port, options.coordinators);
  const run = new ClusterKillRun(options, playground);
  try {
    const report = await run.run();
    rmSync(workdir, { recursive: true, force: true });
    return report;
  } catch (error) {
    playground.abandon();
    const what = error instanceof Error ? error.message : String(error);
    throw new Error(`${what}\nseed ${options.seed}; everything is in ${workdir}`, { cause: error });
  }
}

class ClusterKillRun {
  readonly #options: ClusterKillOptions;
  readonly #playground: PlaygroundProcess;
  readonly #random: Xorshift;
  readonly #slots = new Slots(letters);
  readonly #recoveries = new Recoveries();
  #values = 0;
  #stopping = false;
  #rounds = 0;
  #kills = 0;
  #acknowledged = 0;
  #refused = 0;
  #undetermined = 0;
  #lastAckMs = performance.now();
  #outageMsMax = 0;
  #judged = 0;

  constructor(options: ClusterKillOptions, playground: PlaygroundProcess) {
    this.#options = options;
    this.#playground = playground;
    this.#random = new Xorshift(options.seed);
  }

  async run(): Promise<ClusterKillReport> {
    const { clients, rounds, report } = this.#options;
    const load = Promise.all(Array.from({ length: clients }, () => this.#client()));
    const killing = (async () => {
      while (this.#rounds < rounds) {
        await this.#round();
        report(this.#report());
      }
      await this.#progress();
      this.#stopping = true;
    })();
    // Whichever fails first.
    await Promise.all([load, killing]);
    await this.#readEverything();
    await this.#playground.stop();
    // Once more, with what is there in the end.
    this.#judged = 0;
    for (const history of this.#slots.all()) this.#judge(history);
    return this.#report();
  }

  #judge(history: KeyHistory): void {
    const wrong = history.judge();
    if (wrong !== null) throw new Error(wrong);
    this.#judged++;
  }

  #report(): ClusterKillReport {
    return {
      rounds: this.#rounds,
      kills: this.#kills,
      acknowledged: this.#acknowledged,
      refused: this.#refused,
      undetermined: this.#undetermined,
      outageMsMax: Math.round(this.#outageMsMax),
      firstWriteMsMedian: this.#recoveries.medianMs,
      firstWriteMsMax: this.#recoveries.maxMs,
      histories: this.#slots.all().length,
      judged: this.#judged,
    };
  }

  async #round(): Promise<void> {
    await this.#progress();
    await sleep(this.#random.below(1_000));
    const victims = this.#options.coordinatorsOnly ? await this.#coordinator() : this.#victims();
    for (const name of victims) if (this.#playground.kill(name)) this.#kills++;
    this.#recoveries.killed(performance.now());
    this.#rounds++;
    for (const history of this.#slots.overAndIdle()) this.#judge(history);
  }

  async #coordinator(): Promise<readonly MemberName[]> {
    if (this.#options.coordinators === 1) return ["coordinator"];
    const leader = this.#random.below(4) > 0 ? await this.#playground.leader() : null;
    return [leader ?? (coordinatorNames[this.#random.below(coordinatorNames.length)] as MemberName)];
  }

  #victims(): readonly MemberName[] {
    const members = membersOf(this.#options.coordinators);
    const choice = this.#random.below(100);
    if (choice < 5) return members;
    if (choice < 20) return ["store-1", "store-2", "store-3"].filter(() => this.#random.below(2) === 0) as MemberName[];
    return [members[this.#random.below(members.length)] as MemberName];
  }

  /** Resolves when enough was acknowledged since the call. */
  async #progress(): Promise<void> {
    const { acknowledgedPerRound, patienceMs } = this.#options;
    const goal = this.#acknowledged + acknowledgedPerRound;
    const startedMs = performance.now();
    while (this.#acknowledged < goal) {
      this.#playground.mustLive();
      if (performance.now() - startedMs > patienceMs) {
        const done = acknowledgedPerRound - (goal - this.#acknowledged);
        const printed = this.#playground.printed.split("\n").slice(-12).join("\n");
        throw new Error(`round ${this.#rounds}: only ${done} requests were served in ${patienceMs} ms:\n${printed}`);
      }
      await sleep(retryMs);
    }
  }

  /** One request after the other, over one connection after the other. */
  async #client(): Promise<void> {
    let client: RedisClient | null = null;
    while (!this.#stopping) {
      if (client === null || client.closed) {
        if (client !== null) await sleep(retryMs);
        client = this.#connect();
      }
      const history = this.#slots.pick(this.#random);
      const refused = await this.#ask(client, history, history.next(this.#random, `v${++this.#values}`));
      if (refused) await sleep(retryMs);
    }
    client?.close();
  }

  #connect(): RedisClient {
    return new RedisClient(openHostEnv({ failpoints: null }), { host: "127.0.0.1", port: this.#playground.port });
  }

  /** True: it did not happen. */
  async #ask(client: RedisClient, history: KeyHistory, request: GatewayRequest): Promise<boolean> {
    const [part] = request.parts;
    if (part === undefined) throw new Error("a request is about something");
    const calledUs = nowUs();
    history.begin();
    const outcome = await client.request(request.tokens);
    if (outcome.kind === "reply") {
      const known = part.known(outcome.reply);
      if (typeof known === "string") throw new Error(`${request.tokens.join(" ")}: ${known}`);
      history.replied(known, calledUs, nowUs());
      this.#acknowledge();
      if (request.tokens[0] !== "GET") this.#recoveries.wrote(calledUs / 1_000, performance.now());
      return false;
    }
    if (outcome.kind === "undetermined" || (outcome.kind === "error" && outcome.code === "UNDETERMINED")) {
      history.lost(part.unknown, calledUs);
      this.#undetermined++;
      return false;
    }
    if (outcome.kind === "error" && outcome.code !== "TRYAGAIN") {
      throw new Error(`${request.tokens.join(" ")} is answered with ${outcome.code} ${outcome.message}`);
    }
    history.refused();
    this.#refused++;
    return true;
  }

  #acknowledge(): void {
    const now = performance.now();
    this.#outageMsMax = Math.max(this.#outageMsMax, now - this.#lastAckMs);
    this.#lastAckMs = now;
    this.#acknowledged++;
  }

  /** What is there in the end is part of every key's history. */
  async #readEverything(): Promise<void> {
    const client = this.#connect();
    for (const history of this.#slots.all()) {
      while (await this.#ask(client, history, history.read())) await sleep(retryMs);
    }
    client.close();
  }
}

/** Microseconds of this process. */
function nowUs(): number {
  return Math.floor(performance.now() * 1_000);
}
