import type { Entry, LogIndex, PeerId } from "../entry.ts";
import type { Message } from "../message.ts";
import type { Raft } from "../raft.ts";
import type { AppendTask } from "../ready.ts";

/**
 * Who looks over the shoulders of a store's peers: the simulator. Sees what no client can, in the order in which it
 * happens, and changes nothing.
 */
export interface PeerWatch {
  /** A peer begins with what the store's log and engine hold of it. */
  started(regionId: number, peerId: PeerId, raft: Raft): void;
  /** After the steps of a turn. */
  stepped(regionId: number, peerId: PeerId): void;
  /** `task` is written, and durable where it had to be; nothing that waits for it has left. */
  persisted(regionId: number, peerId: PeerId, task: AppendTask): void;
  /** Leaves now. */
  released(regionId: number, peerId: PeerId, message: Message): void;
  /** Is about to be applied. */
  applied(regionId: number, peerId: PeerId, entry: Entry): void;
  /** The store's log begins behind `index` now. */
  compacted(regionId: number, peerId: PeerId, index: LogIndex): void;
  /** There is no such peer here any more. */
  ended(regionId: number, peerId: PeerId): void;
}
