import type { Env } from "../core/env/env.ts";
import type { Dice } from "../sim/dice.ts";
import type { Machine } from "../sim/machine.ts";
import type { World } from "../sim/world.ts";

/** What the seats of a run have in common. */
export interface SeatStage {
  readonly world: World;
  closing: boolean;
  /** Faults are over. */
  calm: boolean;
}

interface Life {
  fatal: boolean;
  end: () => void;
}

/** What a process may end with, where disks fail. */
const explainedCodes = [
  "NOKV_IO", "NOKV_NO_SPACE", "NOKV_UNDETERMINED", "NOKV_POISONED", "NOKV_BUSY", "EIO", "ENOSPC", "EMFILE",
];

/** A simulated machine with one kind of node, which is opened again after every end. */
export class NodeSeat<T extends { close(): Promise<void> }> {
  readonly machine: Machine;
  readonly storeId: number;
  /** Null while nothing serves there. */
  node: T | null = null;
  /** No process is started there. */
  held = false;
  /** Its disk decays: processes may end for that, and may not begin any more. */
  rots = false;
  /** One did. */
  condemned = false;
  /** A process that served has met damage. */
  metDamage: () => void = () => {};
  readonly #stage: SeatStage;
  readonly #dice: Dice;
  readonly #open: (env: Env, onFatal: (error: Error) => void) => Promise<T>;
  #end: () => void = () => {};

  /** `storeId` 0: not a store. */
  // oxlint-disable-next-line max-params
  constructor(
    stage: SeatStage,
    name: string,
    storeId: number,
    open: (env: Env, onFatal: (error: Error) => void) => Promise<T>,
  ) {
    this.#stage = stage;
    this.machine = stage.world.machine(name);
    this.storeId = storeId;
    this.#open = open;
    this.#dice = stage.world.dice(`seat/${name}`);
    stage.world.mayCorrupt(this.machine, () => false);
  }

  /** On the process's own turn; false: there is none, or it died before. */
  async enter(run: (node: T) => void): Promise<boolean> {
    let isDone = false;
    await this.work(async (node) => {
      run(node);
      isDone = true;
      await Promise.resolve();
    });
    return isDone;
  }

  /** The same, for what takes time; ends with the process. */
  async work(run: (node: T) => Promise<void>): Promise<void> {
    const { node } = this;
    if (node === null || !this.machine.up) return;
    const outcome = await this.machine.run(async () => {
      await Promise.resolve();
      if (this.node === node) await run(node);
    });
    if (outcome.kind === "failed") throw outcome.error;
  }

  /** One process after the other, until the run ends. */
  async keepRunning(): Promise<void> {
    const { world } = this.#stage;
    while (!this.#stage.closing) {
      const outcome = await this.machine.run((env) => this.#live(env));
      this.node = null;
      if (outcome.kind === "failed") this.#explain("open", outcome.error);
      this.machine.crash("process");
      if (!this.#stage.closing) await world.sleep(this.#dice.skewed(1, this.#stage.calm ? 100 : 3_000));
      if (this.condemned && !this.#stage.closing) await world.sleep(this.#dice.between(1_000, 20_000));
      while (this.held && !this.#stage.closing) await world.sleep(50);
    }
  }

  /** In order. */
  stop(): void {
    this.#end();
  }

  async #live(env: Env): Promise<void> {
    const life: Life = { fatal: false, end: () => {} };
    const ended = new Promise<null>((resolve) => {
      life.end = () => resolve(null);
    });
    this.#end = () => life.end();
    const onFatal = (error: Error): void => {
      if (life.fatal) return;
      life.fatal = true;
      this.#explain("fatal", error);
      life.end();
    };
    // Where the disk refuses, an opening may never come to its end.
    const node = await Promise.race([this.#open(env, onFatal), ended]);
    if (node === null || life.fatal) return;
    this.node = node;
    if (this.#dice.chance(1, 6)) {
      env.clock.after(this.#dice.skewed(10_000, 20_000_000), () => {
        if (!this.#stage.calm) life.end();
      });
    }
    if (!this.#stage.closing) await ended;
    this.node = null;
    // A process that lost its disk ends as it is; others end in order.
    if (life.fatal) return;
    await node.close();
    const { openFiles } = this.machine.disk;
    if (openFiles > 0) this.#stage.world.fail("leaks", `${openFiles} files are open after close`);
  }

  #explain(what: string, error: unknown): void {
    if (!(error instanceof Error) || !("code" in error)) throw error;
    const { world } = this.#stage;
    const code = String(error.code);
    world.story(`${this.machine.name}: ${what}: ${code} ${error.message}`);
    const isDamage = this.rots && code === "NOKV_CORRUPTION";
    this.condemned ||= isDamage;
    if (isDamage && what === "fatal") this.metDamage();
    const explained = isDamage || explainedCodes.includes(code);
    if (world.options.faultFree || !explained) world.fail("errors", `${this.machine.name}: ${what}: ${error.message}`);
  }
}
