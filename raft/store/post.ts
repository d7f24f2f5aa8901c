// HOT: every message of every group comes and goes here.
import { ByteReader, MalformedError } from "../../core/bytes/byte-reader.ts";
import { ByteWriter } from "../../core/bytes/byte-writer.ts";
import { decode, encode } from "../../core/bytes/layout.ts";
import type { Transport } from "../../net/rpc/transport.ts";
import { messageClass } from "../../net/rpc/wire.ts";
import { type PeerId, noBytes } from "../entry.ts";
import { type RegionMessage, readMessage, writeMessage } from "../message-codec.ts";
import { Message, type MessageKind } from "../message.ts";
import { type RegionMeta, peerById } from "../region.ts";
import { type GcPeer, gcPeerLayout } from "./gc-peer.ts";
import { membershipQuestionLayout } from "./membership-question.ts";
import { frameTypeOf, isAppendLane, storeMessage } from "./message-type.ts";
import type { Peer } from "./peer.ts";
import type { StoreStats } from "./store-stats.ts";
import type { Tombstone } from "./tombstone.ts";

/** Nobody answers an answer: two stores without a region in common would never stop. */
const answerBody = Uint8Array.of(1);

/** Who gets what comes. */
export interface PostOffice {
  peer(regionId: number): Peer | null;
  tombstone(regionId: number): Tombstone | null;
  /** It comes before its peer, and is delivered again when that is there, or does not come. */
  keeps(fromStore: number, received: RegionMessage): boolean;
  /** A peer that waits for its first snapshot; null: not now. */
  make(regionId: number, peerId: PeerId): Peer | null;
  /** Another one takes the place of a peer that waits for its first snapshot. */
  replace(peer: Peer, peerId: PeerId): void;
  /** It was removed from its region, as `region` says. */
  bury(peer: Peer, region: RegionMeta): void;
  /** It is a member still, as `region` says, which is newer than what it knows. */
  movedOn(region: RegionMeta): void;
}

/** Between the peers of this store and those of others: which message is for whom, and who is told that it is gone. */
export class Post {
  readonly #transport: Transport;
  readonly #storeId: number;
  readonly #stats: StoreStats;
  readonly #office: PostOffice;
  readonly #writer = new ByteWriter();

  // oxlint-disable-next-line max-params
  constructor(transport: Transport, storeId: number, stats: StoreStats, office: PostOffice) {
    this.#transport = transport;
    this.#storeId = storeId;
    this.#stats = stats;
    this.#office = office;
  }

  send(peer: Peer, message: Message): void {
    const storeId = peer.storeOf(message.to);
    if (storeId === 0 || storeId === this.#storeId) return;
    const writer = this.#writer;
    writer.clear();
    writeMessage(writer, peer.regionId, peer.epoch, message);
    this.#write(storeId, message.kind, peer.regionId, writer.toBytes());
  }

  /**
   * Says that this store is there. `isAnswer`: to a store that greets this one, and that this one has no reason of its
   * own to greet.
   */
  greet(storeId: number, isAnswer: boolean): void {
    this.#stats.messagesOut++;
    const { greeting } = storeMessage;
    const body = isAnswer ? answerBody : noBytes;
    this.#transport.send(storeId, { cls: messageClass.control, type: greeting, region: 0, body });
  }

  /** Whether that peer is a member of its region still. */
  ask(storeId: number, { regionId, peerId, epoch: { confVer } }: Peer): void {
    const body = encode(membershipQuestionLayout, { regionId, peerId, confVer });
    this.#stats.messagesOut++;
    const type = storeMessage.membershipQuestion;
    this.#transport.send(storeId, { cls: messageClass.control, type, region: regionId, body });
  }

  receive(fromStore: number, type: number, body: Uint8Array): void {
    this.#stats.messagesIn++;
    if (type === storeMessage.gcPeer) return this.#collect(body);
    if (type === storeMessage.membershipQuestion) return this.#inform(fromStore, body);
    // Entries that are kept borrow what they were read from: it is copied once, for all of them.
    const bytes = type === storeMessage.append ? body.slice() : body;
    try {
      this.deliver(fromStore, readMessage(new ByteReader(bytes)));
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      this.#stats.messagesDropped++;
    }
  }

  deliver(fromStore: number, received: RegionMessage): void {
    const { regionId, epoch, message } = received;
    const peer = this.#office.peer(regionId);
    if (peer === null) {
      this.#deliverToNobody(fromStore, received);
      return;
    }
    if (peer.peerId < message.to) {
      // A store has one peer of a region, and ids are given out once: the one that is here was removed.
      if (peer.installing !== null) this.#stats.messagesDropped++;
      else if (!peer.initialised) this.#office.replace(peer, message.to);
      else if (epoch.confVer > peer.epoch.confVer) this.#office.bury(peer, peer.region);
      return;
    }
    if (peer.peerId > message.to) this.#stats.messagesDropped++;
    else if (this.#isStranger(peer, received)) this.#tell(fromStore, message.from, peer.region);
    else peer.message(fromStore, message);
  }

  #deliverToNobody(fromStore: number, received: RegionMessage): void {
    const { regionId, message } = received;
    const tombstone = this.#office.tombstone(regionId);
    if (tombstone !== null && message.to <= tombstone.peerId) this.#answerForDead(fromStore, received, tombstone);
    else if (makesPeer(message.kind)) {
      if (this.#office.keeps(fromStore, received)) return;
      this.#office.make(regionId, message.to)?.message(fromStore, message);
    } else this.#stats.messagesDropped++;
  }

  /** It was a member of an earlier configuration, and does not know that it is none any more. */
  #isStranger(peer: Peer, { epoch, message }: RegionMessage): boolean {
    if (!peer.initialised || epoch.confVer === 0 || epoch.confVer >= peer.epoch.confVer) return false;
    return peerById(peer.region, message.from) === null;
  }

  /**
   * A removed peer still knows what was committed when it was removed, its removal not least. Those who do not, and
   * still count it, may be unable to elect anybody without a word of it.
   */
  #answerForDead(fromStore: number, { regionId, epoch, message }: RegionMessage, tombstone: Tombstone): void {
    const { region } = tombstone;
    if (peerById(region, message.from) === null) {
      const older = epoch.confVer > 0 && epoch.confVer < region.epoch.confVer;
      if (older) this.#tell(fromStore, message.from, region);
      return;
    }
    const { kind } = message;
    if ((kind !== "preVote" && kind !== "vote") || tombstone.index === 0) return;
    const reply = new Message(kind === "vote" ? "voteReply" : "preVoteReply", message.to, message.from, tombstone.term);
    reply.reject = true;
    reply.commit = tombstone.index;
    reply.logTerm = tombstone.term;
    this.#writer.clear();
    writeMessage(this.#writer, regionId, region.epoch, reply);
    this.#write(fromStore, reply.kind, regionId, this.#writer.toBytes());
  }

  #tell(storeId: number, peerId: PeerId, region: RegionMeta): void {
    const body = encode(gcPeerLayout, { peerId, region });
    this.#stats.messagesOut++;
    this.#transport.send(storeId, { cls: messageClass.control, type: storeMessage.gcPeer, region: region.id, body });
  }

  /** Whoever left knows that much: what its region was like then. */
  #inform(fromStore: number, body: Uint8Array): void {
    const read = decode(membershipQuestionLayout, body);
    if (typeof read === "string") {
      this.#stats.messagesDropped++;
      return;
    }
    const { regionId, peerId, confVer } = read.value;
    const peer = this.#office.peer(regionId);
    const region = peer?.initialised === true ? peer.region : this.#office.tombstone(regionId)?.region;
    if (region !== undefined && region.epoch.confVer > confVer) this.#tell(fromStore, peerId, region);
  }

  #collect(body: Uint8Array): void {
    const read = decode(gcPeerLayout, body);
    if (typeof read === "string") {
      this.#stats.messagesDropped++;
      return;
    }
    this.gone(read.value);
  }

  /** Whoever says so: it counts where it is newer than what the peer knows. */
  gone({ peerId, region }: GcPeer): void {
    const peer = this.#office.peer(region.id);
    if (peer === null || peer.peerId !== peerId || !peer.initialised || peer.installing !== null) return;
    const newer = region.epoch.confVer > peer.epoch.confVer;
    if (newer && peerById(region, peerId) === null) this.#office.bury(peer, region);
    else if (newer) this.#office.movedOn(region);
  }

  // oxlint-disable-next-line max-params
  #write(storeId: number, kind: MessageKind, region: number, body: Uint8Array): void {
    this.#stats.messagesOut++;
    this.#stats.bytesOut += body.length;
    const cls = isAppendLane(kind) ? messageClass.append : messageClass.control;
    this.#transport.send(storeId, { cls, type: frameTypeOf(kind), region, body });
  }
}

/** Somebody counts on a peer here that does not know yet. */
function makesPeer(kind: MessageKind): boolean {
  return kind === "append" || kind === "heartbeat" || kind === "preVote" || kind === "vote";
}
