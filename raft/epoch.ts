import { assert } from "../core/assert.ts";

/**
 * How often a region's range (`version`) and its peers (`confVer`) have changed. Both start at 1 and only grow, so
 * two descriptors of one region are ordered, and a range that is split and merged back has another version.
 */
export interface RegionEpoch {
  readonly version: number;
  readonly confVer: number;
}

/** Commands by what they check and change. Transfer of leadership, compaction and hashing are "unfenced". */
export type EpochCommand =
  | "data"
  | "change-peers"
  | "split"
  | "prepare-merge"
  | "commit-merge"
  | "rollback-merge"
  | "bump-version"
  | "unfenced";

interface Checks {
  readonly version: boolean;
  readonly confVer: boolean;
}

const checks: Readonly<Record<EpochCommand, Checks>> = {
  data: { version: true, confVer: false },
  "change-peers": { version: false, confVer: true },
  split: { version: true, confVer: true },
  "prepare-merge": { version: true, confVer: true },
  "commit-merge": { version: true, confVer: true },
  "rollback-merge": { version: true, confVer: true },
  "bump-version": { version: true, confVer: false },
  unfenced: { version: false, confVer: false },
};

/**
 * Whether a command that was made for `asked` may run on a region at `actual`: at propose, and with authority at
 * apply. Equality, not at least: a request that knows more than this replica must go elsewhere too.
 */
export function epochAllows(command: EpochCommand, asked: RegionEpoch, actual: RegionEpoch): boolean {
  const { version, confVer } = checks[command];
  if (version && asked.version !== actual.version) return false;
  return !confVer || asked.confVer === actual.confVer;
}

/** Of a change of `count` peers, one joint step entered or left included. */
export function epochAfterPeers(epoch: RegionEpoch, count: number): RegionEpoch {
  assert(count >= 1, "a change of peers changes something");
  return { version: epoch.version, confVer: epoch.confVer + count };
}

/** Of the parent and of each of the `count` children. */
export function epochAfterSplit(epoch: RegionEpoch, count: number): RegionEpoch {
  assert(count >= 1, "a split makes at least one child");
  return { version: epoch.version + count, confVer: epoch.confVer };
}

/** Of the source. The new `confVer` keeps changes of peers out until the merge is over. */
export function epochAfterPrepareMerge(source: RegionEpoch): RegionEpoch {
  return { version: source.version + 1, confVer: source.confVer + 1 };
}

/** Of the target: above both, so that no older range of either passes for the merged one. */
export function epochAfterCommitMerge(source: RegionEpoch, target: RegionEpoch): RegionEpoch {
  return { version: Math.max(source.version, target.version) + 1, confVer: target.confVer };
}

export function epochAfterRollbackMerge(source: RegionEpoch): RegionEpoch {
  return { version: source.version + 1, confVer: source.confVer };
}

/** Of a region that nothing else happens to: what was meant for the version before does nothing any more. */
export function epochAfterBump(epoch: RegionEpoch): RegionEpoch {
  return { version: epoch.version + 1, confVer: epoch.confVer };
}

export function epochEquals(a: RegionEpoch, b: RegionEpoch): boolean {
  return a.version === b.version && a.confVer === b.confVer;
}

/** `a` is not older than `b` in either part. Only for descriptors of one region: `confVer` is each region's own. */
export function epochCovers(a: RegionEpoch, b: RegionEpoch): boolean {
  return a.version >= b.version && a.confVer >= b.confVer;
}
