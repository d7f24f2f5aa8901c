import { DiskError } from "../../core/env/disk.ts";
import { NetworkError } from "../../core/env/network.ts";
import { NokvError } from "../../core/errors.ts";
import { describeError } from "../defect.ts";
import type { Dice } from "../dice.ts";
import type { CrashKind, Machine } from "../machine.ts";
import type { World } from "../world.ts";
import { Process } from "./process.ts";

/** How a run of a process ended; `failed` with what the world did to it. Other errors end the whole simulation. */
export type ProcessOutcome<T> =
  | { readonly kind: "done"; readonly value: T }
  | { readonly kind: "crashed" }
  | { readonly kind: "failed"; readonly error: NokvError | NetworkError | DiskError };

/** What one run writes is little: buffers of the usual size would be most of its work, and would never be full. */
export const smallBuffers = { memtableBytes: 256 * 1024, blockCacheBytes: 1024 * 1024 };

/** Within so long after its end a process that is kept running is started again. */
const restartMsMax = 3_000;

/** A simulated computer, whose disk, clocks and name outlive its processes. It runs one at a time. */
export class SimMachine {
  readonly name: string;
  readonly #world: World;
  readonly #machine: Machine;
  readonly #restarts: Dice;
  #main: ((process: Process) => Promise<unknown>) | null = null;
  #process: Process | null = null;
  #incarnation = 0;

  constructor(world: World, name: string) {
    this.name = name;
    this.#world = world;
    this.#machine = world.machine(name);
    this.#restarts = world.dice(`restart/${name}`);
    this.#machine.onDown(() => this.#startLater());
  }

  /** A process runs. */
  get up(): boolean {
    return this.#machine.up;
  }

  /**
   * Runs `main` in the process that is there, or in a new one, which stays when `main` is done. Resolves with
   * "crashed" when the process ends first, whatever `main` would have done.
   */
  async run<T>(main: (process: Process) => Promise<T>): Promise<ProcessOutcome<T>> {
    const outcome = await this.#machine.run((env) => {
      if (this.#process === null || this.#incarnation !== this.#machine.incarnation) {
        this.#incarnation = this.#machine.incarnation;
        const owner = `${this.name}#${this.#incarnation}`;
        this.#process = new Process(env, this.name, { ...smallBuffers, owner });
      }
      return main(this.#process);
    });
    if (outcome.kind !== "failed") return outcome;
    const { error } = outcome;
    const isOfTheWorld = error instanceof NokvError || error instanceof NetworkError || error instanceof DiskError;
    if (!isOfTheWorld) this.#world.fail("exception", `${this.name}: ${describeError(error)}`);
    return { kind: "failed", error };
  }

  /**
   * Starts a process with `main`, and a new one after every end, a little later, as a supervisor does. A process whose
   * `main` rejects with an error of the world ends with it.
   */
  serve(main: (process: Process) => Promise<unknown>): void {
    this.#main = main;
    this.#start();
  }

  /** Ends the process; none is started again before the next `serve` or `run`. */
  stop(): void {
    this.#main = null;
    this.#machine.crash("process");
  }

  /** Ends the process now. `power`: and the machine loses what was not synced. */
  crash(kind: CrashKind = "process"): void {
    this.#world.tell(`${this.name} crashes (${kind})`);
    this.#machine.crash(kind);
  }

  /** The process gets no turn for so long. Clocks go on. */
  pause(ms: number): void {
    this.#machine.pause(ms);
  }

  #start(): void {
    const main = this.#main;
    if (main === null) return;
    const life = async (): Promise<void> => {
      const outcome = await this.run(main);
      if (outcome.kind !== "failed") return;
      this.#world.tell(`${this.name} ends: ${outcome.error.message}`);
      if (this.#main === main) this.#machine.crash("process");
    };
    life().catch((error: unknown) => {
      this.#world.after(0, () => {
        throw error;
      });
    });
  }

  #startLater(): void {
    const main = this.#main;
    if (main === null) return;
    this.#world.after(this.#restarts.skewed(1, restartMsMax) * 1_000, () => {
      if (this.#main === main && !this.#machine.up) this.#start();
    });
  }
}
