import { ambientMutants } from "./ambient.ts";
import { checkpointMutants } from "./checkpoint.ts";
import { backpressureMutants } from "./backpressure.ts";
import { compactionMutants } from "./compaction.ts";
import { facadeMutants } from "./facade.ts";
import { gatewayMutants } from "./gateway.ts";
import { kvMutants } from "./kv.ts";
import { manifestMutants } from "./manifest.ts";
import type { Mutant } from "./mutant.ts";
import { readCacheMutants } from "./read-caches.ts";
import { rangeDeleteMutants } from "./range-deletes.ts";
import { readMutants } from "./reads.ts";
import { recoveryMutants } from "./recovery.ts";
import { recyclingMutants } from "./recycling.ts";
import { scanMutants } from "./scans.ts";
import { tableMutants } from "./tables.ts";
import { toolMutants } from "./tools.ts";
import { valueLogMutants } from "./value-log.ts";
import { walMutants } from "./wal.ts";

/** Every planted bug. `nokv mutants` measures how fast each is found. */
export const mutants: readonly Mutant[] = [
  ...walMutants,
  ...recyclingMutants,
  ...backpressureMutants,
  ...recoveryMutants,
  ...manifestMutants,
  ...tableMutants,
  ...compactionMutants,
  ...checkpointMutants,
  ...readMutants,
  ...rangeDeleteMutants,
  ...scanMutants,
  ...readCacheMutants,
  ...valueLogMutants,
  ...kvMutants,
  ...facadeMutants,
  ...gatewayMutants,
  ...toolMutants,
  ...ambientMutants,
];
