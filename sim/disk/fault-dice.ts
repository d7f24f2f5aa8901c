import type { DiskFaults } from "./disk-faults.ts";
import type { DiskWorld } from "./disk-world.ts";
import { within } from "./sector.ts";

/** Keyed decisions at the rates in force now. A rate of 0 costs no draw. */
export class FaultDice {
  readonly world: DiskWorld;
  readonly faults: DiskFaults;

  constructor(world: DiskWorld, faults: DiskFaults) {
    this.world = world;
    this.faults = faults;
  }

  hits(ratePerMillion: number, stream: string, entity: number, ordinal: number): boolean {
    return ratePerMillion > 0 && within(this.world.draw(stream, entity, ordinal), ratePerMillion);
  }

  /** A value in [low, high]. */
  between(low: number, high: number, draw: number): number {
    return low + (draw % Math.max(1, high - low + 1));
  }
}
