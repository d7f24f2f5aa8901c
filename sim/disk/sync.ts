import { DiskError } from "../../core/env/disk.ts";
import type { SyncDone } from "../../core/env/disk.ts";
import type { DiskState } from "./disk-state.ts";
import type { DiskFence } from "./disk-world.ts";
import type { PathTally } from "./path-tally.ts";

/** One in this many failed syncs reports that there was no room for blocks promised earlier. */
const failuresPerNoSpace = 8;

/** A sync under way: who asked, what to report, and what it does to the device when it ends. */
export interface SyncRequest {
  readonly operation: "sync" | "sync-dir";
  readonly path: string;
  readonly tally: PathTally;
  readonly fence: DiskFence;
  readonly done: SyncDone;
  succeed(): void;
  /** `draw` decides what of the covered changes the device took all the same. */
  fail(draw: number): void;
}

/** Lets the request end after its time, in one of the ways the faults allow. */
export function startSync(state: DiskState, request: SyncRequest): void {
  const { world, faults, dice } = state;
  const { tally } = request;
  const ordinal = tally.syncs++;
  const fails = dice.hits(faults.syncFailed, "disk.sync-failed", tally.entity, ordinal);
  const value = world.draw("disk.sync-us", tally.entity, ordinal);
  let delayUs = dice.between(faults.syncUsMin, faults.syncUsMax, value);
  if (dice.hits(faults.stall, "disk.stall", tally.entity, ordinal)) {
    const stall = world.draw("disk.stall-us", tally.entity, ordinal);
    delayUs += dice.between(faults.stallUsMin, faults.stallUsMax, stall);
    state.count("disk.stall");
  }
  const epoch = state.epoch;
  world.schedule(delayUs, () => {
    if (state.epoch !== epoch) return;
    const error = fails ? fail(state, request, ordinal) : null;
    if (error === null) request.succeed();
    if (!request.fence.alive()) return;
    request.fence.result("sync-done", error === null ? "ok" : error.code, 0);
    request.done(error);
  });
}

function fail(state: DiskState, request: SyncRequest, ordinal: number): DiskError {
  const draw = state.world.draw("disk.sync-failure", request.tally.entity, ordinal);
  request.fail(draw);
  state.count("disk.sync-failed");
  const code = draw % failuresPerNoSpace === 0 ? "ENOSPC" : "EIO";
  return new DiskError(code, request.operation, request.path);
}
