import { assert } from "../../core/assert.ts";
import { type Layout, decode, encode } from "../../core/bytes/layout.ts";
import {
  mergeAfterCommit,
  mergeAfterFreeze,
  mergeAfterRollback,
  mergeBeforeCommit,
} from "../../failpoints/catalog.ts";
import type { Transport } from "../../net/rpc/transport.ts";
import { messageClass } from "../../net/rpc/wire.ts";
import { type RegionEpoch, epochEquals } from "../epoch.ts";
import type { RegionMeta } from "../region.ts";
import { bumpVersionEntry, commitMergeEntry, rollbackMergeEntry } from "./admin-entry.ts";
import type { AdminRun } from "./applier.ts";
import { type AdminEntry, envelopeKind } from "./entry-envelope.ts";
import type { Graveyard, Leaving } from "./graveyard.ts";
import {
  bumpCallLayout,
  commitCallLayout,
  mergeAnswerLayout,
  mergeAskLayout,
} from "./merge-messages.ts";
import { isOrphan } from "./merge-rules.ts";
import type { CommitMerge } from "./merge-state.ts";
import { MergeWatch } from "./merge-watch.ts";
import { storeMessage } from "./message-type.ts";
import type { Peer } from "./peer.ts";
import type { PeerContext } from "./peer-context.ts";
import type { PeerTable } from "./peer-table.ts";

export interface MergeDeskParts {
  readonly context: PeerContext;
  readonly table: PeerTable;
  readonly graveyard: Graveyard;
  readonly transport: Transport;
}

/** A replica without a leader asks that much less often than a leader. */
const leaderlessFactor = 4;

/**
 * The merges of which this store has replicas: what a frozen source's leader asks of the others and of the target, and
 * what those answer. Whatever is asked is asked again until it has happened, so nothing is remembered across a crash.
 */
export class MergeDesk {
  readonly #parts: MergeDeskParts;
  /** Of frozen sources here. */
  readonly #watches = new Map<number, MergeWatch>();
  /** Regions for which this store has a command of a merge under way. */
  readonly #proposing = new Set<number>();

  constructor(parts: MergeDeskParts) {
    this.#parts = parts;
  }

  tick(): void {
    for (const peer of this.#parts.table.sorted()) {
      if (peer.merge !== null && peer.serves) this.#watch(peer);
      else if (this.#watches.size > 0) this.#watches.delete(peer.regionId);
    }
  }

  /** Of a merge that is applied now: that it is frozen here was said by it before anybody could commit. */
  sourceHere({ source, freezeIndex, high, low }: CommitMerge): Leaving {
    const peer = this.#parts.table.hosted(source.id);
    assert(peer !== null, "the source of a merge has a replica on every store of its target");
    const { merge, epoch, peerId, region, applyState } = peer;
    assert(merge !== null && merge.freezeIndex === freezeIndex, "the source of a merge is frozen as its target knows");
    assert(epochEquals(epoch, source.epoch), "nothing happens to a region that is frozen");
    assert(merge.high === high && merge.low === low, "replicas of a frozen region have one history");
    return { peerId, own: region, state: applyState };
  }

  /** A command to a region is in the engine under `ticket`. */
  administered({ effect, taken }: AdminRun, ticket: number): void {
    const { failpoints } = this.#parts.context.world;
    if (effect.refused !== null) return;
    if (effect.target !== null) failpoints.hit(mergeAfterFreeze);
    if (effect.kind === envelopeKind.rollbackMerge) failpoints.hit(mergeAfterRollback);
    if (taken === null) return;
    failpoints.hit(mergeAfterCommit);
    const peer = this.#parts.table.get(taken.own.id);
    if (peer !== null) this.#parts.table.drop(peer);
    this.#parts.graveyard.taken(taken, ticket);
  }

  /** True: it was a message of a merge. */
  receive(from: number, type: number, body: Uint8Array): boolean {
    switch (type) {
      case storeMessage.mergeAsk:
        this.#read(mergeAskLayout, body, ({ sourceId, freezeIndex, targetId }) => {
          const frozenPeer = this.#frozenPeer(sourceId, freezeIndex);
          const target = this.#targetHere(targetId);
          const answer = { sourceId, freezeIndex, frozenPeer, target };
          this.#send(from, storeMessage.mergeAnswer, sourceId, encode(mergeAnswerLayout, answer));
        });
        return true;
      case storeMessage.mergeAnswer:
        this.#read(mergeAnswerLayout, body, (answer) => this.#watches.get(answer.sourceId)?.heard(answer));
        return true;
      case storeMessage.mergeCommit:
        this.#read(commitCallLayout, body, ({ targetId, epoch, commit }) => {
          this.#leading(targetId, epoch, (target) => commitMergeEntry(target, commit));
        });
        return true;
      case storeMessage.mergeBump:
        this.#read(bumpCallLayout, body, ({ targetId, epoch }) => this.#leading(targetId, epoch, bumpVersionEntry));
        return true;
      default:
        return false;
    }
  }

  #watch(peer: Peer): void {
    const { merge } = peer;
    if (merge === null) return;
    const known = this.#watches.get(peer.regionId);
    const watch = known?.merge.freezeIndex === merge.freezeIndex ? known : new MergeWatch(merge);
    this.#watches.set(peer.regionId, watch);
    if (peer.isFrozen) watch.froze(peer.peerId);
    const target = this.#targetHere(merge.target.id);
    if (target !== null) watch.saw(target);
    if (isOrphan(watch.fate(peer.region), this.#isTargetHere(merge.target.id))) {
      this.#parts.table.bury(peer, peer.region);
      return;
    }
    const { mergeAskTicks } = this.#parts.context.options;
    if (peer.leadingTerm > 0) this.#lead(peer, watch);
    else if (watch.ticks % (mergeAskTicks * leaderlessFactor) === 0) this.#ask(peer, watch);
    watch.tick();
  }

  #lead(peer: Peer, watch: MergeWatch): void {
    const { options, world } = this.#parts.context;
    const move = watch.move(peer.region, options.mergePatienceTicks);
    const { target, freezeIndex, high, low } = watch.merge;
    if (move === "rollback") return this.#propose(peer, rollbackMergeEntry(peer.region, freezeIndex));
    if (watch.ticks % options.mergeAskTicks !== 0) return;
    this.#ask(peer, watch);
    const { epoch } = target;
    if (move === "commit") {
      world.failpoints.hit(mergeBeforeCommit);
      const call = { targetId: target.id, epoch, commit: { source: peer.region, freezeIndex, high, low } };
      this.#call(target, storeMessage.mergeCommit, encode(commitCallLayout, call));
    } else if (move === "bump") {
      this.#call(target, storeMessage.mergeBump, encode(bumpCallLayout, { targetId: target.id, epoch }));
    }
  }

  #ask(peer: Peer, { merge }: MergeWatch): void {
    const { regionId, region } = peer;
    const ask = { sourceId: regionId, freezeIndex: merge.freezeIndex, targetId: merge.target.id };
    const body = encode(mergeAskLayout, ask);
    for (const { storeId } of region.peers) {
      if (storeId !== this.#parts.context.storeId) this.#send(storeId, storeMessage.mergeAsk, regionId, body);
    }
  }

  /** To wherever the target's leader may be, here included. */
  #call(target: RegionMeta, type: number, body: Uint8Array): void {
    const { storeId: here } = this.#parts.context;
    for (const { storeId } of target.peers) {
      if (storeId === here) this.receive(here, type, body);
      else this.#send(storeId, type, target.id, body);
    }
  }

  /** Proposes it where this store leads the region, and the region is at `epoch`. */
  #leading(regionId: number, epoch: RegionEpoch, entryOf: (region: RegionMeta) => AdminEntry): void {
    const peer = this.#parts.table.hosted(regionId);
    if (peer === null || peer.leadingTerm === 0 || !epochEquals(peer.epoch, epoch)) return;
    this.#propose(peer, entryOf(peer.region));
  }

  #propose(peer: Peer, entry: AdminEntry): void {
    const { regionId } = peer;
    if (this.#proposing.has(regionId)) return;
    this.#proposing.add(regionId);
    peer.intake.command(entry, () => this.#proposing.delete(regionId));
  }

  /** Of that source, on this store, if that freeze is durable here; 0: it is not. */
  #frozenPeer(sourceId: number, freezeIndex: number): number {
    const peer = this.#parts.table.hosted(sourceId);
    return peer !== null && peer.isFrozen && peer.merge?.freezeIndex === freezeIndex ? peer.peerId : 0;
  }

  #targetHere(targetId: number): RegionMeta | null {
    const peer = this.#parts.table.get(targetId);
    if (peer?.initialised === true) return peer.region;
    return this.#parts.graveyard.tombstone(targetId)?.region ?? null;
  }

  /** Its log, or a snapshot that is on its way into it, may still take the source. */
  #isTargetHere(targetId: number): boolean {
    const peer = this.#parts.table.get(targetId);
    return peer !== null && (peer.initialised || peer.installing !== null);
  }

  #send(storeId: number, type: number, region: number, body: Uint8Array): void {
    this.#parts.transport.send(storeId, { cls: messageClass.control, type, region, body });
  }

  #read<T>(layout: Layout<T>, body: Uint8Array, then: (message: T) => void): void {
    const read = decode(layout, body);
    if (typeof read !== "string") then(read.value);
    else this.#parts.context.stats.messagesDropped++;
  }
}
