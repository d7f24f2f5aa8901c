import type { Env } from "../core/env/env.ts";
import type { NokvError } from "../core/errors.ts";
import type { Dice } from "../sim/dice.ts";
import type { Machine } from "../sim/machine.ts";
import type { Scenario } from "../sim/scenario.ts";
import type { World } from "../sim/world.ts";
import { checkDirectory } from "./engine-audit.ts";
import { EngineDriver } from "./engine-driver.ts";
import { EngineEndings } from "./engine-endings.ts";
import { drawEngineOptions, drawWriteLimit } from "./engine-sizes.ts";
import { EngineWorkload, diskErrors, noErrors, withCorruption } from "./engine-workload.ts";
import { Keyspace } from "./keyspace.ts";
import { pause } from "./recording-clock.ts";

const directory = "/db";
const stepsMin = 40;
const stepsMax = 320;
/** Attempts to open, over all crashes and refusals. */
const openingsMax = 60;
/** After the faults have stopped, the database answers within this. */
const recoveryMsMax = 120_000;

export const engineModel: Scenario = {
  name: "engine-model",
  why: "An embedded database must read like a sorted map at all times, and after a crash hold a prefix of its writes.",
  weight: 4,
  run: (world) => new EngineModelRun(world).run(),
};

class EngineModelRun {
  readonly #world: World;
  readonly #machine: Machine;
  readonly #dice: Dice;
  readonly #driver: EngineDriver;
  readonly #workload: EngineWorkload;
  readonly #endings: EngineEndings;
  readonly #losesPower: boolean;
  /** Of each key the newest record, when nobody reads an older one. */
  readonly #entriesMax: number;
  #stepsLeft: number;
  #openings = 0;
  /** Damage at rest was found and the directory refused: the right end of a run with such damage. */
  #refused = false;

  constructor(world: World) {
    this.#world = world;
    this.#machine = world.machine("node");
    const plan = world.dice("plan");
    this.#dice = world.dice("sessions");
    const valueBytesMax = plan.pick([12, 100, 700, 3_000]);
    const keyspace = new Keyspace(world.dice("keyspace"), plan.between(2, 20), valueBytesMax);
    const options = { ...drawEngineOptions(world, plan), ...drawWriteLimit(world.dice("write-limit")) };
    const sync = options.durability === "sync";
    const { faultFree, disk, crash } = world.options;
    this.#losesPower = !faultFree && crash.kinds.includes("power");
    this.#driver = new EngineDriver(world, {
      directory,
      options,
      acknowledgedIsDurable: sync,
      cacheIsKept: sync || faultFree || disk.faults.syncFailed === 0,
      families: keyspace.families,
    });
    this.#entriesMax = keyspace.keys.length * keyspace.families.length;
    this.#workload = new EngineWorkload(this.#driver, keyspace, world.dice("steps"));
    this.#endings = new EngineEndings(this.#workload, keyspace, world.dice("endings"));
    this.#stepsLeft = plan.between(stepsMin, stepsMax);
    world.story(`${this.#stepsLeft} steps, ${keyspace.keys.length} keys, ${JSON.stringify(options)}`);
  }

  async run(): Promise<void> {
    const world = this.#world;
    const { faultFree, atRestCorruption } = world.options;
    const tolerance = faultFree ? noErrors : diskErrors;
    this.#workload.tolerate(atRestCorruption ? withCorruption(tolerance) : tolerance);
    world.startFaults(this.#machine);
    if (this.#losesPower) this.#workload.onPowerOff((calls) => this.#machine.crashAtCall(calls, "power"));
    while (this.#stepsLeft > 0 && this.#openings < openingsMax && !this.#refused) {
      this.#openings++;
      const outcome = await this.#machine.run((env) => this.#session(env));
      if (outcome.kind === "failed") throw outcome.error;
      if (outcome.kind === "crashed") await this.#crashed();
    }
    world.stopFaults();
    if (!this.#refused) await this.#finish();
  }

  async #crashed(): Promise<void> {
    this.#driver.crashed();
    this.#workload.reads.reset();
    await this.#world.sleep(this.#dice.skewed(1, 2_000));
    if (this.#world.options.faultFree || this.#machine.up || !this.#dice.chance(1, 4)) return;
    // The recovery of a recovery: the next incarnation dies early as well.
    this.#machine.boot();
    const kinds = this.#world.options.crash.kinds;
    this.#machine.crashAtCall(this.#dice.skewed(1, 200), this.#dice.pick(kinds));
  }

  async #session(env: Env): Promise<void> {
    const error = await this.#driver.open(env);
    if (error !== null) {
      this.#openFailed(error);
      await pause(env, this.#dice.skewed(1_000, 1_000_000));
      return;
    }
    this.#workload.reads.everything();
    await this.#workload.checkpoints.judgeLeft(env);
    while (this.#stepsLeft > 0 && !this.#driver.poisoned) {
      this.#stepsLeft--;
      await this.#workload.step(env);
      if (this.#dice.chance(1, 40)) break;
    }
    await this.#close(diskErrors.writes);
    // An orderly close made everything durable: nothing may be left to a later sync.
    if (this.#losesPower && this.#dice.chance(1, 4)) this.#machine.crash("power");
  }

  #openFailed(error: NokvError): void {
    this.#world.story(`open refused: ${error.code} ${error.message}`);
    const { atRestCorruption, faultFree } = this.#world.options;
    if (error.code === "NOKV_CORRUPTION" && atRestCorruption) {
      this.#refused = true;
      return;
    }
    const explained = error.code === "NOKV_IO" || error.code === "NOKV_NO_SPACE";
    if (faultFree || !explained) this.#world.fail("errors", `open: ${error.code} ${error.message}`);
  }

  async #close(explained: readonly string[]): Promise<void> {
    if (this.#dice.chance(1, 2)) this.#workload.reads.releaseAll();
    const error = await this.#driver.close();
    this.#workload.reads.reset();
    if (error !== null && !explained.includes(error.code)) {
      this.#world.fail("errors", `close: ${error.code} ${error.message}`);
    }
    const { openFiles } = this.#machine.disk;
    if (openFiles > 0) this.#world.fail("leaks", `${openFiles} files are open after close`);
  }

  /** No more faults: it opens, answers, takes a write, and opens again as it was. */
  async #finish(): Promise<void> {
    const world = this.#world;
    this.#workload.tolerate(world.options.atRestCorruption ? withCorruption(noErrors) : noErrors);
    const deadlineUs = world.nowUs + recoveryMsMax * 1_000;
    const outcome = await this.#machine.run(async (env) => {
      if (!(await this.#reopen(env))) return;
      await this.#write(env, deadlineUs);
      if (!world.options.atRestCorruption) await this.#end(env, deadlineUs);
      await this.#close([]);
      if (!(await this.#reopen(env))) return;
      await checkDirectory(this.#driver, env);
      await this.#close([]);
    });
    if (outcome.kind === "failed") throw outcome.error;
    if (outcome.kind === "crashed") world.fail("liveness", "the node died without faults");
    if (world.nowUs > deadlineUs) world.fail("liveness", "recovery took too long");
  }

  async #reopen(env: Env): Promise<boolean> {
    const error = await this.#driver.open(env);
    if (error === null) {
      this.#workload.reads.everything();
      return true;
    }
    this.#openFailed(error);
    if (!this.#refused) {
      this.#world.fail("liveness", `does not open without faults: ${error.code} ${error.message}`);
    }
    return false;
  }

  async #end(env: Env, deadlineUs: number): Promise<void> {
    if (this.#dice.chance(1, 2)) await this.#endings.vanish(env, deadlineUs);
    else await this.#merge(env);
    this.#workload.reads.everything();
    await this.#endings.rest(env, deadlineUs);
  }

  /** All tables become one level, and nothing of what they were made from stays. */
  async #merge(env: Env): Promise<void> {
    await this.#driver.secureAfter(this.#driver.engine.compact(), (error) => {
      this.#world.fail("liveness", `no merge without faults: ${error.code} ${error.message}`);
    });
    await checkDirectory(this.#driver, env, true);
    // Nobody reads below any more, and nothing older is left for them to hide.
    const { rangeTombstones, entries } = this.#driver.engine.stats();
    if (rangeTombstones > 0) this.#world.fail("space", `${rangeTombstones} range tombstones outlast a full merge`);
    if (entries > this.#entriesMax) this.#world.fail("space", `${entries} records of ${this.#entriesMax} keys`);
  }

  async #write(env: Env, deadlineUs: number): Promise<void> {
    const answer = await this.#workload.probe(env, deadlineUs);
    const { atRestCorruption } = this.#world.options;
    // A compaction that meets damage cannot go on, and with it, in the end, no write.
    if (answer !== null && !atRestCorruption) {
      this.#world.fail("liveness", `no write without faults: ${answer.code} ${answer.message}`);
    }
    const unflushed = await this.#workload.probeFlush(env, deadlineUs);
    if (unflushed !== null && !atRestCorruption) {
      this.#world.fail("liveness", `no flush without faults: ${unflushed}`);
    }
    this.#workload.reads.everything();
  }
}
