import { ByteReader, MalformedError } from "../../core/bytes/byte-reader.ts";
import type { Hello } from "../../net/rpc/hello.ts";
import type { StreamManifest } from "../../net/rpc/stream-messages.ts";
import type { IncomingStream, StreamAcceptor, StreamSink } from "../../net/rpc/stream-receiver.ts";
import { readMessage } from "../message-codec.ts";
import type { Message } from "../message.ts";
import { type RegionMeta, peerById, regionProblem } from "../region.ts";
import type { SnapshotMeta } from "../snapshot-meta.ts";
import type { Peer } from "./peer.ts";
import { type SnapshotIntent, contentOf, regionOfSnapshot } from "./snapshot-intent.ts";
import type { IncomingSnapshot, SnapshotTransfer } from "./snapshot-transfer.ts";

/** Whom a snapshot is for, and who is in its way. */
export interface SnapshotHost {
  readonly storeId: number;
  /** The peer that it is for, made if it may be; a string: why there is none. */
  recipient(regionId: number, peerId: number): Peer | string;
  /** Who has some of that region's range here, and stays; null: nobody. */
  obstacle(region: RegionMeta): RegionMeta | null;
  /** Its files are complete: the machine decides whether it is still of use. */
  offer(peer: Peer, fromStore: number, message: Message, intent: SnapshotIntent): void;
}

interface Offered {
  readonly message: Message;
  readonly snapshot: SnapshotMeta;
  readonly region: RegionMeta;
}

/** A snapshot from its first byte until it is installed or given up. */
interface Incoming {
  readonly name: string;
  /** Null: all of it is here. */
  stream: IncomingStream | null;
}

/**
 * Takes the files of snapshots, of each region one at a time, and hands them over when they are complete. One whose
 * sender is gone gives way: it would be waited for long after the region has another leader.
 */
export class SnapshotReceiver implements StreamAcceptor {
  readonly #host: SnapshotHost;
  readonly #transfer: SnapshotTransfer;
  readonly #incoming = new Map<number, Incoming>();
  /** Whose files are all here, and wait for their syncs. */
  readonly #finishing = new Set<IncomingSnapshot>();

  constructor(host: SnapshotHost, transfer: SnapshotTransfer) {
    this.#host = host;
    this.#transfer = transfer;
  }

  // oxlint-disable-next-line max-params
  begin(
    from: Hello,
    manifest: StreamManifest,
    done: (sink: StreamSink | string) => void,
    stream: IncomingStream,
  ): void {
    const offered = this.#judge(manifest);
    if (typeof offered === "string") return done(offered);
    const regionId = offered.region.id;
    const before = this.#incoming.get(regionId)?.stream ?? null;
    if (before !== null && !before.attached) before.abandon("another snapshot of the region comes, and it does not");
    if (this.#incoming.has(regionId)) return done("another snapshot of the region is coming in");
    const files = this.#transfer.receive(contentOf(offered.snapshot, manifest.files));
    if (typeof files === "string") return done(files);
    const incoming: Incoming = { name: files.name, stream };
    this.#incoming.set(regionId, incoming);
    done(this.#sink(from.storeId, { ...offered, manifest, files, incoming }));
  }

  /** Of snapshots that are coming in, or being installed. */
  names(): string[] {
    return [...this.#incoming.values()].map(({ name }) => name);
  }

  /** The files of that name are of no more use, or were used. */
  settled(regionId: number, name: string): void {
    if (this.#incoming.get(regionId)?.name === name) this.#incoming.delete(regionId);
  }

  /** Their streams are over: nobody else gives those files back. */
  close(): void {
    for (const files of this.#finishing) files.discard();
    this.#finishing.clear();
  }

  #judge(manifest: StreamManifest): Offered | string {
    let received: ReturnType<typeof readMessage>;
    try {
      received = readMessage(new ByteReader(manifest.meta));
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      return error.message;
    }
    const { message, regionId } = received;
    const { snapshot } = message;
    const region = snapshot === null ? null : regionOfSnapshot(snapshot);
    if (message.kind !== "snapshot" || snapshot === null || region === null) return "it is no snapshot";
    if (region.id !== regionId || regionProblem(region) !== null) return "its region is none";
    const own = peerById(region, message.to);
    if (own === null || own.storeId !== this.#host.storeId) return "its region has no such peer here";
    const peer = this.#host.recipient(regionId, message.to);
    if (typeof peer === "string") return peer;
    if (peer.applyState.index >= snapshot.index) return "it is older than what is here";
    return this.#overlap(region) ?? { message, snapshot, region };
  }

  /** A range has one owner on a store: whoever is in the way leaves by its own log, or this snapshot is of the past. */
  #overlap(region: RegionMeta): string | null {
    const other = this.#host.obstacle(region);
    return other === null ? null : `region ${other.id} has some of its range here`;
  }

  #sink(
    fromStore: number,
    coming: Offered & {
      readonly manifest: StreamManifest;
      readonly files: IncomingSnapshot;
      readonly incoming: Incoming;
    },
  ): StreamSink {
    const { message, snapshot, region, manifest, files, incoming } = coming;
    const { name } = files;
    return {
      start: { file: 0, offset: 0 },
      write: (file, offset, bytes, done) => files.write(file, offset, bytes, done),
      finish: (done) => {
        incoming.stream = null;
        this.#finishing.add(files);
        files.finish((ok) => {
          this.#finishing.delete(files);
          const peer = ok ? this.#host.recipient(region.id, message.to) : "its files are damaged";
          const fault = typeof peer === "string" ? peer : this.#overlap(region);
          if (typeof peer === "string" || fault !== null) {
            files.discard();
            this.settled(region.id, name);
            done(false);
            return;
          }
          const intent = { peerId: message.to, name, files: manifest.files, snapshot };
          this.#host.offer(peer, fromStore, message, intent);
          done(true);
        });
      },
      abandon: () => {
        files.discard();
        this.settled(region.id, name);
      },
    };
  }
}
