import { ByteWriter } from "../../core/bytes/byte-writer.ts";
import { NokvError } from "../../core/errors.ts";
import type { Transport } from "../../net/rpc/transport.ts";
import type { StreamHandle } from "../../net/rpc/stream-sender.ts";
import type { LogIndex, PeerId } from "../entry.ts";
import { writeMessage } from "../message-codec.ts";
import type { Message } from "../message.ts";
import { peerById } from "../region.ts";
import type { SnapshotMeta } from "../snapshot-meta.ts";
import { voterConfiguration } from "../voter-configuration.ts";
import type { Peer } from "./peer.ts";
import { contextOf } from "./snapshot-intent.ts";
import type { OutgoingSnapshot, SnapshotTransfer } from "./snapshot-transfer.ts";
import type { StoreStats } from "./store-stats.ts";

/** One snapshot for one follower, from the wish until it is there or given up. */
interface Sending {
  readonly peer: Peer;
  readonly to: PeerId;
  readonly index: LogIndex;
  snapshot: SnapshotMeta | null;
  files: OutgoingSnapshot | null;
  /** Once its message has left the machine. */
  handle: StreamHandle | null;
  /** Ticks until it is given up, once it is exported and as long as it is not streaming. */
  ticksLeft: number;
  sentBytes: number;
}

/** How far a snapshot is on its way. */
export interface SnapshotProgress {
  readonly peerId: PeerId;
  readonly sentBytes: number;
  readonly totalBytes: number;
}

/** A wish that could not be met is put again after so many ticks. */
const retryTicks = 10;
const startTicks = 100;
/** What is sent has to be installed, and then asks for the log behind it. */
const settleTicks = 100;

/** Snapshots that this store sends: taken at an apply point, streamed, and their machines told how it went. */
export class SnapshotSenders {
  readonly #transport: Transport;
  readonly #transfer: SnapshotTransfer;
  readonly #stats: StoreStats;
  readonly #sendings = new Map<string, Sending>();
  readonly #refused: { readonly peer: Peer; readonly to: PeerId; ticksLeft: number }[] = [];
  /** All of it is there: the log behind it is about to be asked for. */
  readonly #arrived: { readonly peer: Peer; readonly index: LogIndex; ticksLeft: number }[] = [];
  readonly #fail: (error: NokvError) => void;
  #lastId = 0;

  /** `fail`: this store's own records are damaged. */
  // oxlint-disable-next-line max-params
  constructor(
    transport: Transport,
    transfer: SnapshotTransfer,
    stats: StoreStats,
    fail: (error: NokvError) => void,
  ) {
    this.#fail = fail;
    this.#transport = transport;
    this.#transfer = transfer;
    this.#stats = stats;
  }

  /** The log of `peer` must go on from here for those who get a snapshot; none: null. */
  heldIndex(peer: Peer): LogIndex | null {
    let held: LogIndex | null = null;
    for (const sending of this.#sendings.values()) {
      if (sending.peer === peer) held = Math.min(held ?? sending.index, sending.index);
    }
    for (const { peer: from, index } of this.#arrived) if (from === peer) held = Math.min(held ?? index, index);
    return held;
  }

  /** What `peer` sends just now, as far as it was read. */
  progress(peer: Peer): SnapshotProgress[] {
    const found: SnapshotProgress[] = [];
    for (const { peer: from, to, files, sentBytes } of this.#sendings.values()) {
      if (from !== peer || files === null) continue;
      const totalBytes = files.content.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      found.push({ peerId: to, sentBytes, totalBytes });
    }
    return found;
  }

  /** In one call: the records and what they are as of (R7; the index is what is applied, not what is committed). */
  wanted(peer: Peer, to: PeerId): void {
    const key = keyOf(peer, to);
    if (this.#sendings.has(key)) return;
    if (peer.merge !== null) {
      // It would say nothing of the freeze; the merge is taken back when it waits for this follower.
      this.#refused.push({ peer, to, ticksLeft: retryTicks });
      return;
    }
    const { region, applyState } = peer;
    const { index, term, high, low } = applyState;
    const conf = voterConfiguration(region);
    const sending: Sending = {
      peer, to, index, snapshot: null, files: null, handle: null, ticksLeft: startTicks, sentBytes: 0,
    };
    this.#sendings.set(key, sending);
    this.#transfer.exportAt(region, (files) => {
      if (files instanceof NokvError) this.#fail(files);
      else if (typeof files === "string") this.#exportFailed(key, sending);
      else if (this.#sendings.get(key) !== sending) files.release();
      else {
        const context = contextOf(region, files.content.detail);
        sending.snapshot = { index, term, conf, historyHash: [high, low], context };
        sending.files = files;
        peer.input({ kind: "snapshot", to, snapshot: sending.snapshot });
      }
    });
  }

  #exportFailed(key: string, sending: Sending): void {
    if (this.#sendings.get(key) !== sending) return;
    this.#sendings.delete(key);
    this.#refused.push({ peer: sending.peer, to: sending.to, ticksLeft: retryTicks });
  }

  /** The machine lets it go. */
  send(peer: Peer, message: Message): void {
    const key = keyOf(peer, message.to);
    const sending = this.#sendings.get(key);
    const storeId = peer.storeOf(message.to);
    const snapshot = message.snapshot;
    if (sending === undefined || sending.files === null || sending.snapshot !== snapshot || storeId === 0) {
      this.#refused.push({ peer, to: message.to, ticksLeft: retryTicks });
      return;
    }
    const { files } = sending;
    this.#stats.snapshotsOut++;
    const writer = new ByteWriter();
    writeMessage(writer, peer.regionId, peer.epoch, message);
    const manifest = { snapshotId: ++this.#lastId, meta: writer.toBytes(), files: files.content.files };
    const read: OutgoingSnapshot["read"] = (file, offset, length, done) => {
      sending.sentBytes += length;
      files.read(file, offset, length, done);
    };
    const source = { manifest, read };
    sending.handle = this.#transport.stream(storeId, source, ({ kind }) => {
      files.release();
      if (this.#sendings.get(key) === sending) this.#sendings.delete(key);
      if (kind === "done") this.#sent(sending);
      else this.#refused.push({ peer, to: message.to, ticksLeft: retryTicks });
    });
  }

  #sent({ peer, to, index }: Sending): void {
    this.#arrived.push({ peer, index, ticksLeft: settleTicks });
    peer.input({ kind: "snapshotStatus", peer: to, ok: true });
  }

  /** `peer` is gone: nobody waits for what it sent. */
  forget(peer: Peer): void {
    for (const [key, sending] of this.#sendings) if (sending.peer === peer) this.#end(key, sending);
  }

  /**
   * `peer` may lead no more, or some may have left its region. What goes to them would not be taken when it is there,
   * and until then their store takes no other snapshot of the region.
   */
  changed(peer: Peer): void {
    for (const [key, sending] of this.#sendings) {
      if (sending.peer !== peer) continue;
      if (!peer.isLeader || peerById(peer.region, sending.to) === null) this.#end(key, sending);
    }
  }

  #end(key: string, { handle, files }: Sending): void {
    this.#sendings.delete(key);
    if (handle === null) files?.release();
    else handle.cancel();
  }

  /** Something waits for ticks. */
  get busy(): boolean {
    return this.#sendings.size > 0 || this.#refused.length > 0 || this.#arrived.length > 0;
  }

  tick(): void {
    for (const [key, sending] of this.#sendings) {
      // The export of a large region takes as long as it takes, and always ends.
      if (sending.files === null || sending.handle !== null || --sending.ticksLeft > 0) continue;
      // The machine thought better of it: it leads no more, or the follower has come on by itself.
      sending.files.release();
      this.#sendings.delete(key);
      this.#refused.push({ peer: sending.peer, to: sending.to, ticksLeft: 1 });
    }
    for (let i = this.#arrived.length - 1; i >= 0; i--) {
      const arrived = this.#arrived[i];
      if (arrived !== undefined && (--arrived.ticksLeft <= 0 || arrived.peer.closed)) this.#arrived.splice(i, 1);
    }
    for (let i = this.#refused.length - 1; i >= 0; i--) {
      const refused = this.#refused[i];
      if (refused === undefined || --refused.ticksLeft > 0) continue;
      this.#refused.splice(i, 1);
      refused.peer.input({ kind: "snapshotStatus", peer: refused.to, ok: false });
    }
  }
}

function keyOf(peer: Peer, to: PeerId): string {
  return `${peer.regionId}/${peer.peerId}/${to}`;
}
