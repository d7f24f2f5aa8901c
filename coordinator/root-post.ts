// HOT: every message of the Coordinator's group comes and goes here.
import { ByteReader, MalformedError } from "../core/bytes/byte-reader.ts";
import { ByteWriter } from "../core/bytes/byte-writer.ts";
import type { OutMessage } from "../net/rpc/peer.ts";
import { frameType, messageClass } from "../net/rpc/wire.ts";
import type { RegionEpoch } from "../raft/epoch.ts";
import { messageCode, readMessage, writeMessage } from "../raft/message-codec.ts";
import type { Message } from "../raft/message.ts";
import { isAppendLane } from "../raft/store/message-type.ts";
import { rootGroup } from "./root-checkpoint.ts";
import { coordinatorIdOf, memberIdOf } from "./service/methods.ts";

/**
 * Types of the frames between members, beside those of stores: bodies are those of a region's messages, of group 1 and
 * of no epoch. Of control messages only the newest of a type is worth sending, so each kind has a type of its own.
 */
const rootMessage = {
  append: frameType.application + 65,
  control: frameType.application + 80,
} as const;

const noEpoch: RegionEpoch = { version: 0, confVer: 0 };

/** A frame of this type is of the Coordinator's group. */
export function isRootMessage(type: number): boolean {
  return type >= frameType.application + 64 && type < frameType.application + 128;
}

/** The part of a transport that sends. */
export interface Sender {
  send(storeId: number, message: OutMessage): void;
}

/** Between a member and the others. */
export class RootPost {
  readonly #sender: Sender;
  readonly #memberId: number;
  readonly #members: readonly number[];
  readonly #writer = new ByteWriter();

  constructor(sender: Sender, memberId: number, members: readonly number[]) {
    this.#sender = sender;
    this.#memberId = memberId;
    this.#members = members;
  }

  send(message: Message): void {
    const writer = this.#writer;
    writer.clear();
    writeMessage(writer, rootGroup, noEpoch, message);
    const { kind, to } = message;
    const isAppend = isAppendLane(kind);
    this.#sender.send(coordinatorIdOf(to), {
      cls: isAppend ? messageClass.append : messageClass.control,
      type: isAppend ? rootMessage.append : rootMessage.control + messageCode(kind),
      region: rootGroup,
      body: writer.toBytes(),
    });
  }

  /** Null: it is none for this member. */
  read(fromStore: number, type: number, body: Uint8Array): Message | null {
    // Entries that are kept borrow what they were read from: it is copied once, for all of them.
    const bytes = type === rootMessage.append ? body.slice() : body;
    try {
      const { regionId, message } = readMessage(new ByteReader(bytes));
      const isMember = message.from === memberIdOf(fromStore) && this.#members.includes(message.from);
      return regionId === rootGroup && isMember && message.to === this.#memberId ? message : null;
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      return null;
    }
  }
}
