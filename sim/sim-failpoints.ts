import { Failpoints, type Failpoint, type SiteAction } from "../failpoints/failpoints.ts";
import type { CrashKind } from "./incarnation.ts";
import type { KeyedRandom } from "./keyed-random.ts";
import type { RunRecord } from "./run-record.ts";

/** The failpoints of one incarnation; counts what fires. */
export class SimFailpoints extends Failpoints {
  /** What a "crash" takes away. */
  crashKind: CrashKind = "process";
  readonly #record: RunRecord;

  constructor(random: KeyedRandom, record: RunRecord, crash: (point: string) => never) {
    super({
      draw: (name, visit) => random.u32(`failpoint/${name}`, 0, visit) % 100,
      crash: (name) => {
        record.count("failpoint");
        return crash(name);
      },
    });
    this.#record = record;
  }

  override hit(point: Failpoint): SiteAction | null {
    const action = super.hit(point);
    if (action !== null) this.#record.count("failpoint");
    return action;
  }
}
