import { assert } from "../../core/assert.ts";
import { VersionedBatch } from "../../core/engine/versioned-batch.ts";
import type { VersionedStore } from "../../core/engine/versioned-store.ts";
import { NokvError } from "../../core/errors.ts";
import type { PeerId } from "../entry.ts";
import type { Restored } from "../raft-options.ts";
import { type RegionMeta, rangesOverlap } from "../region.ts";
import { voterConfiguration } from "../voter-configuration.ts";
import { beginningOfLog } from "./births.ts";
import type { Graveyard } from "./graveyard.ts";
import {
  type ApplyState,
  putApplyState,
  putRegionState,
  readApplyStates,
  readMergeStates,
  readRegionStates,
} from "./local-records.ts";
import { noteKey, storeGroup } from "./log-notes.ts";
import { coversSource } from "./merge-rules.ts";
import type { MergeState } from "./merge-state.ts";
import { Peer, noApplyState } from "./peer.ts";
import type { PeerContext } from "./peer-context.ts";
import { decodePeerNote, encodePeerNote } from "./peer-note.ts";
import { blank, restore, restoreUninitialised } from "./restored.ts";
import { bootstrapIndex, bootstrapTerm } from "./tombstone.ts";

export interface PeerTableParts {
  readonly context: PeerContext;
  readonly graveyard: Graveyard;
  /** It is in the table now, or not any more. */
  readonly came: (peer: Peer) => void;
  readonly went: (peer: Peer) => void;
  /** Nothing is begun any more. */
  readonly stopped: () => boolean;
}

/** The peers of a store: how they come back, begin, take each other's place and leave. */
export class PeerTable {
  readonly #parts: PeerTableParts;
  readonly #peers = new Map<number, Peer>();
  #inOrder: readonly Peer[] | null = null;
  /** Regions whose first peer is being made: nobody else makes one meanwhile, and their range is taken. */
  readonly #beginning = new Map<number, RegionMeta>();

  constructor(parts: PeerTableParts) {
    this.#parts = parts;
  }

  get(regionId: number): Peer | null {
    return this.#peers.get(regionId) ?? null;
  }

  /** Null: no peer of it is here that serves. */
  hosted(regionId: number): Peer | null {
    const peer = this.#peers.get(regionId);
    return peer?.serves === true ? peer : null;
  }

  get size(): number {
    return this.#peers.size;
  }

  /** Ascending by region. Sorted again when a peer has come or gone: every tick goes through all of them. */
  sorted(): readonly Peer[] {
    this.#inOrder ??= [...this.#peers.values()].toSorted(byRegion);
    return this.#inOrder;
  }

  /** Who has records in that region's range, or is about to have some, or whose are about to go; null: nobody. */
  obstacle(region: RegionMeta): RegionMeta | null {
    const others: RegionMeta[] = [...this.#beginning.values(), ...this.#parts.graveyard.ranges()];
    for (const peer of this.sorted()) {
      if (peer.initialised && !this.#isTakenBy(region, peer)) others.push(peer.region);
      const { installing } = peer;
      if (installing !== null) others.push(installing);
    }
    return others.find((other) => other.id !== region.id && rangesOverlap(other, region)) ?? null;
  }

  /** Frozen sources whose merge is in a snapshot of `region`: they end here, and their records are about to go. */
  endTakenBy(region: RegionMeta): readonly number[] {
    const taken = this.sorted().filter((peer) => this.#isTakenBy(region, peer));
    for (const peer of taken) {
      this.drop(peer);
      this.#parts.graveyard.hold({ peerId: peer.peerId, own: peer.region, state: peer.applyState });
    }
    return taken.map(({ regionId }) => regionId);
  }

  #isTakenBy(region: RegionMeta, peer: Peer): boolean {
    return peer.merge !== null && coversSource(region, peer.region, peer.merge);
  }

  /** Every peer that the engine or the log knows. Throws `NOKV_CORRUPTION` where they contradict each other. */
  recover(): void {
    const { context, graveyard } = this.#parts;
    const states = readRegionStates(context.engine);
    const applied = readApplyStates(context.engine);
    const merges = readMergeStates(context.engine);
    for (const [regionId, { state, peerId, region }] of states) {
      const applyState = applied.get(regionId) ?? null;
      if (applyState === null) {
        throw new NokvError("NOKV_CORRUPTION", `region ${regionId} has no applied state; restore this store`);
      }
      if (state !== "tombstone") {
        const merge = merges.get(regionId) ?? null;
        if ((state === "merging") !== (merge !== null)) {
          throw new NokvError("NOKV_CORRUPTION", `region ${regionId} is half frozen; restore this store`);
        }
        this.#addRegion(peerId, region, applyState, merge);
        continue;
      }
      graveyard.restore({ peerId, own: region, state: applyState });
    }
    for (const regionId of context.log.groups()) {
      if (regionId !== storeGroup && !this.#peers.has(regionId)) this.#recoverGroup(regionId);
    }
  }

  /** Resolves when the first peer of a region is durable and runs. Does nothing where the region was known before. */
  async bootstrap(region: RegionMeta, peerId: PeerId): Promise<void> {
    const { context, graveyard, stopped } = this.#parts;
    const { engine } = context;
    const { id } = region;
    const isKnown = graveyard.tombstone(id) !== null || this.hosted(id) !== null;
    if (stopped() || isKnown || this.#beginning.has(id)) return;
    this.#beginning.set(id, region);
    await new Promise<void>((resolve) => this.#bootstrapLog(region, peerId, resolve));
    // Closed meanwhile: the next life begins it again.
    if (stopped()) return;
    const state = { index: bootstrapIndex, term: bootstrapTerm, high: 0, low: 0 };
    for (;;) {
      const batch = new VersionedBatch();
      putRegionState(batch, engine, { state: "normal", peerId, region });
      putApplyState(batch, engine, id, state);
      if (engine.hasRoom(batch.byteLength)) {
        await becomeDurable(engine, engine.apply(batch));
        break;
      }
      // Many begin at once, and memory may be small.
      await new Promise<void>((resolve) => engine.whenRoom(resolve));
      if (stopped()) return;
    }
    if (!stopped()) this.publish(peerId, region, state);
  }

  /** A peer that waits for its first snapshot; null: not now. */
  makeUninitialised(regionId: number, peerId: PeerId): Peer | null {
    const { context, graveyard } = this.#parts;
    // Until the log of the peer before it is gone, its entries would pass for this one's.
    if (graveyard.holds(regionId) || this.#beginning.has(regionId)) return null;
    const value = encodePeerNote(peerId);
    // Before its first vote, in the same log: whoever finds that one knows whose it is.
    context.log.submit([{ op: "note", group: regionId, key: noteKey.peer, value }], false, () => {});
    return this.#addUninitialised(regionId, peerId, blank);
  }

  replaceUninitialised(peer: Peer, peerId: PeerId): void {
    assert(peerId > peer.peerId, "a later peer takes the place of an earlier one");
    const { regionId } = peer;
    const { graveyard } = this.#parts;
    this.drop(peer);
    graveyard.replaceUninitialised(regionId, peerId, () => this.#addUninitialised(regionId, peerId, blank));
  }

  /** `peer` is no member of its region any more, as `region` says. */
  bury(peer: Peer, region: RegionMeta): void {
    const { peerId, applyState, region: own } = peer;
    // Where the engine is full: whoever told of it will tell again.
    if (this.#parts.graveyard.bury({ peerId, own, state: applyState }, region)) this.drop(peer);
  }

  /** Its first peer is about to be made. */
  reserve(region: RegionMeta): void {
    this.#beginning.set(region.id, region);
  }

  /** A first peer is being made. */
  isReserved(regionId: number): boolean {
    return this.#beginning.has(regionId);
  }

  /** The first peer of a region that was reserved; its records are durable, and its log begins. */
  publish(peerId: PeerId, region: RegionMeta, state: ApplyState): Peer {
    this.#beginning.delete(region.id);
    return this.#addRegion(peerId, region, state, null);
  }

  /** Throws `NOKV_CORRUPTION`. */
  // oxlint-disable-next-line max-params
  #addRegion(peerId: PeerId, region: RegionMeta, state: ApplyState, merge: MergeState | null): Peer {
    const { context } = this.#parts;
    const restored = restore(context.log, region.id, state.index, voterConfiguration(region));
    return this.#add(new Peer(context, { regionId: region.id, peerId, region, state, merge, restored }));
  }

  drop(peer: Peer): void {
    this.#peers.delete(peer.regionId);
    this.#inOrder = null;
    this.#parts.went(peer);
  }

  /** A group of the log that the engine has no region for. */
  #recoverGroup(regionId: number): void {
    const { context, graveyard } = this.#parts;
    if (graveyard.holds(regionId)) return;
    const note = context.log.group(regionId)?.notes.get(noteKey.peer);
    const peerId = note === undefined ? 0 : decodePeerNote(note);
    // The log of a region that did not begin: nobody has heard of it.
    if (peerId === 0) graveyard.destroyLog(regionId);
    else this.#addUninitialised(regionId, peerId, restoreUninitialised(context.log, regionId));
  }

  #bootstrapLog(region: RegionMeta, peerId: PeerId, done: () => void): void {
    const known = this.#peers.get(region.id);
    // A vote that it gave before it had a region stays given.
    const vow = known?.peerId === peerId ? known.status() : { term: 0, vote: 0 };
    if (known !== undefined) this.drop(known);
    this.#parts.context.log.submit(beginningOfLog(region.id, 0, vow), true, done);
  }

  #addUninitialised(regionId: number, peerId: PeerId, restored: Restored): Peer {
    const peer = new Peer(this.#parts.context, {
      regionId,
      peerId,
      region: null,
      state: noApplyState,
      merge: null,
      restored,
    });
    return this.#add(peer);
  }

  #add(peer: Peer): Peer {
    this.#peers.set(peer.regionId, peer);
    this.#inOrder = null;
    this.#parts.came(peer);
    return peer;
  }
}

function byRegion(a: Peer, b: Peer): number {
  return a.regionId - b.regionId;
}

function becomeDurable(engine: VersionedStore, ticket: number): Promise<void> {
  return new Promise((resolve, reject) => {
    engine.whenDurable(ticket, (error) => (error === null ? resolve() : reject(error)));
  });
}
