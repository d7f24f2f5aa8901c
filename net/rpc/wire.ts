/** What a frame is for, by how urgent it is: the smaller, the earlier it leaves. */
export const messageClass = {
  /** Votes, heartbeats, liveness, acknowledgements of reads; and everything that keeps a connection. */
  control: 0,
  /** Log entries and their acknowledgements. */
  append: 1,
  /** Requests of clients. */
  client: 2,
  /** Requests to the Coordinator, in batches. */
  coordinator: 3,
  /** Snapshots and backups, on connections of their own. */
  bulk: 4,
} as const;

export type MessageClass = (typeof messageClass)[keyof typeof messageClass];

export const messageClassMax = 4;

/** What the body of a frame is. Numbers are for ever. From `application` on, they belong to whoever sends messages. */
export const frameType = {
  hello: 1,
  refuse: 2,
  ping: 3,
  pong: 4,
  request: 16,
  response: 17,
  error: 18,
  cancel: 19,
  streamBegin: 32,
  streamResume: 33,
  streamChunk: 34,
  streamCredit: 35,
  streamEnd: 36,
  streamDone: 37,
  streamAbort: 38,
  application: 256,
} as const;

/** A request frame begins with a region header. */
export const flagRegion = 1;

/** The protocol versions that this program speaks. */
export const protocolMin = 1;
export const protocolMax = 1;

/** A frame of the control connection is not longer; a snapshot goes elsewhere, in chunks. */
export const bodyBytesMaxControl = 1024 * 1024;
export const chunkBytesMax = 64 * 1024;
/** A chunk and what says where it belongs. */
export const bodyBytesMaxBulk = chunkBytesMax + 4096;
/** Until the other side has said who it is, it gets little of our memory. */
export const bodyBytesMaxHello = 4096;
