import { frameType } from "../../net/rpc/wire.ts";
import { messageCode } from "../message-codec.ts";
import type { MessageKind } from "../message.ts";

/**
 * Types of a store's frames. Of control messages only the newest of a region and a type is worth sending, so each kind
 * has a type of its own: `control` plus its code. The bodies of all from `control` on, and of `append`, are alike.
 */
export const storeMessage = {
  append: frameType.application + 1,
  gcPeer: frameType.application + 2,
  mergeAsk: frameType.application + 8,
  mergeAnswer: frameType.application + 9,
  mergeCommit: frameType.application + 10,
  mergeBump: frameType.application + 11,
  /** The sender is there: its incarnation says which process. No body. */
  greeting: frameType.application + 3,
  membershipQuestion: frameType.application + 12,
  control: frameType.application + 16,
} as const;

/** A frame of this type is a store's. */
export function isStoreMessage(type: number): boolean {
  return type >= frameType.application && type < frameType.application + 64;
}

export function frameTypeOf(kind: MessageKind): number {
  return isAppendLane(kind) ? storeMessage.append : storeMessage.control + messageCode(kind);
}

/** In order with each other, and bounded by bytes: entries and what acknowledges them. */
export function isAppendLane(kind: MessageKind): boolean {
  return kind === "append" || kind === "appendReply";
}
