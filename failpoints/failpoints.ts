import type { Action, ActionKind } from "./action.ts";

/** A named place in the code where a run may bend reality. All are declared in `catalog.ts`. */
export interface Failpoint {
  /** `room/file/place`, e.g. "core/wal/before-sync". */
  readonly name: string;
  readonly allows: readonly ActionKind[];
}

/** What is left for the site to act on: a crash never returns to it. */
export type SiteAction = Exclude<ActionKind, "crash">;

/** How a registry asks its world: `draw` decides percentages, `crash` ends the incarnation. */
export interface FailpointWorld {
  /** An integer in [0, 100) for visit number `visit` of `name`. */
  draw(name: string, visit: number): number;
  crash(name: string): never;
}

interface Armed {
  readonly action: Action;
  fired: number;
}

/**
 * The failpoints of one node incarnation. An instance, never a global: a simulation runs many nodes in one
 * process and must be able to bend exactly one of them.
 */
export class Failpoints {
  readonly #world: FailpointWorld;
  readonly #armed = new Map<string, Armed>();
  readonly #visits = new Map<string, number>();

  constructor(world: FailpointWorld) {
    this.#world = world;
  }

  arm(point: Failpoint, action: Action): void {
    if (!point.allows.includes(action.kind)) {
      throw new RangeError(`failpoint ${point.name} does not allow ${action.kind}`);
    }
    this.#armed.set(point.name, { action, fired: 0 });
  }

  disarm(point: Failpoint): void {
    this.#armed.delete(point.name);
  }

  /** Records the visit and says what the site must do; null is the common answer. */
  hit(point: Failpoint): SiteAction | null {
    const visit = (this.#visits.get(point.name) ?? 0) + 1;
    this.#visits.set(point.name, visit);
    const armed = this.#armed.get(point.name);
    if (armed === undefined) return null;
    const { kind, percent, count } = armed.action;
    if (count > 0 && armed.fired >= count) return null;
    if (percent < 100 && this.#world.draw(point.name, visit) >= percent) return null;
    armed.fired++;
    return kind === "crash" ? this.#world.crash(point.name) : kind;
  }

  /** Coverage: a catalogued place that a night of seeds never visits is a hole in the tests. */
  visitCount(point: Failpoint): number {
    return this.#visits.get(point.name) ?? 0;
  }
}
