import type { Scenario } from "../sim/scenario.ts";
import { ClusterRun } from "./cluster.ts";
import { drawMergesPlan } from "./region-merges-plan.ts";
import { mergeAfterwards, mergeAmidFaults } from "./region-merges-watch.ts";

export const regionMerges: Scenario = {
  name: "region-merges",
  why: "Regions are divided and merged by plan and by hand, whatever befalls the cluster: clients see none of it.",
  weight: 1,
  reaches: [mergeAmidFaults, mergeAfterwards],
  run: (world) => new ClusterRun(world, drawMergesPlan(world)).run(),
};
