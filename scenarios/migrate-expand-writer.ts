import { NokvError } from "../core/errors.ts";
import type { ClusterClient } from "../node/cluster-client.ts";
import { openClusterClient } from "../node/open-cluster-client.ts";
import type { Machine } from "../sim/machine.ts";
import type { World } from "../sim/world.ts";
import type { ExpandPlan } from "./migrate-expand-plan.ts";

/** What rots on a learner: nobody writes it again then, or the next version would hide the rotten one. */
export const rottingKey = "key-0";

interface Written {
  /** What was acknowledged last, and what was sent last: each write of a key is one more than the one before. */
  acknowledged: number;
  sent: number;
}

/** Writes one key after the other before, while and after somebody expands, and knows what must be there. */
export class ExpandWriter {
  readonly #world: World;
  readonly #plan: ExpandPlan;
  readonly #machine: Machine;
  readonly #keys = new Map<string, Written>();
  over = false;

  constructor(world: World, plan: ExpandPlan) {
    this.#world = world;
    this.#plan = plan;
    this.#machine = world.machine("writer");
    for (let i = 0; i < plan.keys; i++) this.#keys.set(`key-${i}`, { acknowledged: 0, sent: 0 });
  }

  get acknowledged(): number {
    return [...this.#keys.values()].reduce((sum, { acknowledged }) => sum + acknowledged, 0);
  }

  /** What an embedded database is to hold that was filled instead. */
  given(): string[] {
    for (const written of this.#keys.values()) Object.assign(written, { acknowledged: 1, sent: 1 });
    return [...this.#keys.keys()];
  }

  /** Every key once: what the seed holds. */
  async fill(): Promise<boolean> {
    return await this.#with(async (client) => {
      for (const [key, written] of this.#keys) if (written.acknowledged === 0) await this.#write(client, key, written);
      return [...this.#keys.values()].every(({ acknowledged }) => acknowledged > 0);
    });
  }

  async work(): Promise<void> {
    const dice = this.#world.dice("writer");
    const keys = [...this.#keys];
    const { rots, writes } = this.#plan;
    await this.#with(async (client) => {
      for (let i = 0; i < writes && !this.over; i++) {
        const [key, written] = dice.pick(keys);
        if (!rots || key !== rottingKey) await this.#write(client, key, written);
        await this.#world.sleep(dice.skewed(1, this.#plan.electionMs));
      }
      return true;
    });
  }

  /** Everything as acknowledged, or as sent by a write of which nobody knows. False: it cannot be read now. */
  async judge(): Promise<boolean> {
    return await this.#with(async (client) => {
      for (const [key, { acknowledged, sent }] of this.#keys) {
        const value = await answered(client.get(key));
        if (value === undefined) return false;
        const number = value === null ? 0 : Number(new TextDecoder().decode(value).slice("value-".length));
        if (number >= acknowledged && number <= sent) continue;
        this.#world.fail("acknowledged", `${key} is ${number}; ${acknowledged} was acknowledged, ${sent} was sent`);
      }
      return true;
    });
  }

  async #write(client: ClusterClient, key: string, written: Written): Promise<void> {
    const next = ++written.sent;
    if ((await answered(client.set(key, `value-${next}`))) === undefined) return;
    written.acknowledged = next;
  }

  async #with(work: (client: ClusterClient) => Promise<boolean>): Promise<boolean> {
    const { topology, net, electionMs } = this.#plan;
    const outcome = await this.#machine.run(async (env) => {
      const options = { operationMs: electionMs * 10, attemptMs: electionMs };
      const client = openClusterClient(env, { topology, network: net, client: options });
      const done = await work(client);
      client.close();
      return done;
    });
    if (outcome.kind === "failed") throw outcome.error;
    return outcome.kind === "done" && outcome.value;
  }
}

/** Undefined: it was refused, or nobody knows. */
async function answered<T>(answer: Promise<T>): Promise<T | undefined | null> {
  try {
    return (await answer) ?? null;
  } catch (error) {
    if (error instanceof NokvError) return undefined;
    throw error;
  }
}
