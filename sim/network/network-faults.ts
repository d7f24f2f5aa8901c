/**
 * What the simulated network does to every connection, as mutable knobs: the nemesis turns faults on and off
 * by assigning. Rates are per 1,000,000. What it does to one link (holding bytes, slowing it) is on the
 * `Link`.
 */
export interface NetworkFaults {
  /** One-way base latency of a link, drawn once per link between the two. */
  latencyUsMin: number;
  latencyUsMax: number;
  /** Each segment takes up to so much longer. */
  jitterUsMax: number;
  /** Of the segments: takes up to `spikeUsMax` longer, and all behind it wait. */
  spike: number;
  spikeUsMax: number;
  /** Of the links, drawn once each: as slow as `bandwidthBytesPerSecond`. 0: none. */
  throttled: number;
  bandwidthBytesPerSecond: number;
  /** Bytes in flight and not yet read by the receiver, per direction; then the sender waits. */
  windowBytes: number;
  /** A segment carries at most this many bytes. */
  segmentBytesMax: number;
  /** Of the segments: cut at a place of its own, down to one byte. */
  splitDelivery: number;
  /** Of the segments: a prefix arrives, then both sides see a reset. */
  reset: number;
  /** Of the connection attempts: refused although somebody listens. */
  refused: number;
  /**
   * Of the segments: one bit is flipped on the way, and the checksums of the network do not see it. Only scenarios
   * whose protocol has checksums of its own set it; machines that speak another one are spared by
   * `SimNetwork.speaksPlain`.
   */
  corrupt: number;
  /** A machine that loses power says nothing to its peers. Off: they see a reset at once. */
  halfOpen: boolean;
}

/** A quiet local network. */
export const networkFaultsNone: Readonly<NetworkFaults> = {
  latencyUsMin: 50,
  latencyUsMax: 150,
  jitterUsMax: 30,
  spike: 0,
  spikeUsMax: 200_000,
  throttled: 0,
  bandwidthBytesPerSecond: 1_000_000,
  windowBytes: 256 * 1024,
  segmentBytesMax: 64 * 1024,
  splitDelivery: 0,
  reset: 0,
  refused: 0,
  corrupt: 0,
  halfOpen: false,
};
