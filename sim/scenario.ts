import type { SwarmOptions } from "./swarm.ts";
import type { World } from "./world.ts";

/**
 * Something we promise to survive. `run` builds machines in `world`, drives them, and judges: `world.fail`
 * ends the run with a violation, returning means that nothing was found. It must use nothing but `world` for
 * time, randomness and machines; everything else is trapped.
 */
export interface Scenario {
  /** Kebab-case; what `--scenario` takes. */
  readonly name: string;
  /** One sentence: what breaks for a user when this fails. */
  readonly why: string;
  /** Share of a mixed batch, relative to the other scenarios. A positive integer. */
  readonly weight: number;
  /** What the world is like in place of what the seed drew for it. Missing: as drawn. */
  readonly bend?: (drawn: SwarmOptions) => SwarmOptions;
  /**
   * What `why` is empty without, and many seeds get to: `world.reach` says so. A batch in which none of so many seeds
   * does has failed.
   */
  readonly reaches?: readonly string[];
  run(world: World): Promise<void>;
}
