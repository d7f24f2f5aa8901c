import { assert } from "../../core/assert.ts";
import { chunkBytesMax } from "./wire.ts";

/** Limits of a node's network. Every number is an integer; bytes, milliseconds, microseconds or counts by name. */
export interface NetOptions {
  /** From the first packet to the other side's hello. */
  readonly connectMs: number;
  /** The side that connected asks so often whether the other one lives. */
  readonly pingMs: number;
  /** Without a byte from the other side for so long, a connection is given up. */
  readonly silenceMs: number;
  /** Between two attempts to connect: doubles from the first to the second, minus up to a half. */
  readonly backoffMsMin: number;
  readonly backoffMsMax: number;
  /**
   * Control messages waiting for one peer: the newest of each region and kind. It has to be more than two stores have
   * regions in common, or their heartbeats and votes push each other out: where there are as many as that, all wait.
   */
  readonly controlMessagesMax: number;
  /** Append messages waiting for one peer. */
  readonly appendBytesMax: number;
  /** Requests of one class waiting for one peer. */
  readonly requestsMax: number;
  readonly requestBytesMax: number;
  /**
   * Requests to the Coordinator wait so long for company; 0: not at all. Timers of a real clock take a millisecond at
   * least, and who has one such request under way gathers company meanwhile.
   */
  readonly batchUs: number;
  /** Handed to the network and not taken by it; the rest waits where its order can still change. */
  readonly writeBytes: number;
  /** A peer with so many bytes waiting for it for so long is slow: its connection ends. */
  readonly slowBytes: number;
  readonly slowMs: number;
  /** Requests of one connection, and of all, that wait for their answers to leave. */
  readonly inFlightMax: number;
  readonly inFlightTotalMax: number;
  /** A connection with so many bytes of answers waiting is not read from. */
  readonly responseBytesMax: number;
  /** What a refused caller is told to wait. */
  readonly busyRetryMs: number;
  /** Accepted connections. */
  readonly connectionsMax: number;
  /** Content of one chunk of a stream. */
  readonly chunkBytes: number;
  /** Bytes of one stream that are sent and not yet taken by the receiver's sink. */
  readonly windowBytes: number;
  /** All streams that a node sends. */
  readonly streamBytesPerSecond: number;
  readonly streamsOutMax: number;
  readonly streamsInMax: number;
  /** A stream that makes no progress for so long starts anew from where it was. */
  readonly streamStallMs: number;
  /** A stream that made no progress for so long is over on both sides. */
  readonly streamIdleMs: number;
}

const mebibyte = 1024 * 1024;

export const netOptionsDefault: NetOptions = {
  connectMs: 5_000,
  pingMs: 1_000,
  silenceMs: 4_000,
  backoffMsMin: 20,
  backoffMsMax: 2_000,
  controlMessagesMax: 65_536,
  appendBytesMax: 8 * mebibyte,
  requestsMax: 4_096,
  requestBytesMax: 8 * mebibyte,
  batchUs: 0,
  writeBytes: 256 * 1024,
  slowBytes: 4 * mebibyte,
  slowMs: 5_000,
  inFlightMax: 1_024,
  inFlightTotalMax: 8_192,
  responseBytesMax: 8 * mebibyte,
  busyRetryMs: 20,
  connectionsMax: 4_096,
  chunkBytes: chunkBytesMax,
  windowBytes: mebibyte,
  streamBytesPerSecond: 64 * mebibyte,
  streamsOutMax: 2,
  streamsInMax: 2,
  streamStallMs: 10_000,
  streamIdleMs: 600_000,
};

/** Pathological minima first: what the simulator draws. */
export const netOptionExtremes: Readonly<Partial<Record<keyof NetOptions, readonly number[]>>> = {
  connectMs: [300, 2_000, 5_000],
  pingMs: [50, 200, 1_000],
  silenceMs: [400, 1_500, 4_000],
  backoffMsMin: [1, 5, 100],
  backoffMsMax: [100, 500, 2_000],
  controlMessagesMax: [2, 8, 256],
  appendBytesMax: [2_000, 50_000],
  requestsMax: [1, 3, 20],
  requestBytesMax: [500, 5_000, 100_000],
  batchUs: [0, 1_000, 50_000],
  writeBytes: [200, 5_000, 65_536],
  slowBytes: [1_000, 50_000],
  slowMs: [500, 5_000],
  inFlightMax: [1, 4, 32],
  inFlightTotalMax: [2, 8, 64],
  responseBytesMax: [500, 10_000],
  chunkBytes: [1, 100, 5_000],
  windowBytes: [200, 1_000, 20_000],
  streamBytesPerSecond: [5_000, 100_000, 10_000_000],
  streamStallMs: [1_000, 10_000],
};

/** Defaults where nothing is given. Asserts what the parts rely on. */
export function netOptions(given: Partial<NetOptions>): NetOptions {
  const options = { ...netOptionsDefault, ...given };
  assert(options.chunkBytes >= 1, "a chunk holds something");
  assert(options.chunkBytes <= chunkBytesMax, "a chunk fits its frame");
  assert(options.pingMs < options.silenceMs, "a ping can be answered before silence is held against a peer");
  assert(options.backoffMsMin >= 1, "time passes between attempts");
  assert(options.backoffMsMin <= options.backoffMsMax, "an interval has its ends in order");
  assert(options.streamBytesPerSecond >= 1, "a stream moves");
  return options;
}
