import type { TargetProgress } from "./expand-journal.ts";
import type { OnlineStatus, ExpandingRegion } from "./online.ts";

/** A running cluster's status, with what it means and what comes next. */
export interface OnlineReport extends OnlineStatus {
  readonly clusterId: string;
  readonly summary: string;
  /** Everybody answers, every region has one replica, and there are stores to bring it to. */
  readonly readyForExpand: boolean;
  /** Everybody answers, and nothing is on its way. */
  readonly readyForVerify: boolean;
  /** "": nothing is under way. */
  readonly resume: string;
  readonly nextSteps: readonly string[];
  /** What expansions have noted and not finished. */
  readonly underWay: readonly TargetProgress[];
}

export interface ReportedCluster {
  readonly clusterId: string;
  /** All that the topology names. */
  readonly storeIds: readonly number[];
  /** As an operator would name the topology. */
  readonly config: string;
  /** Of the expansions' journal. */
  readonly targets: readonly TargetProgress[];
}

/** A store is lost, and two of three voters go on; two voters are both needed. */
const votersMin = 3;

export function onlineReport(status: OnlineStatus, cluster: ReportedCluster): OnlineReport {
  const { stage, regions, problems } = status;
  const underWay = cluster.targets.filter(({ step }) => step !== "done");
  const idle = idleStores(regions, cluster.storeIds);
  const isWell = problems.length === 0;
  return {
    ...status,
    clusterId: cluster.clusterId,
    summary: summaryOf(status),
    readyForExpand: isWell && stage === "seeded" && idle.length >= votersMin - 1,
    readyForVerify: isWell && stage !== "expanding" && stage !== "unknown",
    resume: resumeOf(stage, underWay),
    nextSteps: stepsOf(status, cluster, underWay, idle),
    underWay,
  };
}

/** Stores without a replica of any region. */
function idleStores(regions: readonly ExpandingRegion[], storeIds: readonly number[]): readonly number[] {
  const used = new Set(regions.flatMap(({ members }) => members.map(({ storeId }) => storeId)));
  return storeIds.filter((storeId) => !used.has(storeId));
}

function votersOf({ members }: ExpandingRegion): number {
  return members.filter(({ role }) => role === "voter").length;
}

function summaryOf({ stage, regions }: OnlineStatus): string {
  const counts = regions.map(votersOf);
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  switch (stage) {
    case "seeded":
      return `${counted(regions.length, "region")} of one replica: what its store loses is lost`;
    case "expanding": {
      const wanted = Math.max(most, ...regions.map(({ members }) => members.length));
      const open = regions.filter((region) => votersOf(region) < wanted || region.members.length > votersOf(region));
      return `voters are wanting in ${open.length} of ${counted(regions.length, "region")}`;
    }
    case "expanded": {
      const range = least === most ? `${least}` : `${least} to ${most}`;
      const weak = least < votersMin ? "; of two, both are needed for everything" : "";
      return `${counted(regions.length, "region")} of ${range} voters${weak}`;
    }
    case "unknown":
      return "not every key is led by somebody just now";
  }
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function resumeOf(stage: OnlineStatus["stage"], underWay: readonly TargetProgress[]): string {
  if (underWay.some(({ step }) => step === "aborting")) {
    return "an expansion is being taken back: nokv migrate expand --abort again finishes that";
  }
  if (underWay.length === 0 && stage !== "expanding") return "";
  return "an expansion is not over: the same command finishes it, --abort takes back what does not vote";
}

// oxlint-disable-next-line max-params
function stepsOf(
  { stage, regions }: OnlineStatus,
  { config, targets }: ReportedCluster,
  underWay: readonly TargetProgress[],
  idle: readonly number[],
): readonly string[] {
  const expand = (stores: readonly number[]): string => {
    return `nokv migrate expand --config ${config} --to ${stores.join(",") || "STORES"}`;
  };
  switch (stage) {
    case "seeded":
      if (underWay.length > 0) return [expand(storesOf(targets))];
      if (idle.length >= votersMin - 1) return [expand(idle.slice(0, votersMin - 1))];
      return [
        `name ${counted(votersMin - 1 - idle.length, "more store")} in ${config}`,
        `on each machine: nokv serve --config ${config} --store-id N`,
      ];
    case "expanding":
      return [expand(missingStores(regions, underWay)), "or the same with --abort, while nothing of it votes"];
    case "expanded":
      return [
        `nokv migrate verify --config ${config}`,
        `nokv stores replicas ${votersMin} --config ${config} keeps that many when a store is lost`,
      ];
    case "unknown":
      return ["start the stores and the Coordinator that are silent, then look again"];
  }
}

function storesOf(targets: readonly { readonly storeId: number }[]): readonly number[] {
  return [...new Set(targets.map(({ storeId }) => storeId))].toSorted((a, b) => a - b);
}

/** Where the journal, a learner or another region's voter says that a voter is to be, and some region has none. */
function missingStores(regions: readonly ExpandingRegion[], underWay: readonly TargetProgress[]): readonly number[] {
  const wanted = storesOf([...underWay, ...regions.flatMap(({ members }) => members)]);
  return wanted.filter((storeId) =>
    regions.some(({ members }) => !members.some((member) => member.storeId === storeId && member.role === "voter")),
  );
}
