import type { Env } from "../core/env/env.ts";
import type { RangeReply } from "../coordinator/allocators.ts";
import type { CoordinatorError, CoordinatorErrorCode } from "../coordinator/coordinator-error.ts";
import { CoordinatorClient } from "../coordinator/service/client.ts";
import { Transport } from "../net/rpc/transport.ts";
import { rangeContains, type RegionMeta } from "../raft/region.ts";
import { coordinatorIdOf, memberIdOf } from "../coordinator/service/methods.ts";
import type { SequenceLedger } from "../sim/checkers/sequence.ts";
import type { Dice } from "../sim/dice.ts";
import type { Machine } from "../sim/machine.ts";
import type { World } from "../sim/world.ts";
import type { GroupTruth } from "./coordinator-group-truth.ts";
import { pause } from "./recording-clock.ts";

export const coordinatorPort = 2_379;
/** An answer that is so late will not come: longer than any process stalls and any clock stands still. */
const lateMs = 120_000;
const idleUsMaxDefault = 500_000;
/** Of those that regions bring along. */
const takenIdMax = 302;

function region(id: number, start: readonly number[], end: readonly number[]): RegionMeta {
  const peers = [1, 2, 3].map((storeId) => ({ peerId: storeId * 100 + id, storeId, role: "voter" as const }));
  return { id, start: Uint8Array.from(start), end: Uint8Array.from(end), epoch: { version: 1, confVer: 1 }, peers };
}

/** Of a new cluster. Their ids, and those of their peers, are nobody else's. */
export const firstRegions: readonly RegionMeta[] = [region(1, [], [128]), region(2, [128], [])];

function hostOf(memberId: number): string {
  return memberId === 0 ? "coordinator" : `coordinator-${memberId}`;
}

/** What the callers of a run have in common. */
export interface ServiceStage {
  readonly world: World;
  readonly timestamps: SequenceLedger;
  readonly ids: SequenceLedger;
  /** An order of calls and returns, finer than time. */
  ticks: number;
  /** Nothing is wrong any more: what fails from now on is a failure. */
  probing: boolean;
  /** Nothing new is begun. */
  quiet: boolean;
  /** Not given: the Coordinator is alone. */
  readonly group?: { readonly memberIds: readonly number[]; readonly truth: GroupTruth };
  /** Between two requests of one who asks seldom; not given: nobody does. */
  readonly idleUsMax?: number;
}

type Done = (error: CoordinatorError | null) => void;

/** What a Coordinator that cannot be reached, or whose disk fails, may make of a request. */
const explained: readonly CoordinatorErrorCode[] = [
  "TSO_UNAVAILABLE", "ID_UNAVAILABLE", "ROUTE_UNAVAILABLE", "ROOT_UNAVAILABLE", "ROOT_UNDETERMINED", "CLOCK_AHEAD",
  "STOPPED", "BUSY",
];

/** One process that asks everything a Coordinator answers, several things at a time. */
export class CoordinatorCaller {
  /** Since nothing is wrong any more it was given a timestamp and a route. */
  served = false;
  readonly #stage: ServiceStage;
  readonly #env: Env;
  readonly #dice: Dice;
  readonly #transport: Transport;
  readonly #client: CoordinatorClient;
  readonly #workers: number;
  readonly #idleUsMax: number;
  #open = 0;
  #stopped = false;
  #wake: () => void = () => {};

  constructor(stage: ServiceStage, env: Env, machine: Machine) {
    this.#stage = stage;
    this.#env = env;
    this.#dice = stage.world.dice(machine.name, machine.incarnation);
    this.#workers = this.#dice.between(1, 8);
    const isSeldom = stage.world.dice(`pace-${machine.name}`, machine.incarnation).chance(1, 2);
    this.#idleUsMax = isSeldom ? (stage.idleUsMax ?? idleUsMaxDefault) : idleUsMaxDefault;
    this.#transport = new Transport(env, {
      identity: { clusterId: "sim", storeId: 0, incarnation: machine.incarnation, role: "gateway", features: 0 },
      options: {},
      resolve: (id, done) => done({ host: hostOf(memberIdOf(id)), port: coordinatorPort }),
      hooks: { onMessage: () => {}, onUnreachable: () => {} },
      streams: null,
    });
    const members = (stage.group?.memberIds ?? [0]).map(coordinatorIdOf);
    this.#client = new CoordinatorClient(env.clock, this.#transport, members);
  }

  /** Nothing of what it asked is without an answer. */
  get idle(): boolean {
    return this.#open === 0 && this.#client.waiting === 0 && this.#transport.state().pendingCalls === 0;
  }

  stop(): void {
    this.#stopped = true;
    this.#wake();
  }

  async run(): Promise<void> {
    const ended = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    const work = Promise.all(Array.from({ length: this.#workers }, () => this.#work()));
    await Promise.race([work, ended]);
    if (!this.#stopped) await ended;
    this.#client.close();
    this.#transport.close();
  }

  async #work(): Promise<void> {
    while (!this.#stage.quiet && !this.#stopped) {
      if (this.#stage.probing && !this.served) await this.#probe();
      else await this.#step();
      await pause(this.#env, this.#dice.skewed(1, this.#idleUsMax));
    }
  }

  async #probe(): Promise<void> {
    const got = await this.#timestamps(1, 5_000);
    const routed = got && (await this.#route(this.#dice.below(256)));
    this.served = this.served || routed;
  }

  async #step(): Promise<void> {
    const dice = this.#dice;
    const { group } = this.#stage;
    if (group !== undefined && dice.chance(1, 2)) {
      await group.truth.step(this.#client, dice, (oracle, timeoutMs, ask) => this.#ask(oracle, timeoutMs, ask));
      return;
    }
    const kind = dice.below(20);
    if (kind < 11) await this.#timestamps(dice.chance(1, 10) ? dice.skewed(1, 65_536) : dice.between(1, 5), this.#ms());
    else if (kind < 14) await this.#ids(dice.between(1, 20));
    else if (kind < 17) await this.#route(dice.below(256));
    else if (kind < 19) await this.#publish();
    else await this.#name();
  }

  #ms(): number {
    return this.#dice.skewed(1, 20_000);
  }

  #timestamps(count: number, timeoutMs: number): Promise<boolean> {
    return this.#number(this.#stage.timestamps, count, timeoutMs, (done) =>
      this.#client.timestamps(count, timeoutMs, done),
    );
  }

  #ids(count: number): Promise<boolean> {
    return this.#number(this.#stage.ids, count, 2_000, (done) => this.#client.allocateIds(count, 2_000, done));
  }

  // oxlint-disable-next-line max-params
  #number(
    ledger: SequenceLedger,
    count: number,
    timeoutMs: number,
    ask: (done: RangeReply) => void,
  ): Promise<boolean> {
    const stage = this.#stage;
    const oracle = ledger === stage.ids ? "ids" : "timestamps";
    const calledUs = ++stage.ticks;
    return this.#ask(oracle, timeoutMs, (done) =>
      ask((error, range) => {
        if (range !== null) {
          if (range.count !== count) this.#fail(oracle, `${count} were asked for, and ${range.count} came`);
          if (oracle === "ids" && range.first <= takenIdMax) this.#fail(oracle, `${range.first} is a region's already`);
          const wrong = ledger.give({ ...range, calledUs, returnedUs: ++stage.ticks });
          if (wrong !== null) this.#fail(oracle, wrong);
        }
        done(error);
      }),
    );
  }

  #route(byte: number): Promise<boolean> {
    const key = Uint8Array.of(byte);
    return this.#ask("regions", 2_000, (done) =>
      this.#client.route({ key }, (error, answer) => {
        const held = answer?.region ?? null;
        if (answer !== null && (held === null || !rangeContains(held, key))) {
          this.#fail("regions", `key ${byte} is routed to region ${held?.id ?? 0}`);
        }
        done(error);
      }),
    );
  }

  #publish(): Promise<boolean> {
    const [name, value] = [`option-${this.#dice.below(3)}`, `${this.#dice.below(9)}`];
    return this.#ask("answers", 2_000, (done) =>
      this.#client.publish({ kind: "ConfigSet", name, value }, 0, (error, published) => {
        if (published?.accepted === false) this.#fail("answers", `it is refused: ${published.assessment.detail}`);
        done(error);
      }),
    );
  }

  /** The cluster has a name from its first moment: nobody else gives it one. */
  #name(): Promise<boolean> {
    return this.#ask("answers", 2_000, (done) =>
      this.#client.bootstrap({ clusterId: 77, clusterVersion: 1 }, (error, named) => {
        if (named?.clusterId === 77) this.#fail("regions", "a Coordinator serves before its cluster has a name");
        done(error);
      }),
    );
  }

  /** True: it was served. */
  // oxlint-disable-next-line max-params
  #ask(oracle: string, timeoutMs: number, ask: (done: Done) => void): Promise<boolean> {
    this.#open++;
    let answers = 0;
    let returned = false;
    return new Promise((resolve) => {
      const timer = this.#env.clock.after((timeoutMs + lateMs) * 1_000, () => {
        this.#fail("hang", `a request that was to take ${timeoutMs} ms is not answered`);
      });
      ask((error) => {
        timer.cancel();
        if (!returned) this.#fail("answers", "an answer comes inside the call");
        if (++answers > 1) this.#fail("answers", "an answer comes twice");
        this.#open--;
        if (error !== null && !explained.includes(error.code)) {
          this.#fail(oracle, `${error.code}: ${error.message}`);
        }
        resolve(error === null);
      });
      returned = true;
    });
  }

  #fail(oracle: string, message: string): never {
    return this.#stage.world.fail(oracle, message);
  }
}
