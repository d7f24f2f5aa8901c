import { DiskError } from "../../core/env/disk.ts";
import type { SyncDone } from "../../core/env/disk.ts";
import type { DiskState } from "./disk-state.ts";
import type { DiskFence } from "./disk-world.ts";
import type { PathTally } from "./path-tally.ts";

/** One in this many failed syncs reports that there was no room for blocks promised earlier. */
const failuresPerNoSpace = 8;

/** A sync: who asked, and what it does to the device when it ends. */
export interface SyncOrder {
  readonly operation: "sync" | "sync-dir";
  readonly path: string;
  readonly tally: PathTally;
  readonly fence: DiskFence;
  succeed(): void;
  /** `draw` decides what of the covered changes the device took all the same. */
  fail(draw: number): void;
}

/** One under way: what to report as well. */
export interface SyncRequest extends SyncOrder {
  readonly done: SyncDone;
}

interface Fate {
  readonly ordinal: number;
  readonly fails: boolean;
  readonly delayUs: number;
}

/** Lets the request end after its time, in one of the ways the faults allow. */
export function startSync(state: DiskState, request: SyncRequest): void {
  const { world } = state;
  const { ordinal, fails, delayUs } = fateOf(state, request.tally);
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

/** The same while the caller waits. Throws what the faults decide. */
export function syncNow(state: DiskState, order: SyncOrder): void {
  const { ordinal, fails, delayUs } = fateOf(state, order.tally);
  state.world.charge(delayUs);
  const error = fails ? fail(state, order, ordinal) : null;
  if (error === null) order.succeed();
  order.fence.result(order.operation, error === null ? "ok" : error.code, 0);
  if (error !== null) throw error;
}

function fateOf(state: DiskState, tally: PathTally): Fate {
  const { world, faults, dice } = state;
  const ordinal = tally.syncs++;
  const fails = dice.hits(faults.syncFailed, "disk.sync-failed", tally.entity, ordinal);
  const value = world.draw("disk.sync-us", tally.entity, ordinal);
  let delayUs = dice.between(faults.syncUsMin, faults.syncUsMax, value);
  if (dice.hits(faults.stall, "disk.stall", tally.entity, ordinal)) {
    const stall = world.draw("disk.stall-us", tally.entity, ordinal);
    delayUs += dice.between(faults.stallUsMin, faults.stallUsMax, stall);
    state.count("disk.stall");
  }
  return { ordinal, fails, delayUs };
}

function fail(state: DiskState, request: SyncOrder, ordinal: number): DiskError {
  const draw = state.world.draw("disk.sync-failure", request.tally.entity, ordinal);
  request.fail(draw);
  state.count("disk.sync-failed");
  const code = draw % failuresPerNoSpace === 0 ? "ENOSPC" : "EIO";
  return new DiskError(code, request.operation, request.path);
}
