import { VersionedBatch } from "../../core/engine/versioned-batch.ts";
import type { VersionedStore } from "../../core/engine/versioned-store.ts";
import { tombstoneBeforeLog } from "../../failpoints/catalog.ts";
import type { Failpoints } from "../../failpoints/failpoints.ts";
import type { PeerId } from "../entry.ts";
import type { RegionMeta } from "../region.ts";
import { type ApplyState, putApplyState, putRegionState } from "./local-records.ts";
import { noteKey } from "./log-notes.ts";
import { decodePeerNote, encodePeerNote } from "./peer-note.ts";
import type { RaftLog } from "./raft-log.ts";
import type { SnapshotTransfer } from "./snapshot-transfer.ts";
import type { Tombstone } from "./tombstone.ts";

export interface GraveyardParts {
  readonly engine: VersionedStore;
  readonly log: RaftLog;
  readonly transfer: SnapshotTransfer;
  readonly failpoints: Failpoints;
  readonly fail: (error: Error) => void;
  /** Nothing is begun any more. */
  readonly stopped: () => boolean;
}

/** A peer that leaves: of which region, as it knew it itself, and what it had applied. */
export interface Leaving {
  readonly peerId: PeerId;
  readonly own: RegionMeta;
  readonly state: ApplyState;
}

/**
 * Peers that left a store. First their tombstone is durable, then their log goes (R13): a peer without its log that was
 * not removed would be damage. Then their records go.
 */
export class Graveyard {
  readonly #parts: GraveyardParts;
  readonly #tombstones = new Map<number, Tombstone>();
  /** Of regions whose log and records are about to go; null: there are no records. */
  readonly #burials = new Map<number, RegionMeta | null>();

  constructor(parts: GraveyardParts) {
    this.#parts = parts;
  }

  tombstone(regionId: number): Tombstone | null {
    return this.#tombstones.get(regionId) ?? null;
  }

  /** The log of a peer of that region is still about to go: its entries would pass for another one's. */
  holds(regionId: number): boolean {
    return this.#burials.has(regionId);
  }

  /** Where records are about to go. */
  ranges(): RegionMeta[] {
    return [...this.#burials.values()].filter((region) => region !== null);
  }

  /** As the engine knows it from an earlier life. */
  restore(leaving: Leaving): void {
    this.#note(leaving, leaving.own);
    const group = this.#parts.log.group(leaving.own.id);
    if (group === null) return;
    // A successor that waits for its first snapshot: its vote is in there, and stays given (R11).
    const note = group.notes.get(noteKey.peer);
    if (note !== undefined && decodePeerNote(note) > leaving.peerId) return;
    // Its records went with it, or some part of them is garbage that nobody reads.
    this.destroyLog(leaving.own.id);
  }

  /** `region` says that the peer is none of its members. False: the engine has no room to say so. */
  bury(leaving: Leaving, region: RegionMeta): boolean {
    const { engine } = this.#parts;
    const batch = new VersionedBatch();
    putRegionState(batch, engine, { state: "tombstone", peerId: leaving.peerId, region });
    putApplyState(batch, engine, region.id, leaving.state);
    if (!engine.hasRoom(batch.byteLength)) return false;
    this.buried(leaving, region, engine.apply(batch));
    return true;
  }

  /** The same, where the batch that says so is in the engine already. */
  buried(leaving: Leaving, region: RegionMeta, ticket: number): void {
    this.#note(leaving, region);
    this.#burials.set(region.id, leaving.own);
    this.#whenDurable(region.id, ticket);
  }

  /** Another region took its records; the batch that says so is in the engine. */
  taken(leaving: Leaving, ticket: number): void {
    this.hold(leaving);
    this.#whenDurable(leaving.own.id, ticket);
  }

  /** It is gone, its records are another region's or are about to be, and its log is still there. */
  hold(leaving: Leaving): void {
    this.#note(leaving, leaving.own);
    this.#burials.set(leaving.own.id, null);
  }

  destroyLog(regionId: number): void {
    const records = this.#burials.get(regionId) ?? null;
    this.#burials.set(regionId, records);
    this.#parts.log.submit([{ op: "destroy", group: regionId }], true, () => {
      if (this.#parts.stopped()) return;
      if (records === null) this.#burials.delete(regionId);
      else this.#clear(records);
    });
  }

  /** Peer `peerId` takes the place of one that had no region yet. */
  replaceUninitialised(regionId: number, peerId: PeerId, done: () => void): void {
    this.#burials.set(regionId, null);
    const value = encodePeerNote(peerId);
    // Together: between the two a message to the old one would make it again, without the vote that it gave.
    this.#parts.log.submit(
      [
        { op: "destroy", group: regionId },
        { op: "note", group: regionId, key: noteKey.peer, value },
      ],
      true,
      () => {
        this.#burials.delete(regionId);
        if (!this.#parts.stopped()) done();
      },
    );
  }

  /** Records of a region that has no peer here, and that nobody covers any more. */
  sweep(region: RegionMeta): void {
    if (this.#burials.has(region.id)) return;
    this.#burials.set(region.id, region);
    this.#clear(region);
  }

  #whenDurable(regionId: number, ticket: number): void {
    const { engine, fail, stopped } = this.#parts;
    engine.whenDurable(ticket, (error) => {
      if (error === null) this.#parts.failpoints.hit(tombstoneBeforeLog);
      if (error !== null) fail(error);
      else if (!stopped()) this.destroyLog(regionId);
    });
  }

  #clear(region: RegionMeta): void {
    this.#parts.transfer.clear(region, (error) => {
      this.#burials.delete(region.id);
      if (error !== null) this.#parts.fail(error);
    });
  }

  #note({ peerId, state }: Leaving, region: RegionMeta): void {
    this.#tombstones.set(region.id, { peerId, region, index: state.index, term: state.term });
  }
}
