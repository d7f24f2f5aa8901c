import type { Env } from "../core/env/env.ts";
import type { Trace } from "../core/env/trace.ts";
import { parseAction } from "../failpoints/action.ts";
import { failpoints as catalog } from "../failpoints/catalog.ts";
import { Failpoints } from "../failpoints/failpoints.ts";
import { HostClock } from "./clock.ts";
import { HostDisk } from "./disk.ts";
import { HostJobs } from "./jobs.ts";
import { HostNetwork } from "./network.ts";
import { HostRandom } from "./random.ts";

export interface HostEnvOptions {
  /** As `NOKV_FAILPOINTS`; null: none, whatever the variable says. */
  readonly failpoints?: string | null;
  readonly trace?: Trace;
  /** Whoever gives them closes them; by default they end with the process. */
  readonly jobs?: HostJobs;
}

const silent: Trace = { enabled: false, emit: () => {} };

/** The real world of this process. Opens nothing yet: threads and sockets start when they are used. */
export function openHostEnv(options: HostEnvOptions = {}): Env {
  const random = new HostRandom();
  const failpoints = new Failpoints({
    draw: (name, visit) => random.u32(`failpoint/${name}`, 0, visit) % 100,
    crash: () => killSelf(),
  });
  const { failpoints: text = process.env["NOKV_FAILPOINTS"] ?? null } = options;
  if (text !== null && text !== "") armFailpoints(failpoints, text);
  return {
    clock: new HostClock(),
    disk: new HostDisk(),
    network: new HostNetwork(),
    random,
    jobs: options.jobs ?? new HostJobs(),
    failpoints,
    trace: options.trace ?? silent,
  };
}

/**
 * Arms what `text` lists: `name=action` separated by commas, e.g. "core/wal/before-sync=1*error". Throws
 * RangeError when a name is not in the catalog or an action does not parse.
 */
export function armFailpoints(failpoints: Failpoints, text: string): void {
  for (const entry of text.split(",")) {
    const [name = "", action = ""] = entry.split("=");
    const point = catalog.find((candidate) => candidate.name === name.trim());
    if (point === undefined) throw new RangeError(`failpoint "${name.trim()}" is not in the catalog`);
    failpoints.arm(point, parseAction(action.trim()));
  }
}

/** As abrupt as the simulator's crash: no handler, no flush, no further instruction. */
function killSelf(): never {
  process.kill(process.pid, "SIGKILL");
  // The signal takes effect on the way out of the system call at the latest; nothing may happen before.
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}
