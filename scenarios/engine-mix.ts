import { assert } from "../core/assert.ts";
import type { Dice } from "../sim/dice.ts";

/** What one step of a workload does. */
export type StepKind =
  | "commit" | "burst" | "get" | "latest" | "scan" | "scan-latest" | "scan-keys" | "everything"
  | "held-iterator" | "snapshot" | "read-across" | "under-snapshots" | "hot-keys" | "large-batch"
  | "flush" | "compact" | "settle" | "in-tables" | "outlast" | "pause"
  | "verify" | "checkpoint" | "move";

/** How often each kind comes, in 100 steps of a seed that favours none. */
const usualWeights: Readonly<Record<StepKind, number>> = {
  "commit": 37, "burst": 2, "get": 9, "latest": 4, "scan": 8, "scan-latest": 1, "scan-keys": 1, "everything": 2,
  "held-iterator": 6, "snapshot": 8, "read-across": 1, "under-snapshots": 2, "hot-keys": 2, "large-batch": 1,
  "flush": 3, "compact": 1, "settle": 2, "in-tables": 1, "outlast": 1, "pause": 6,
  "verify": 1, "checkpoint": 1, "move": 1,
};

const stepKinds = Object.keys(usualWeights).toSorted() as readonly StepKind[];
/** Kinds that take as long as a hundred others: never favoured. */
const costly: ReadonlySet<StepKind> = new Set(["verify", "checkpoint", "move", "everything", "outlast"]);
const favouredWeight = 12;

/**
 * What the steps and writes of one seed are like. A bug that needs ten of one thing in a row, or none of another,
 * is not found where everything is as frequent as ever: a share of the seeds does without some kinds of steps and
 * favours a few (swarm testing).
 */
export class EngineMix {
  readonly #weights: Readonly<Record<StepKind, number>>;
  readonly #total: number;
  /** Of 12 writes, so many are range deletes, and so many delete one key. */
  readonly rangeDeletes: number;
  readonly deletes: number;
  /** Of 20 values, so many expire. */
  readonly expiring: number;

  constructor(dice: Dice) {
    const weights = { ...usualWeights };
    if (dice.chance(2, 3)) {
      for (const kind of stepKinds) if (dice.chance(1, 2) && kind !== "commit") weights[kind] = 0;
      for (let favoured = dice.between(1, 4); favoured > 0; favoured--) {
        const kind = dice.pick(stepKinds);
        if (!costly.has(kind)) weights[kind] += favouredWeight;
      }
    }
    this.#weights = weights;
    this.#total = stepKinds.reduce((sum, kind) => sum + weights[kind], 0);
    this.rangeDeletes = dice.pick([1, 1, 1, 0, 4]);
    this.deletes = dice.pick([3, 3, 3, 0, 6]);
    this.expiring = dice.pick([4, 4, 4, 0, 12]);
  }

  step(dice: Dice): StepKind {
    let left = dice.below(this.#total);
    for (const kind of stepKinds) {
      left -= this.#weights[kind];
      if (left < 0) return kind;
    }
    assert(false, "weights sum up to their total");
  }
}
