import type { Env } from "../core/env/env.ts";
import { versionMs } from "../core/lsm/drop-rules.ts";
import type { NumberRange } from "../coordinator/allocators.ts";
import type { Coordinator, Published } from "../coordinator/coordinator.ts";
import { CoordinatorError, type CoordinatorErrorCode } from "../coordinator/coordinator-error.ts";
import type { RootEvent } from "../coordinator/root-event.ts";
import type { RegionReport } from "../sim/checkers/region-history.ts";
import type { SequenceLedger } from "../sim/checkers/sequence.ts";
import type { Dice } from "../sim/dice.ts";
import { type CoordinatorTruth, eventsOf, nameOf, stores } from "./coordinator-truth.ts";
import { pause } from "./recording-clock.ts";

/** What a Coordinator whose disk fails may say. */
const unavailable: readonly CoordinatorErrorCode[] = [
  "TSO_UNAVAILABLE", "ID_UNAVAILABLE", "ROOT_UNAVAILABLE", "ROOT_UNDETERMINED", "ROUTE_UNAVAILABLE",
];
const clockLeadMs = 24 * 3_600_000;
/** An answer that does not come within this never comes: longer than any disk stalls or is full. */
const answerMsMax = 120_000;

type Ask<T> = (reply: (error: CoordinatorError | null, value: T | null) => void) => void;

/** Clients, stores and leaders of one life of a Coordinator. Every answer is judged when it comes. */
export class CoordinatorClients {
  readonly #env: Env;
  readonly #service: Coordinator;
  readonly #truth: CoordinatorTruth;
  readonly #dice: Dice;
  /** The journal failed: nobody goes on. */
  #broken = false;
  /** Nothing is wrong with the machine: every request is served. */
  mustSucceed = false;
  #configs = 0;
  /** Of the leaders that were acknowledged in this life, by region. */
  readonly #terms = new Map<number, number>();

  constructor(env: Env, service: Coordinator, truth: CoordinatorTruth, dice: Dice) {
    this.#env = env;
    this.#service = service;
    this.#truth = truth;
    this.#dice = dice;
  }

  async bootstrap(): Promise<void> {
    const first = this.#truth.history.reports[0];
    if (first === undefined || this.#service.state.stores.length === stores.length) return;
    const events: RootEvent[] = [{ kind: "ClusterBootstrapped", clusterId: 7, clusterVersion: 1 }];
    if (this.#service.state.regions.length === 0) events.push({ kind: "RegionBootstrap", region: first.region });
    for (const storeId of stores) {
      events.push({ kind: "StoreJoined", storeId, address: `s${storeId}:1`, labels: [] });
    }
    for (const event of events) {
      if (!this.#broken) await this.#publish(event);
    }
  }

  async run(steps: number): Promise<void> {
    for (let left = steps; left > 0 && !this.#broken; left--) {
      await this.#step();
      if (this.#dice.chance(1, 3)) await pause(this.#env, this.#dice.skewed(1, 4_000_000));
    }
  }

  async #step(): Promise<void> {
    const dice = this.#dice;
    const kind = dice.below(16);
    if (kind < 4) await this.timestamps(dice.chance(1, 8) ? dice.skewed(1, 65_536) : dice.between(1, 50));
    else if (kind < 6) await this.#allocateIds(dice.chance(1, 3) ? dice.skewed(1, 3_000) : dice.between(1, 20));
    else if (kind < 9) await this.#change();
    else if (kind < 12) await this.#report(dice.pick(this.#truth.history.reports.slice(-dice.skewed(1, 64))));
    else if (kind < 13) await this.#setConfig();
    else if (kind < 14) await this.#planAndCancel();
    else this.#route(Uint8Array.of(dice.below(256), dice.below(256)));
  }

  /** The first one; 0: none was given. */
  async timestamps(count: number): Promise<number> {
    const range = await this.#number((reply) => this.#service.timestamps(count, reply), this.#truth.timestamps, count);
    return range?.first ?? 0;
  }

  /** The code with which a timestamp is refused; "none": it is not. */
  refusedTimestamp(): Promise<string> {
    return new Promise((resolve) => {
      this.#service.timestamps(1, (error) => resolve(error?.code ?? "none"));
    });
  }

  async #allocateIds(count: number): Promise<void> {
    const range = await this.#number((reply) => this.#service.allocateIds(count, reply), this.#truth.ids, count);
    for (let i = 0; range !== null && i < range.count; i++) this.#truth.idPool.push(range.first + i);
  }

  async #number(ask: Ask<NumberRange>, ledger: SequenceLedger, count: number): Promise<NumberRange | null> {
    const { world } = this.#truth;
    const calledUs = this.#truth.tick();
    let wrong: string | null = null;
    const range = await this.#ask<NumberRange>((reply) => {
      ask((error, value) => {
        // Judged as it comes, before anybody else is told something.
        const returnedUs = this.#truth.tick();
        if (value !== null) wrong = ledger.give({ ...value, calledUs, returnedUs });
        reply(error, value);
      });
    });
    const oracle = ledger === this.#truth.timestamps ? "timestamps" : "ids";
    if (wrong !== null) world.fail(oracle, wrong);
    if (range !== null && range.count !== count) world.fail(oracle, `${count} were asked for, ${range.count} came`);
    return range;
  }

  /** Something changes in the stores; its leader says so before and after, or leaves it to heartbeats. */
  async #change(): Promise<void> {
    const truth = this.#truth;
    if (!truth.canChange) return;
    const change = truth.history.step();
    const events = change === null ? null : eventsOf(change);
    if (events === null) return;
    if (this.#dice.chance(2, 3)) {
      truth.owed.push(events.terminal);
      const planned = await this.#publish(events.planned);
      if (planned?.accepted === true) truth.acknowledgePlan(transitionOf(events.planned));
    }
    if (this.#dice.chance(1, 2)) await this.publishOwed();
  }

  /** Also of plans that nobody was told about: a crash came between. */
  async cancelGivenUp(): Promise<void> {
    for (const transitionId of this.#truth.givenUp) await this.#publish({ kind: "RegionSplitCancelled", transitionId });
  }

  async publishOwed(): Promise<void> {
    const { owed } = this.#truth;
    while (owed.length > 0 && !this.#broken) {
      const event = owed[0];
      if (event === undefined) return;
      for (let times = this.#dice.between(1, 2); times > 0; times--) {
        const published = await this.#publish(event);
        if (published === null) return;
        if (!published.accepted) {
          const { reason, detail } = published.assessment;
          const what = `${transitionOf(event)} was applied and is refused: ${reason} ${detail}`;
          this.#truth.world.fail("transitions", what);
        }
        this.#truth.acknowledgeEnd(transitionOf(event));
      }
      const at = owed.indexOf(event);
      if (at >= 0) owed.splice(at, 1);
    }
  }

  /** A change that is planned and then given up. */
  async #planAndCancel(): Promise<void> {
    const truth = this.#truth;
    if (!truth.canChange) return;
    const { region } = this.#dice.pick(truth.history.current);
    const transitionId = `given-up-${nameOf("split", region)}-${truth.tick()}`;
    const plan = { transitionId, regionId: region.id, base: region.epoch, otherIds: [truth.idPool.shift() ?? 0] };
    truth.givenUp.push(transitionId);
    const planned = await this.#publish({ kind: "RegionSplitPlanned", ...plan, splitKeys: [Uint8Array.of(1)] });
    if (planned?.accepted !== true) return;
    truth.acknowledgePlan(transitionId);
    truth.owed.push({ kind: "RegionSplitCancelled", transitionId });
    if (this.#dice.chance(1, 2)) await this.publishOwed();
  }

  async #setConfig(): Promise<void> {
    const value = this.#truth.tick();
    const name = `option-${this.#configs++ % 3}`;
    const known = this.#service.state.config.find((entry) => entry.name === name);
    if (known !== undefined && Number(known.value) >= value) return;
    const published = await this.#publish({ kind: "ConfigSet", name, value: String(value) });
    if (published !== null) this.#truth.acknowledgeConfig(name, 1);
  }

  async #publish(event: RootEvent): Promise<Published | null> {
    const truth = this.#truth;
    const before = truth.token;
    truth.map.attempt(regionsOf(event));
    const published = await this.#ask<Published>((reply) => {
      this.#service.publish(event, 0, (error, value) => {
        if (value !== null) {
          truth.acknowledgeToken(value.token, before);
          if (value.assessment.reason !== "SUPERSEDED_TARGET" && value.accepted) {
            for (const region of regionsOf(event)) truth.map.acknowledge(region);
          }
          truth.judgeState(this.#service.state);
        }
        reply(error, value);
      });
    });
    return published;
  }

  async reportAll(): Promise<void> {
    for (const report of this.#truth.history.current) {
      if (!(await this.#report(report))) this.#truth.world.fail("region-map", "what is true is refused as stale");
    }
  }

  /** False: it is stale. */
  async #report(report: RegionReport): Promise<boolean> {
    const truth = this.#truth;
    truth.map.attempt([report.region]);
    const accepted = await this.#ask<boolean>((reply) => {
      this.#service.regionHeartbeat(report, (error) => {
        const { region, term } = report;
        if (error === null) truth.map.acknowledge(region);
        if (error === null) this.#terms.set(region.id, Math.max(term, this.#terms.get(region.id) ?? 0));
        truth.judgeState(this.#service.state);
        if (error?.code === "STALE_HEARTBEAT") reply(null, false);
        else reply(error, error === null ? true : null);
      });
    });
    return accepted === true;
  }

  routeAll(): void {
    for (const { region, leaderPeerId } of this.#truth.history.current) {
      const leader = this.#route(region.start);
      if (leader !== leaderPeerId) {
        this.#truth.world.fail("region-map", `peer ${leader} is told to lead region ${region.id}, not ${leaderPeerId}`);
      }
    }
  }

  /** The leader's peer; 0: nobody is known. */
  #route(key: Uint8Array): number {
    const { world, map, token } = this.#truth;
    const answer = this.#service.route({ key, freshness: "STRONG", requiredToken: token, maxRootLag: 0 });
    if (answer instanceof CoordinatorError) {
      if (this.#service.state.regions.length > 0) this.#judgeError(answer);
      return 0;
    }
    const wrong = map.judgeRoute(key, answer.region);
    if (wrong !== null) world.fail("region-map", wrong);
    if (answer.servedFreshness !== "STRONG" || !answer.servedByLeader || answer.rootLag > 0) {
      world.fail("freshness", `a strong route is served as ${answer.servedFreshness}, ${answer.catchUpState}`);
    }
    const term = answer.region === null ? 0 : (this.#terms.get(answer.region.id) ?? 0);
    if (answer.leader !== null && answer.leader.term < term) {
      world.fail("region-map", `the leader of term ${answer.leader.term} is told after that of ${term}`);
    }
    return answer.leader?.peerId ?? 0;
  }

  /** The answer; null: it was refused for a reason that explains it. */
  #ask<T>(ask: Ask<T>): Promise<T | null> {
    return new Promise((resolve) => {
      const timer = this.#env.clock.after(answerMsMax * 1_000, () => {
        this.#truth.world.fail("hang", "a request was not answered");
      });
      ask((error, value) => {
        timer.cancel();
        if (error !== null) this.#judgeError(error);
        resolve(value);
      });
    });
  }

  #judgeError(error: CoordinatorError): void {
    const { world, machine, timestamps } = this.#truth;
    const { code, message } = error;
    const leadMs = machine.clock.wallMs(world.nowUs) - versionMs(timestamps.last);
    // A clock may wander that far by many jumps while nobody asks for a timestamp.
    if (code === "CLOCK_AHEAD" && leadMs > clockLeadMs - 60_000) return;
    if (this.mustSucceed || world.options.faultFree || !unavailable.includes(code)) {
      world.fail("errors", `${code}: ${message}`);
    }
    this.#broken = true;
  }
}

function transitionOf(event: RootEvent): string {
  return "transitionId" in event ? event.transitionId : "";
}

function regionsOf(event: RootEvent): readonly RegionReport["region"][] {
  if ("regions" in event) return event.regions;
  return "region" in event ? [event.region] : [];
}
