/**
 * Where the Coordinator is reached in a transport. Ids of stores are given out from 1 upwards, so none ever gets
 * there. Its process says so in its hello: role "coordinator", under this id.
 */
export const coordinatorId = 2 ** 52;

/** The same of a member of a group, from 1 on. Member 0 is a Coordinator that is alone. */
export function coordinatorIdOf(memberId: number): number {
  return coordinatorId + memberId;
}

/** The member that is reached there; 0: one that is alone, or none at all. */
export function memberIdOf(storeId: number): number {
  return Math.max(0, storeId - coordinatorId);
}

/** Methods 1 to 63 are the Coordinator's. A number is never given to another method. */
export const coordinatorMethod = {
  timestamps: 1,
  allocateIds: 2,
  route: 3,
  publish: 4,
  regionHeartbeat: 5,
  storeHeartbeat: 6,
  stores: 7,
  transitions: 8,
  bootstrap: 9,
  /** 10: askSplit. Between members of a group: */
  snapshotPart: 11,
  greet: 12,
  fenceTimestamps: 40,
  /** A region's descriptor as this member knows it. 22 to 30: of the planner, too. */
  descriptor: 21,
} as const;

export type CoordinatorMethod = keyof typeof coordinatorMethod;
