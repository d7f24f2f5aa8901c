import type { RegionMeta } from "../raft/region.ts";
import { mergeProblem } from "../raft/store/merge-rules.ts";
import type { RegionLeader } from "./leader-view.ts";
import type { MergeRegion } from "./operator.ts";
import type { PlanLimits, PlanView } from "./plan-view.ts";
import type { RegionReport } from "./region-report.ts";
import type { StoreRoles } from "./store-roles.ts";

interface Half {
  readonly region: RegionMeta;
  readonly leader: RegionLeader;
  readonly report: RegionReport;
}

/**
 * Neighbours that go together: both small and seldom asked, both for long as they are, and with their replicas on the
 * same stores, all of them there. Nothing is moved for it: a pair that lies elsewhere waits until balance brings it
 * together. What is merged takes less than half of what is divided, and what was divided takes more than what is
 * merged, so without writes the two come to rest.
 */
// oxlint-disable-next-line max-params
export function planMerges(
  view: PlanView,
  roles: StoreRoles,
  limits: PlanLimits,
  isFree: (regionId: number) => boolean,
): MergeRegion[] {
  const { mergeBytesMax, mergingMax, regionsPerStoreMin, mergeCommandsPerSecondMax } = limits;
  if (mergeBytesMax === 0) return [];
  const stores = view.stores.filter(({ membership }) => membership === "member").length;
  // Those that are under way are one region fewer each.
  const spare = view.regions.length - view.merging - Math.max(1, regionsPerStoreMin * stores);
  const room = Math.min(mergingMax - view.merging, spare);
  const merges: MergeRegion[] = [];
  let left: Half | null = null;
  for (const region of view.regions) {
    if (merges.length >= room) break;
    const right = halfOf(region, view, roles, limits, isFree);
    const source = left;
    left = right;
    if (source === null || right === null || mergeProblem(source.region, region) !== null) continue;
    const commands = source.report.commandsPerSecond + right.report.commandsPerSecond;
    if (commands >= mergeCommandsPerSecondMax) continue;
    merges.push(mergeOf(source, region));
    left = null;
  }
  return merges;
}

/** Null: it takes part in no merge now. What nobody has told of is not small. */
// oxlint-disable-next-line max-params
function halfOf(
  region: RegionMeta,
  view: PlanView,
  roles: StoreRoles,
  { mergeBytesMax }: PlanLimits,
  isFree: (regionId: number) => boolean,
): Half | null {
  const { id, peers } = region;
  const report = view.reportOf(id);
  const leader = view.leaderOf(id);
  if (report === null || leader === null || report.sizeBytes === 0 || report.sizeBytes >= mergeBytesMax) return null;
  if (view.isBusy(id) || !isFree(id) || !view.isQuiet(id)) return null;
  // Each replica has to say that it stands still: one that is away would hold the merge up, and clients with it.
  const isWhole = peers.every(({ peerId, storeId }) => {
    const peer = report.peers.find((told) => told.peerId === peerId);
    return roles.answers(storeId) && peer?.silentMs === 0 && peer.caughtUp;
  });
  return isWhole ? { region, leader, report } : null;
}

function mergeOf({ region, leader }: Half, target: RegionMeta): MergeRegion {
  const { storeId, peerId, term } = leader;
  return {
    kind: "merge", regionId: region.id, term, source: { storeId, peerId }, epoch: region.epoch,
    targetId: target.id, targetEpoch: target.epoch,
  };
}
