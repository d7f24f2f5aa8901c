import { type NetOptions, netOptionExtremes, netOptionsDefault } from "../net/rpc/options.ts";
import type { World } from "../sim/world.ts";

/** What a seed's network carries in reason, and the limits of its nodes to match. */
export interface RpcSizes {
  readonly options: Partial<NetOptions>;
  readonly payloadBytesMax: number;
  readonly streamBytesMax: number;
  /** With nothing wrong, a call of an idle node is answered within this. */
  readonly calmMs: number;
}

const perSecond = 1_000;

/** Limits as drawn, but none that the seed's own network cannot meet when nothing is wrong. */
export function drawRpcSizes(world: World): RpcSizes {
  const { latencyUsMax, jitterUsMax, windowBytes } = world.options.network.faults;
  const roundTripMs = Math.ceil((2 * (latencyUsMax + jitterUsMax)) / 1_000) + 2;
  const bytesPerSecond = Math.max(300, Math.floor((windowBytes * perSecond) / roundTripMs));
  const payloadBytesMax = Math.min(20_000, Math.max(40, Math.floor(bytesPerSecond / 8)));
  const drawn = world.tunables("net", netOptionsDefault, netOptionExtremes);
  const given = { ...netOptionsDefault, ...drawn };
  const writeBytes = Math.min(given.writeBytes, Math.max(200, Math.floor(bytesPerSecond / 4)));
  // Behind what is written already, in both directions, and a frame that is under way.
  const queueMs = Math.ceil((4 * (writeBytes + payloadBytesMax + 400) * perSecond) / bytesPerSecond);
  const calmMs = 6 * roundTripMs + queueMs;
  const pingMs = Math.max(given.pingMs, 2 * roundTripMs);
  const options: Partial<NetOptions> = {
    ...drawn,
    writeBytes,
    pingMs,
    silenceMs: Math.max(given.silenceMs, 2 * pingMs + 2 * calmMs),
    connectMs: Math.max(given.connectMs, calmMs),
    slowMs: Math.max(given.slowMs, 2 * calmMs),
    slowBytes: Math.max(given.slowBytes, 2 * (writeBytes + payloadBytesMax)),
    backoffMsMax: Math.max(given.backoffMsMax, given.backoffMsMin),
    chunkBytes: Math.min(given.chunkBytes, payloadBytesMax),
    streamStallMs: Math.max(given.streamStallMs, 2 * pingMs + 2 * calmMs),
    streamIdleMs: 60_000 + 20 * calmMs,
  };
  const chunkBytes = Math.min(given.chunkBytes, payloadBytesMax);
  // A chunk of one byte costs as much as one of a hundred.
  const streamBytesMax = Math.min(Math.max(20, bytesPerSecond * 2), chunkBytes * 24, 60_000);
  return { options, payloadBytesMax, streamBytesMax, calmMs };
}
