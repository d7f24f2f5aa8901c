/**
 * Where the Coordinator is reached in a transport. Ids of stores are given out from 1 upwards, so none ever gets there.
 * Its process says so in its hello: role "coordinator", under this id.
 */
export const coordinatorId = 2 ** 52;

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
} as const;

export type CoordinatorMethod = keyof typeof coordinatorMethod;
