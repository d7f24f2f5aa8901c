import type { Env } from "../core/env/env.ts";
import { NokvError } from "../core/errors.ts";
import type { LogChange } from "../raft/store/log-change.ts";
import type { RaftLogOptions } from "../raft/store/log-writer.ts";
import { RaftLog } from "../raft/store/raft-log.ts";
import { describeEntry, type GroupModel, LogModel } from "../sim/checkers/log-model.ts";
import type { Dice } from "../sim/dice.ts";
import type { Machine } from "../sim/machine.ts";
import type { Scenario } from "../sim/scenario.ts";
import type { World } from "../sim/world.ts";
import { LogChanges } from "./log-changes.ts";
import { pause } from "./recording-clock.ts";

const directory = "/raft";
const openingsMax = 40;
/** So many submits may wait to be told. */
const pendingMax = 10;
const patienceUs = 120_000_000;

export const raftLog: Scenario = {
  name: "raft-log",
  why: "A vote or an entry that a store told of must be there after any crash, never mixed with what it replaced.",
  weight: 1,
  run: (world) => new RaftLogRun(world).run(),
};

interface Submitted {
  readonly changes: readonly LogChange[];
  readonly mustSync: boolean;
}

class RaftLogRun {
  readonly #world: World;
  readonly #machine: Machine;
  readonly #dice: Dice;
  readonly #options: RaftLogOptions;
  readonly #changes: LogChanges;
  #stepsLeft: number;
  /** What must be there after a crash, and what may be in addition, in order. */
  #durable = new LogModel();
  #unsure: Submitted[] = [];
  /** Of the unsure ones: told, and so written. */
  #toldCount = 0;
  /** Everything submitted. */
  #newest = new LogModel();
  #session = 0;
  #failed = false;

  constructor(world: World) {
    this.#world = world;
    this.#machine = world.machine("store");
    this.#dice = world.dice("steps");
    const plan = world.dice("plan");
    this.#options = {
      segmentBytes: plan.pick([512, 2_048, 16_384]),
      groupBytesMax: plan.pick([1, 128, 1_024, 65_536]),
      waitedSyncUs: plan.pick([0, 0, 250, 1_000_000]),
      livePercentMin: plan.pick([1, 25, 50]),
    };
    this.#changes = new LogChanges(world.dice("changes"), plan.between(1, 6), plan.pick([0, 20, 200]));
    this.#stepsLeft = plan.between(30, 300);
    world.mayCorrupt(this.#machine, () => false);
    world.story(`${this.#stepsLeft} steps, ${JSON.stringify(this.#options)}`);
  }

  async run(): Promise<void> {
    const world = this.#world;
    const made = await this.#machine.run(async (env) => {
      env.disk.mkdir(directory);
      env.disk.syncDirNow("/");
      await Promise.resolve();
    });
    if (made.kind !== "done") world.fail("liveness", "a directory could not be made without faults");
    world.startFaults(this.#machine);
    for (let openings = 0; this.#stepsLeft > 0 && openings < openingsMax; openings++) {
      const outcome = await this.#machine.run((env) => this.#life(env));
      if (outcome.kind === "failed") throw outcome.error;
      this.#session++;
      if (outcome.kind === "crashed") await world.sleep(this.#dice.skewed(1, 500));
    }
    world.stopFaults();
    const deadlineUs = world.nowUs + patienceUs;
    const outcome = await this.#machine.run((env) => this.#finish(env));
    if (outcome.kind === "failed") throw outcome.error;
    if (outcome.kind === "crashed") world.fail("liveness", "the store died without faults");
    if (world.nowUs > deadlineUs) world.fail("liveness", "recovery took too long");
  }

  async #life(env: Env): Promise<void> {
    const log = await this.#open(env);
    if (log === null) return pause(env, this.#dice.skewed(1_000, 100_000));
    while (this.#stepsLeft > 0 && !this.#failed) {
      this.#stepsLeft--;
      this.#step(log);
      if (this.#unsure.length >= pendingMax) await this.#settle(env);
      else if (this.#dice.chance(1, 2)) await pause(env, this.#dice.skewed(1, 2_000));
      if (this.#dice.chance(1, 12)) this.#read(env, log);
      if (this.#dice.chance(1, 50)) break;
    }
    await this.#close(log);
  }

  /** Without faults it opens, takes a change, and is the same when it is opened again. */
  async #finish(env: Env): Promise<void> {
    const log = await this.#open(env);
    if (log === null) this.#world.fail("liveness", "does not open without faults");
    this.#step(log);
    await this.#settle(env);
    if (this.#failed) this.#world.fail("liveness", "failed without faults");
    this.#read(env, log);
    await this.#close(log);
    const again = await this.#open(env);
    if (again === null) this.#world.fail("liveness", "does not open again without faults");
    await this.#close(again);
  }

  async #open(env: Env): Promise<RaftLog | null> {
    this.#failed = false;
    const session = ++this.#session;
    let log: RaftLog;
    try {
      log = await RaftLog.open(env, directory, this.#options, () => {
        if (session === this.#session) this.#failed = true;
      });
    } catch (error) {
      if (!(error instanceof NokvError)) throw error;
      const explained = error.code === "NOKV_IO" || error.code === "NOKV_NO_SPACE";
      if (!explained) this.#world.fail("recovery", `open: ${error.code} ${error.message}`);
      return null;
    }
    if (this.#judge(env, log)) return log;
    await log.close();
    return null;
  }

  /**
   * What was recovered is what was told, and a prefix of what was not; now it is durable. False: it can not be read.
   */
  #judge(env: Env, log: RaftLog): boolean {
    const found = this.#found(env, log);
    if (found === null) return false;
    const candidate = this.#durable.clone();
    let isFound = found === candidate.describe();
    for (const { changes } of this.#unsure) {
      if (isFound) break;
      for (const change of changes) candidate.apply(change);
      isFound = found === candidate.describe();
    }
    if (!isFound) {
      this.#world.fail("raft-log", `found\n${found}\nneither durable\n${this.#durable.describe()}\nnor anything later`);
    }
    this.#durable = candidate;
    this.#newest = candidate.clone();
    this.#unsure = [];
    this.#toldCount = 0;
    return true;
  }

  #step(log: RaftLog): void {
    const changes = this.#changes.draw(this.#newest);
    const mustSync = this.#dice.chance(3, 4);
    const session = this.#session;
    this.#unsure.push({ changes, mustSync });
    for (const change of changes) this.#newest.apply(change);
    log.submit(changes, mustSync, () => {
      if (session === this.#session) this.#told();
    });
  }

  #told(): void {
    const submitted = this.#unsure[this.#toldCount];
    if (submitted === undefined) this.#world.fail("raft-log", "more was told than submitted");
    this.#toldCount++;
    if (!submitted.mustSync) return;
    for (const { changes } of this.#unsure.splice(0, this.#toldCount)) {
      for (const change of changes) this.#durable.apply(change);
    }
    this.#toldCount = 0;
  }

  async #settle(env: Env): Promise<void> {
    const deadlineUs = this.#world.nowUs + patienceUs;
    while (this.#unsure.length > this.#toldCount && !this.#failed) {
      if (this.#world.nowUs > deadlineUs) this.#world.fail("liveness", "a submit is not told");
      await pause(env, 500);
    }
  }

  async #close(log: RaftLog): Promise<void> {
    await log.close();
    if (!this.#failed && this.#toldCount < this.#unsure.length) {
      this.#world.fail("raft-log", "closed, and not everything was told");
    }
    this.#session++;
    const { openFiles } = this.#machine.disk;
    if (openFiles > 0) this.#world.fail("leaks", `${openFiles} files are open after close`);
  }

  /** Entries of one group, in parts. Only when nothing is under way does everybody know what they are. */
  #read(env: Env, log: RaftLog): void {
    if (this.#unsure.length > this.#toldCount) return;
    const found = this.#found(env, log);
    const expected = this.#newest.describe();
    if (found !== null && found !== expected) this.#world.fail("raft-log", `read\n${found}\nnot\n${expected}`);
  }

  /** Null: the disk refused. */
  #found(env: Env, log: RaftLog): string | null {
    const model = new LogModel();
    for (const id of log.groups()) {
      const group = log.group(id);
      if (group === null) this.#world.fail("raft-log", `group ${id} is listed and not known`);
      const { hard, start, meta } = group;
      const copy: GroupModel = { hard, start, meta, entries: [], notes: new Map(group.notes) };
      let next = start.index + 1;
      while (next <= group.last) {
        try {
          copy.entries.push(...log.entries(id, next, group.last, this.#dice.skewed(1, 4_096)));
        } catch (error) {
          if (error instanceof NokvError) this.#world.fail("raft-log", error.message);
          // A disk that refuses a read now may allow it later.
          env.trace.emit("scenario/read-refused", {});
          return null;
        }
        next = (copy.entries.at(-1)?.index ?? next) + 1;
      }
      for (const entry of copy.entries) {
        if (group.termOf(entry.index) !== entry.term) this.#world.fail("raft-log", `term of ${describeEntry(entry)}`);
      }
      model.groups.set(id, copy);
    }
    return model.describe();
  }
}
