import type { Failpoints } from "../../failpoints/failpoints.ts";
import type { Clock } from "./clock.ts";
import type { Disk } from "./disk.ts";
import type { Jobs } from "./jobs.ts";
import type { Network } from "./network.ts";
import type { Random } from "./random.ts";
import type { Trace } from "./trace.ts";

/**
 * The world of one node incarnation: everything that is not a pure function of its arguments.
 *
 * Passed explicitly, never stored in a module. In production it lives as long as the process. In the
 * simulator a crash ends it: completions that were pending never arrive, every later call throws, and
 * nothing but the disk's durable image reaches the next incarnation. So correctness may not rest on
 * `finally`, `using` or any state outside the disk.
 */
export interface Env {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly network: Network;
  readonly random: Random;
  readonly jobs: Jobs;
  readonly failpoints: Failpoints;
  readonly trace: Trace;
}
