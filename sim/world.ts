import { assert } from "../core/assert.ts";
import type { JobStarter } from "../core/env/jobs.ts";
import { failpoints } from "../failpoints/catalog.ts";
import { Dice } from "./dice.ts";
import type { MayCorrupt } from "./disk/disk-faults.ts";
import type { EventLoop } from "./event-loop.ts";
import type { FaultKind } from "./faults.ts";
import { Machine } from "./machine.ts";
import { Nemesis } from "./nemesis.ts";
import { SimNetwork } from "./network/sim-network.ts";
import { type RunRecord, ViolationThrown } from "./run-record.ts";
import { type SwarmOptions, drawOptions, drawTunables } from "./swarm.ts";

export interface WorldParts {
  readonly seed: number;
  readonly loop: EventLoop;
  readonly record: RunRecord;
  readonly startJob: JobStarter;
  /** Null: the world is as the seed drew it. */
  readonly bend?: ((drawn: SwarmOptions) => SwarmOptions) | null;
}

/** One seeded run: virtual time, machines, and the faults that the seed drew. What a scenario is given. */
export class World {
  readonly seed: number;
  /** Drawn from the seed: which faults exist, how often, which limits. Plain JSON. */
  readonly options: SwarmOptions;
  /** Links and connections, for faults by hand: `world.network.link("a", "b").block()`. */
  readonly network: SimNetwork;
  readonly #loop: EventLoop;
  readonly #record: RunRecord;
  readonly #startJob: JobStarter;
  readonly #nemesis: Nemesis;
  readonly #machines = new Map<string, Machine>();
  readonly #dice = new Map<string, Dice>();

  constructor(parts: WorldParts) {
    const { loop, record, bend = null } = parts;
    this.seed = parts.seed;
    this.#loop = loop;
    this.#record = record;
    this.#startJob = parts.startJob;
    const drawn = drawOptions(loop.random, failpoints);
    this.options = bend === null ? drawn : bend(drawn);
    this.network = new SimNetwork(loop, (kind) => record.count(kind));
    this.#nemesis = new Nemesis({
      options: this.options,
      loop,
      record,
      network: this.network,
      machines: () => [...this.#machines.values()],
    });
  }

  /** Virtual time in microseconds since the run began. */
  get nowUs(): number {
    return this.#loop.nowUs;
  }

  /**
   * The dice of (stream, entity). Asked again, the same object: its ordinal goes on. Streams of a scenario
   * never meet those of the simulator.
   */
  dice(stream: string, entity = 0): Dice {
    const key = `${stream}/${entity}`;
    const known = this.#dice.get(key);
    if (known !== undefined) return known;
    const dice = new Dice(this.#loop.random.stream(`scenario/${stream}`), entity);
    this.#dice.set(key, dice);
    return dice;
  }

  /** Virtual milliseconds; belongs to no machine, so no crash cancels it. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms * 1_000, resolve));
  }

  /** A new turn of the world, `delayUs` from now. What `run` throws ends the run. */
  after(delayUs: number, run: () => void): void {
    this.#loop.after(delayUs, this.#loop.worldLife, run);
  }

  /** The machine of that name (also its network host), created down on first use; survives its crashes. */
  machine(name: string): Machine {
    const known = this.#machines.get(name);
    if (known !== undefined) return known;
    assert(/^[a-z][a-z0-9-]*$/.test(name), "a machine's name is a host name");
    const machine = new Machine({
      name,
      loop: this.#loop,
      record: this.#record,
      network: this.network,
      diskFaults: this.#nemesis.calmDisk(),
      startJob: this.#startJob,
      jobSliceBytesMax: this.options.jobs.sliceBytesMax,
      jobWorkers: this.options.jobs.workers,
    });
    this.#machines.set(name, machine);
    return machine;
  }

  /**
   * Ends the run with a violation found by `oracle` (kebab-case). Throws; the verdict stands even if a caller
   * swallows what is thrown. The first one wins.
   */
  fail(oracle: string, message: string): never {
    this.#record.violate(oracle, message);
    throw new ViolationThrown(`${oracle}: ${message}`);
  }

  /** One line for the failure report, stamped with virtual time. Bounded: first and last ones are kept. */
  story(line: string): void {
    this.#record.story(line);
  }

  /** A line of the story that the trace hash covers: runs of a seed that tell it differently have parted. */
  tell(line: string): void {
    this.#record.calls.call("program", "story", line, 0, 0);
    this.story(line);
  }

  /**
   * Nemesis on, for these machines (all known ones when none is named) and the links between them: crashes,
   * pauses, clock, link and disk faults, failpoints, as the swarm drew. Restarting a machine is the
   * scenario's job (`machine.onDown`). Called again, adds machines.
   */
  startFaults(...machines: readonly Machine[]): void {
    this.#nemesis.start(machines.length > 0 ? machines : [...this.#machines.values()]);
  }

  /**
   * Nemesis off; links, clocks, disks and failpoints are healed, pauses end. Machines that are down stay
   * down.
   */
  stopFaults(): void {
    this.#nemesis.stop();
  }

  /**
   * The fault atlas: which bytes at rest the nemesis may damage when `options.atRestCorruption` is set. Until
   * it is called, only tables (`*.sst`) are damaged, never a log or a manifest.
   */
  mayCorrupt(machine: Machine, atlas: MayCorrupt): void {
    this.#nemesis.setAtlas(machine, atlas);
  }

  /** Notes one injection; for scenarios that inject by hand. */
  count(kind: FaultKind): void {
    this.#record.count(kind);
  }

  /** One of what the scenario `reaches` has happened. */
  reach(what: string): void {
    this.#record.reach(what);
  }

  /** How often a kind was injected so far. */
  faultCount(kind: FaultKind): number {
    return this.#record.counts.of(kind);
  }

  /**
   * Engine or gateway limits for this seed: pathological minima on some seeds, defaults on others. `stream`
   * names the options, e.g. "engine"; equal calls give equal answers.
   */
  tunables<T extends object>(
    stream: string,
    defaults: T,
    extremes: Readonly<Partial<Record<keyof T, readonly number[]>>>,
  ): Partial<T> {
    const dice = new Dice(this.#loop.random.stream(`sim/tunables/${stream}`), 0);
    return drawTunables(defaults, extremes, dice, this.options.tinyLimits);
  }
}
