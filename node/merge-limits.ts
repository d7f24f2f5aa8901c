import type { CoordinatorOptions } from "../coordinator/coordinator.ts";
import { splitLimitsDefault } from "./split-checker.ts";
import type { Topology } from "./topology.ts";

/** Of what a region is divided at: two that are merged take less than half of it. */
const splitShare = 4;

/** 0: nothing is divided by size, and any size will do. */
export function mergeBytesMost({ regionSplitBytes }: Pick<Topology, "regionSplitBytes">): number {
  return Math.floor((regionSplitBytes ?? splitLimitsDefault.regionSplitBytes) / splitShare);
}

/** Null: a Coordinator that knows of no topology, and of no stores that divide regions. */
export function withMerges(options: CoordinatorOptions, topology: Topology | null): CoordinatorOptions {
  if (topology === null) return options;
  const mergeBytesMax = topology.regionMergeBytes ?? mergeBytesMost(topology);
  const { regionSplitCommandsPerSecond } = splitLimitsDefault;
  const mergeCommandsPerSecondMax = Math.floor(regionSplitCommandsPerSecond / splitShare);
  return { ...options, scheduler: { ...options.scheduler, mergeBytesMax, mergeCommandsPerSecondMax } };
}
