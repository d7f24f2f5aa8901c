import type { Env } from "../core/env/env.ts";
import { NokvError } from "../core/errors.ts";
import { versionMs } from "../core/lsm/drop-rules.ts";
import { Coordinator, coordinatorDefaults } from "../coordinator/coordinator.ts";
import { LocalJournal } from "../coordinator/local-journal.ts";
import { windowAheadMs, windowMs } from "../coordinator/timestamp-oracle.ts";
import { ClockReadings } from "../sim/checkers/lifetime.ts";
import { judgeComplete } from "../sim/checkers/region-view.ts";
import type { Dice } from "../sim/dice.ts";
import type { Machine } from "../sim/machine.ts";
import type { Scenario } from "../sim/scenario.ts";
import type { World } from "../sim/world.ts";
import { CoordinatorClients } from "./coordinator-clients.ts";
import { CoordinatorTruth } from "./coordinator-truth.ts";
import { pause, recordClock } from "./recording-clock.ts";

export const coordinator: Scenario = {
  name: "coordinator",
  why: "A Coordinator that crashes gives no timestamp twice, forgets nothing it promised, and routes no key backwards.",
  weight: 3,
  run: (world) => new CoordinatorRun(world).run(),
};

const directory = "/root";
/** Of a million, on the disk of a life that is to fail. */
const failingSyncs = 50_000;
/** After a refused opening. */
const retryMs = 500;
const hourMs = 3_600_000;

class CoordinatorRun {
  readonly #world: World;
  readonly #machine: Machine;
  readonly #dice: Dice;
  readonly #truth: CoordinatorTruth;
  readonly #readings = new ClockReadings();
  readonly #fileBytesMax: number;
  readonly #clients: number;
  #openings = 0;

  constructor(world: World) {
    this.#world = world;
    this.#machine = world.machine("coordinator");
    const plan = world.dice("plan");
    this.#dice = world.dice("coordinator");
    this.#truth = new CoordinatorTruth(world, this.#machine);
    this.#fileBytesMax = plan.pick([300, 2_000, 65_536]);
    this.#clients = plan.between(2, 12);
    world.story(`${this.#clients} clients, files of ${this.#fileBytesMax} bytes`);
  }

  async run(): Promise<void> {
    const world = this.#world;
    world.startFaults(this.#machine);
    const { faults } = this.#machine.disk;
    const { syncFailed } = faults;
    for (let lives = this.#dice.between(2, 10); lives > 0; lives--) {
      // What a failed sync leaves is rare otherwise: a Coordinator that lives on, and can decide nothing.
      const failing = this.#dice.chance(1, 5) && !world.options.faultFree;
      Object.assign(faults, { syncFailed: failing ? failingSyncs : syncFailed });
      const outcome = await this.#machine.run((env) => this.#live(env));
      if (outcome.kind === "failed") throw outcome.error;
      const kind = this.#dice.pick(["process", "power"] as const);
      if (outcome.kind === "done" && this.#dice.chance(1, 2)) this.#machine.crash(kind);
      await world.sleep(this.#dice.skewed(1, 5_000));
    }
    world.stopFaults();
    const dice = world.dice("standstill");
    // Nobody gives out timestamps for days: what comes next is not taken for a clock that is wrong.
    if (dice.chance(1, 3)) this.#machine.clock.jumpWall(dice.between(1, 300) * 24 * hourMs);
    const outcome = await this.#machine.run((env) => this.#finish(env));
    if (outcome.kind === "failed") throw outcome.error;
    if (outcome.kind === "crashed") world.fail("liveness", "the node died without a crash");
  }

  async #live(env: Env): Promise<void> {
    const journal = await this.#open(env, false);
    if (journal === null) return pause(env, retryMs * 1_000);
    const service = this.#serve(env, journal);
    const clients = new CoordinatorClients(env, service, this.#truth, this.#dice);
    await clients.bootstrap();
    const work = [];
    for (let i = 0; i < this.#clients; i++) work.push(clients.run(this.#dice.between(2, 30)));
    await Promise.all(work);
    service.stop();
    await journal.close();
    this.#checkFiles();
  }

  async #open(env: Env, mustOpen: boolean): Promise<LocalJournal | null> {
    try {
      const options = { owner: "coordinator", fileBytesMax: this.#fileBytesMax };
      const journal = await LocalJournal.open(env, directory, options);
      this.#openings++;
      this.#truth.judgeRecovered(journal.state, journal.token);
      return journal;
    } catch (error) {
      if (!(error instanceof NokvError)) throw error;
      const { faultFree } = this.#world.options;
      const explained = error.code === "NOKV_IO" || error.code === "NOKV_NO_SPACE";
      if (mustOpen) this.#world.fail("liveness", `the disk works, and the opening is refused: ${error.message}`);
      if (faultFree || !explained) this.#world.fail("recovery", `${error.code}: ${error.message}`);
      this.#checkFiles();
      return null;
    }
  }

  #serve(env: Env, journal: LocalJournal): Coordinator {
    const recorded = recordClock(env, this.#world, this.#readings);
    return new Coordinator(recorded, journal, coordinatorDefaults);
  }

  #checkFiles(): void {
    const { openFiles } = this.#machine.disk;
    if (openFiles > 0) this.#world.fail("leaks", `${openFiles} files are open after the Coordinator was closed`);
  }

  /** The disk and the clock are sound: everything works, and the map becomes the truth. */
  async #finish(env: Env): Promise<void> {
    const world = this.#world;
    const journal = await this.#open(env, true);
    if (journal === null) return;
    const service = this.#serve(env, journal);
    const clients = new CoordinatorClients(env, service, this.#truth, this.#dice);
    clients.mustSucceed = true;
    await clients.bootstrap();
    await clients.publishOwed();
    await clients.cancelGivenUp();
    await clients.reportAll();
    const { state } = service;
    const wrong = judgeComplete(state.regions, this.#truth.history.current);
    if (wrong !== null) world.fail("region-map", wrong);
    if (state.vacated.length > 0) world.fail("region-map", "ranges are still waiting for their regions");
    const open = [...state.pendingPeerChanges, ...state.pendingRangeChanges];
    if (open.length > 0) world.fail("transitions", `${open[0]?.transitionId ?? ""} is still open at the end`);
    clients.routeAll();
    await this.#judgeClock(clients);
    this.#truth.judgeNumbers();
    service.stop();
    await journal.close();
    this.#checkFiles();
    world.story(`${this.#truth.history.current.length} regions after ${this.#openings} openings`);
  }

  /** Timestamps follow a sound clock, are never far ahead of every reading, and do not follow a clock that is. */
  async #judgeClock(clients: CoordinatorClients): Promise<void> {
    const world = this.#world;
    const first = await clients.timestamps(1);
    const wallMs = this.#machine.clock.wallMs(world.nowUs);
    if (versionMs(first) + windowMs < wallMs) {
      world.fail("timestamps", `timestamp ${first} is more than a window behind a sound clock (${wallMs} ms)`);
    }
    const carriedMs = Math.ceil(this.#truth.timestamps.count / 4_096) + this.#openings * (windowAheadMs + 1);
    // Behind a clock that went back they go on at half the pace of a monotonic clock, which may be fast.
    const pacedMs = Math.ceil(world.nowUs / 1_000);
    const boundMs = this.#readings.highestMs + windowMs + carriedMs + pacedMs;
    if (versionMs(first) > boundMs) {
      world.fail("timestamps", `timestamp ${first} is ahead of every reading of the clock (${boundMs} ms)`);
    }
    if (this.#dice.chance(1, 2)) return;
    const lead = Math.max(0, versionMs(first) - wallMs) + 25 * hourMs;
    this.#machine.clock.jumpWall(lead);
    const code = await clients.refusedTimestamp();
    if (code !== "CLOCK_AHEAD") world.fail("timestamps", `a clock that jumped by ${lead} ms is answered with ${code}`);
    this.#machine.clock.jumpWall(-lead);
    await clients.timestamps(1);
  }
}
