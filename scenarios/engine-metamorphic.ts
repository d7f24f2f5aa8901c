import { assert } from "../core/assert.ts";
import type { Batch } from "../core/engine/batch.ts";
import { type Engine, openEngine } from "../core/engine/engine.ts";
import type { EngineIterator, IteratorOptions } from "../core/engine/iterator.ts";
import { type EngineOptions, engineOptionsDefault } from "../core/engine/options.ts";
import type { Snapshot } from "../core/engine/snapshot.ts";
import type { Env } from "../core/env/env.ts";
import { NokvError } from "../core/errors.ts";
import type { ScanBounds } from "../sim/checkers/expected-state.ts";
import type { ModelWrite } from "../sim/checkers/prefix-model.ts";
import { show, toBytes, toText } from "../sim/checkers/text.ts";
import type { Machine } from "../sim/machine.ts";
import type { Scenario } from "../sim/scenario.ts";
import type { World } from "../sim/world.ts";
import { batchOf, type CommitForm, settleBy } from "./commit-form.ts";
import { drawEngineOptions } from "./engine-sizes.ts";
import { Keyspace } from "./keyspace.ts";
import { hourMs, type PlannedStep, planSteps } from "./metamorphic-plan.ts";
import { slowestUs } from "./write-pace.ts";
import { pause } from "./recording-clock.ts";

const directory = "/db";
const stepsMin = 40;
const stepsMax = 240;
const retryUs = 20_000;
const triesMax = 2_000;
/** Of earlier writes, when there is hardly any room. */
const waitingBytesMax = 256 * 1024;

/**
 * One plan of operations, run under two sets of options, on two machines without faults: whatever the options, the
 * answers are the same. Nobody has to say what they should be.
 */
export const engineMetamorphic: Scenario = {
  name: "engine-metamorphic",
  why: "What a database answers must not depend on how its memory, files and background work are configured.",
  weight: 2,
  run: async (world) => {
    const plan = world.dice("plan");
    const keyspace = new Keyspace(world.dice("keyspace"), plan.between(2, 20), plan.pick([12, 100, 700, 3_000]));
    const steps = planSteps(world.dice("steps"), keyspace, plan.between(stepsMin, stepsMax));
    const usual = plan.chance(1, 4) ? { durability: "none" as const } : drawEngineOptions(world, world.dice("one"));
    const runs = [
      new PlannedRun(world, world.machine("one"), usual),
      new PlannedRun(world, world.machine("other"), drawEngineOptions(world, world.dice("other"))),
    ];
    for (const run of runs) await run.run([...steps, ...everything(keyspace)]);
    compare(world, steps, runs);
  },
};

/** At the end all that there is, in both directions. */
function everything(keyspace: Keyspace): readonly PlannedStep[] {
  return [...new Set(keyspace.families)].flatMap((family) =>
    [false, true].map((reverse): PlannedStep => {
      return { kind: "scan", bounds: { family, reverse }, slot: null, keysOnly: false };
    }),
  );
}

function compare(world: World, steps: readonly PlannedStep[], [one, other]: readonly PlannedRun[]): void {
  assert(one !== undefined && other !== undefined, "two runs are compared");
  for (const [i, answer] of one.answers.entries()) {
    const second = other.answers[i];
    if (answer === second) continue;
    const step = JSON.stringify(steps[i] ?? "everything");
    world.story(`step ${i}: ${step}`);
    for (const { options } of [one, other]) world.story(JSON.stringify(options));
    const what = steps[i]?.kind ?? "scan";
    world.fail("metamorphic", `step ${i}, ${what}: ${answer} with some options, ${second} with others`);
  }
}

/** The plan under one set of options, and what it was answered. */
class PlannedRun {
  readonly options: Partial<EngineOptions>;
  readonly answers: string[] = [];
  readonly #world: World;
  readonly #machine: Machine;
  readonly #snapshots = new Map<number, Snapshot>();
  readonly #iterators = new Map<number, EngineIterator>();
  #beganMs = -1;

  constructor(world: World, machine: Machine, options: Partial<EngineOptions>) {
    this.#world = world;
    this.#machine = machine;
    // Answers under wear, not refusals, are compared.
    this.options = { ...options, hotKeyWritesMax: 0, pendingBytesMax: engineOptionsDefault.pendingBytesMax };
  }

  async run(steps: readonly PlannedStep[]): Promise<void> {
    while (this.answers.length < steps.length) {
      const outcome = await this.#machine.run((env) => this.#session(env, steps));
      if (outcome.kind === "failed") throw outcome.error;
      assert(outcome.kind === "done", "nobody crashes in the middle of a session");
      this.#snapshots.clear();
      this.#iterators.clear();
      if (steps[this.answers.length - 1]?.kind === "crash") this.#machine.crash("process");
    }
  }

  /** Up to the next step that ends the process, or all of them. */
  async #session(env: Env, steps: readonly PlannedStep[]): Promise<void> {
    if (this.#beganMs < 0) this.#beganMs = env.clock.wallMs();
    const engine = await openEngine(env, directory, this.options);
    for (;;) {
      const step = steps[this.answers.length];
      if (step === undefined || step.kind === "reopen") break;
      this.answers.push(await this.#step(env, engine, step));
      // What was acknowledged is in the page cache, which outlives the process.
      if (step.kind === "crash") return;
    }
    for (const iterator of this.#iterators.values()) iterator.close();
    for (const snapshot of this.#snapshots.values()) snapshot.release();
    await engine.close();
    if (this.answers.length < steps.length) this.answers.push("reopened");
  }

  async #step(env: Env, engine: Engine, step: PlannedStep): Promise<string> {
    switch (step.kind) {
      case "write":
        return this.#write(env, engine, step);
      case "get":
        return this.#get(engine, step);
      case "scan":
        return this.#scan(engine, step);
      case "snapshot":
        this.#snapshots.get(step.slot)?.release();
        this.#snapshots.set(step.slot, engine.snapshot());
        return "taken";
      case "release":
        this.#snapshots.get(step.slot)?.release();
        this.#snapshots.delete(step.slot);
        return "released";
      case "iterate":
        this.#iterators.get(step.slot)?.close();
        this.#iterators.set(step.slot, engine.iterator(optionsOf(step.bounds)));
        return "begun";
      case "walk":
        return walk(this.#iterators.get(step.slot), step.entries);
      case "rest":
        await pause(env, step.hours * hourMs * 1000);
        return "rested";
      case "flush":
        await engine.flush();
        return "flushed";
      case "compact":
        await engine.compact();
        return "merged";
      case "reopen":
      case "crash":
        return step.kind;
    }
  }

  /** All batches in one turn as far as there is room; acknowledged when it ends. */
  async #write(env: Env, engine: Engine, step: Extract<PlannedStep, { kind: "write" }>): Promise<string> {
    let answers = 0;
    let bytes = waitingBytesMax;
    const told = (error: NokvError | null): void => {
      answers++;
      if (error !== null) this.#world.fail("errors", `a write without faults: ${error.message}`);
    };
    for (const writes of step.batches) {
      const batch = batchOf(writes.map((write) => this.#timed(write)));
      bytes += batch.byteLength;
      for (let tries = 1; !isTaken(engine, batch, step.form, told); tries++) {
        if (tries > triesMax) this.#world.fail("liveness", "a write is refused for ever");
        await pause(env, retryUs);
      }
    }
    const patienceUs = triesMax * retryUs + slowestUs(this.options, bytes);
    for (let waits = 1; answers < step.batches.length; waits++) {
      const isOver = waits * retryUs > patienceUs;
      if (isOver) this.#world.fail("liveness", `of ${step.batches.length} writes ${answers} are told`);
      await pause(env, retryUs);
    }
    return "written";
  }

  #timed(write: ModelWrite): ModelWrite {
    if ("from" in write || write.expiresAtMs === 0) return write;
    return { ...write, expiresAtMs: this.#beganMs + write.expiresAtMs };
  }

  #get(engine: Engine, { key, family, slot }: Extract<PlannedStep, { kind: "get" }>): string {
    const at = slot === null ? null : (this.#snapshots.get(slot) ?? null);
    const bytes = toBytes(key);
    const value = engine.get(bytes, at, family);
    const target = new Uint8Array(8_192);
    const length = engine.getInto(bytes, target, at, family);
    const isThere = engine.has(bytes, at, family);
    return `${show(value === null ? null : toText(value))}, ${length} bytes, ${isThere}`;
  }

  #scan(engine: Engine, { bounds, slot, keysOnly }: Extract<PlannedStep, { kind: "scan" }>): string {
    const snapshot = slot === null ? null : (this.#snapshots.get(slot) ?? null);
    const iterator = engine.iterator({ ...optionsOf(bounds), snapshot, keysOnly });
    const seen = walk(iterator, Infinity);
    iterator.close();
    return seen;
  }
}

/** False: refused for want of room, to be tried again. */
// oxlint-disable-next-line max-params
function isTaken(engine: Engine, batch: Batch, form: CommitForm, told: (error: NokvError | null) => void): boolean {
  try {
    if (form === "callback") engine.commit(batch, told);
    else if (form === "promise") settleBy(engine.commitShared(batch), told);
    else engine.commitSync(batch);
  } catch (error) {
    if (!(error instanceof NokvError) || error.code !== "NOKV_BUSY") throw error;
    return false;
  }
  if (form === "sync") told(null);
  return true;
}

/** Moves on by so many entries, as far as there are. */
function walk(iterator: EngineIterator | undefined, entries: number): string {
  const seen: string[] = [];
  for (let i = 0; i < entries && iterator?.next() === true; i++) {
    seen.push(`${show(toText(iterator.key))}=${show(toText(iterator.value))}`);
  }
  return `[${seen.join(" ")}]`;
}

function optionsOf({ gt, gte, lt, lte, ...rest }: ScanBounds): IteratorOptions {
  const bytes = (text: string | undefined): Uint8Array | undefined => (text === undefined ? undefined : toBytes(text));
  return { ...rest, gt: bytes(gt), gte: bytes(gte), lt: bytes(lt), lte: bytes(lte) };
}
