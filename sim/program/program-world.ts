import type { Dice } from "../dice.ts";
import type { World } from "../world.ts";
import { type ClusterOptions, SimCluster } from "./cluster.ts";
import { SimMachine } from "./machine.ts";

/** One seeded run, as a program sees it: machines, virtual time, and its own verdict. */
export class SimWorld {
  readonly seed: number;
  readonly #world: World;
  readonly #machines = new Map<string, SimMachine>();
  #isCalm = false;

  constructor(world: World) {
    this.#world = world;
    this.seed = world.seed;
  }

  /** Virtual milliseconds since the run began. */
  get nowMs(): number {
    return Math.floor(this.#world.nowUs / 1_000);
  }

  /** The machine of that name (lower case, digits, dashes), also its host name. The declared faults strike it. */
  machine(name: string): SimMachine {
    const isNew = !this.#machines.has(name);
    const machine = this.#machineOf(name);
    if (isNew && !this.#isCalm) this.#world.startFaults(this.#world.machine(name));
    return machine;
  }

  /** A cluster, its processes kept running. Only a minority of its stores is struck by the declared faults. */
  cluster(options: ClusterOptions = {}): SimCluster {
    const cluster = new SimCluster(this.#world, options, (name) => this.#machineOf(name));
    const exposed = cluster.exposed.map((name) => this.#world.machine(name));
    if (!this.#isCalm && exposed.length > 0) this.#world.startFaults(...exposed);
    return cluster;
  }

  /** Waits in virtual time; belongs to no machine, so no crash ends it. In a process use `process.sleep`. */
  sleep(ms: number): Promise<void> {
    return this.#world.sleep(ms);
  }

  /** Decisions of the program itself, drawn from the seed; each name is a stream of its own. */
  dice(name: string): Dice {
    return this.#world.dice(`program/${name}`);
  }

  /** Ends the run as a failure unless `holds`. */
  check(holds: boolean, message: string): void {
    if (!holds) this.fail(message);
  }

  fail(message: string): never {
    return this.#world.fail("check", message);
  }

  /** A line for the report of a failure, stamped with virtual time. */
  story(line: string): void {
    this.#world.tell(line);
  }

  /** Nothing gets through between the two sides until `heal`. */
  partition(oneSide: readonly string[], otherSide: readonly string[]): void {
    this.#world.tell(`partition: ${oneSide.join(", ")} | ${otherSide.join(", ")}`);
    const { network } = this.#world;
    for (const one of oneSide) {
      for (const other of otherSide) {
        network.link(one, other).block();
        network.link(other, one).block();
      }
    }
  }

  /** Every link is open and fast again. */
  heal(): void {
    this.#world.network.heal();
  }

  /**
   * No more faults from now on: links, clocks and disks work, pauses end, processes that are kept running come back.
   * What the program promises to get right in the end is asked after it.
   */
  stopFaults(): void {
    this.#isCalm = true;
    this.#world.stopFaults();
  }

  #machineOf(name: string): SimMachine {
    const known = this.#machines.get(name);
    if (known !== undefined) return known;
    const machine = new SimMachine(this.#world, name);
    this.#machines.set(name, machine);
    return machine;
  }
}
