import { NokvError } from "../core/errors.ts";
import type { ClusterClient } from "../node/cluster-client.ts";
import type { Dice } from "../sim/dice.ts";
import type { World } from "../sim/world.ts";

const decoder = new TextDecoder();

/** A register that one user writes: 1, 2, 3 and so on. */
interface Register {
  readonly key: string;
  attempted: number;
  acknowledged: number;
  /** The highest that was ever read: nobody may see less afterwards. */
  seen: number;
}

/**
 * Writes numbers that grow, each to a register of its own, and reads them. So what may be read is known exactly: not
 * less than what was acknowledged or read before the read began, not more than what was tried before it ended.
 */
export class LossUser {
  readonly #world: World;
  readonly #dice: Dice;
  readonly #registers: readonly Register[];
  readonly #operationMs: number;
  done = 0;
  failed = 0;

  constructor(world: World, index: number, operationMs: number) {
    this.#world = world;
    this.#dice = world.dice("user", index);
    this.#operationMs = operationMs;
    // One per region, whatever regions there are.
    this.#registers = ["k0", "k1", "k2", "k3"].map((start) => {
      return { key: `${start}/${index}`, attempted: 0, acknowledged: 0, seen: 0 };
    });
  }

  async work(client: ClusterClient): Promise<void> {
    const register = this.#dice.pick(this.#registers);
    if (this.#dice.chance(2, 3)) await this.#write(client, register);
    else await this.#read(client, register);
  }

  /** Everything that was acknowledged is there; false: somebody did not answer. */
  async readAll(client: ClusterClient): Promise<boolean> {
    for (const register of this.#registers) if (!(await this.#read(client, register))) return false;
    return true;
  }

  async #write(client: ClusterClient, register: Register): Promise<void> {
    const value = ++register.attempted;
    try {
      await client.set(register.key, String(value), { timeoutMs: this.#operationMs });
      register.acknowledged = Math.max(register.acknowledged, value);
      this.done++;
    } catch (error) {
      this.#expected(error);
    }
  }

  async #read(client: ClusterClient, register: Register): Promise<boolean> {
    const least = Math.max(register.acknowledged, register.seen);
    try {
      const bytes = await client.get(register.key, { timeoutMs: this.#operationMs });
      const value = bytes === null ? 0 : Number(decoder.decode(bytes));
      if (value < least || value > register.attempted) {
        const bounds = `${least} was acknowledged or read, ${register.attempted} tried`;
        this.#world.fail("linearizability", `${register.key} is ${value}: ${bounds}`);
      }
      register.seen = Math.max(register.seen, value);
      this.done++;
      return true;
    } catch (error) {
      this.#expected(error);
      return false;
    }
  }

  #expected(error: unknown): void {
    if (!(error instanceof NokvError)) throw error;
    this.failed++;
    const known = error.code === "NOKV_BUSY" || error.code === "NOKV_UNDETERMINED" || error.code === "NOKV_ABORTED";
    if (!known) this.#world.fail("errors", `${error.code}: ${error.message}`);
  }
}
