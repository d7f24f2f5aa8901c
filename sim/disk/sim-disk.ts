import { assert } from "../../core/assert.ts";
import type { Disk } from "../../core/env/disk.ts";
import { corruptAtRest } from "./at-rest.ts";
import type { EntryChange } from "./directory.ts";
import type { AtRestDamage, AtRestKind, DiskFaults, MayCorrupt } from "./disk-faults.ts";
import { DiskSnapshot } from "./disk-snapshot.ts";
import { DiskState } from "./disk-state.ts";
import type { DiskFence, DiskWorld } from "./disk-world.ts";
import type { Inode } from "./inode.ts";
import { settle } from "./loss.ts";
import { spread, within } from "./sector.ts";
import { SimDiskView } from "./sim-disk-view.ts";

/** What an oracle may know of a file and no node can. The bytes are copies. */
export interface FileInspection {
  /** What a read gives. */
  readonly cached: Uint8Array;
  /** What the device holds. */
  readonly durable: Uint8Array;
  /** Writes and truncations that no completed sync covers. */
  readonly changeCount: number;
  /** Whether a power loss now would leave this name naming this file. */
  readonly entryDurable: boolean;
}

/** Power losses are numbered; each may be tried in this many variants. */
const variantsMax = 1 << 20;

/**
 * The disk of one machine, hostile within the contract of `core/env/disk.ts`. It outlives incarnations: each
 * gets its own view. The root directory "/" exists and is durable.
 */
export class SimDisk {
  readonly faults: DiskFaults;
  readonly #state: DiskState;

  /** `faults` is kept and read at every operation, so give each disk an object of its own. */
  constructor(world: DiskWorld, faults: DiskFaults) {
    this.faults = faults;
    this.#state = new DiskState(world, faults);
  }

  attach(fence: DiskFence): Disk {
    return new SimDiskView(this.#state, fence);
  }

  /** The process behind `view` died (or all): handles and locks go, the page cache stays. */
  processCrash(view: Disk | null = null): void {
    this.#state.abandon(view);
  }

  /**
   * The machine stopped. What nobody had synced is kept, lost or torn as the faults allow; syncs in flight
   * never complete. `variant` picks another outcome of the same loss, for enumeration; 0 is the usual one.
   */
  powerLoss(variant = 0): void {
    assert(variant >= 0 && variant < variantsMax, "a variant is within its bound");
    const state = this.#state;
    state.abandon(null);
    state.epoch++;
    const ordinal = state.powerLosses++ * variantsMax + variant;
    const lostEntries = this.#loseEntries(ordinal);
    const shown = state.namespace.walk().map((found) => found.node);
    const visible = new Set(shown);
    this.#countEntries(lostEntries);
    state.namespace.forgetCache();
    const donors = state.donors();
    for (const inode of donors) {
      if (inode.clean) continue;
      if (inode.changes.length > 0) this.#loseContents(inode, donors, variant, visible.has(inode));
      inode.forgetCache();
    }
    state.full = false;
    state.recount();
  }

  /** Errors that had settled on a file or a name are over. The rates are the caller's to lower. */
  heal(): void {
    this.#state.healCount++;
  }

  /** The disk is replaced by an empty one. */
  wipe(): void {
    this.restore(new DiskSnapshot(new DiskState(this.#state.world, this.faults)));
  }

  /** The state of the machine as if it had just been switched off with its page cache intact. */
  snapshot(): DiskSnapshot {
    return new DiskSnapshot(this.#state);
  }

  /**
   * Goes back to `snapshot`, of this disk or of another: open files, locks and syncs in flight are gone. A
   * snapshot can be restored any number of times.
   */
  restore(snapshot: DiskSnapshot): void {
    this.#state.abandon(null);
    this.#state.epoch++;
    snapshot.install(this.#state);
  }

  /**
   * Damages bytes that are durable and clean, where `mayCorrupt` agrees; null when no place was found. What
   * the cache holds of them changes too, as if it had been read again.
   */
  corruptAtRest(kind: AtRestKind, mayCorrupt: MayCorrupt): AtRestDamage | null {
    const ordinal = this.#state.corruptions++;
    return corruptAtRest(this.#state, { kind, mayCorrupt, ordinal });
  }

  inspect(path: string): FileInspection | null {
    const { directory, name, node } = this.#state.namespace.locate(path);
    if (node === null || node.kind !== "file") return null;
    return {
      cached: node.cached.slice(0, node.cached.size),
      durable: node.durable.slice(0, node.durable.size),
      changeCount: node.changes.length,
      entryDurable: directory.durable.get(name) === node,
    };
  }

  /** Every file and directory that has a name, sorted. */
  paths(): readonly string[] {
    return this.#state.namespace.walk().map((found) => found.path);
  }

  /** Whether a power loss now could take anything back. */
  get dirty(): boolean {
    const { namespace } = this.#state;
    if (namespace.changes.length > 0) return true;
    return this.#state.donors().some((inode) => !inode.clean);
  }

  /** Bytes that count against `faults.quotaBytes`. */
  get usedBytes(): number {
    return this.#state.usedBytes;
  }

  get openFiles(): number {
    return this.#state.handles.size;
  }

  /** Some losses take everything, some a suffix, some any subset; all at the rate of the faults. */
  #loseEntries(ordinal: number): EntryChange[] {
    const { world, namespace } = this.#state;
    const rate = this.faults.entryLost;
    const shape = world.draw("disk.entries-lost", 0, ordinal);
    const mode = rate === 0 ? 3 : shape % 4;
    const newestKept = spread(shape, 1, 0) % (namespace.changes.length + 1);
    const first = namespace.changes[newestKept]?.sequence ?? Number.MAX_SAFE_INTEGER;
    return namespace.powerLoss((change) => {
      if (mode === 0 && within(spread(shape, 2, 0), rate)) return false;
      if (mode === 1) return change.sequence < first;
      const draw = world.draw("disk.entry-lost", change.tally.entity, change.ordinal);
      return !within(spread(draw, ordinal, 0), rate);
    });
  }

  #countEntries(lost: readonly EntryChange[]): void {
    for (const change of lost) {
      const shows = change.slots.some(({ directory, name }) => {
        return directory.cached.get(name) !== directory.durable.get(name);
      });
      if (shows) this.#state.count(change.kind === "rename" ? "disk.rename-lost" : "disk.entry-lost");
    }
  }

  #loseContents(inode: Inode, donors: readonly Inode[], variant: number, visible: boolean): void {
    const { faults } = this;
    const state = this.#state;
    const { tally } = inode;
    const draw = state.world.draw("disk.contents-lost", tally.entity, tally.losses++ * variantsMax + variant);
    if (within(draw, faults.lostWrite)) {
      const loss = settle(inode, { count: inode.changes.length, donors }, faults, spread(draw, 0, 0));
      if (loss.kept) state.count("disk.kept-unacked");
      if (loss.garbage) state.count("disk.garbage-gap");
      if (loss.torn && visible) state.count("disk.torn-write");
      if (loss.lost && visible) state.count("disk.lost-write");
    } else {
      if (!inode.durable.equals(inode.cached)) state.count("disk.kept-unacked");
      inode.synced(inode.mark);
    }
  }
}
