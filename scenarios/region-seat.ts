import type { RegionMeta } from "../raft/region.ts";
import type { Store } from "../raft/store/store.ts";
import type { Machine } from "../sim/machine.ts";

/** A machine with a store, as far as deeds go. */
export interface RegionSeat {
  readonly storeId: number;
  readonly machine: Machine;
  readonly node: { readonly store: Store } | null;
  /** No process is started there. */
  held: boolean;
  /** Its engine has no room for so long. */
  cramp?(ms: number): void;
  loosen?(): void;
  /** Its process ends in order, and another one begins. */
  restart?(): void;
  /** On the process's own turn. */
  enter(run: (node: { readonly store: Store }) => void): Promise<boolean>;
}

/** Whoever leads a region, as far as it knows itself. */
export interface Office {
  readonly seat: RegionSeat;
  readonly store: Store;
  readonly term: number;
  readonly region: RegionMeta;
}

/** The leader of the highest term. */
export function leaderOf(seats: readonly RegionSeat[], region: number): Office | null {
  let found: Office | null = null;
  for (const seat of seats) {
    const { node } = seat;
    if (node === null || !seat.machine.up) continue;
    const view = node.store.region(region);
    if (view === null || view.leadingTerm <= (found?.term ?? 0)) continue;
    found = { seat, store: node.store, term: view.leadingTerm, region: view.region };
  }
  return found;
}
