import { assert } from "../../core/assert.ts";

/** No larger entry is proposed: it travels in one frame of `net/rpc`, with what its message has around it. */
export const entryBytesLimit = 1024 * 1024 - 8_192;

/** Limits of one region's machine. Integers: bytes, milliseconds or counts by name. */
export interface TxnRegionOptions {
  /** Commands that wait for something. More are refused as busy. */
  readonly commandsMax: number;
  /** Of commands that share an entry of the log; one command may take more. */
  readonly entryBytesMax: number;
  readonly entryCommandsMax: number;
  /** Operations that share one request for timestamps. */
  readonly stampsMax: number;
  /** A timestamp that has not come by then is not waited for. */
  readonly stampMs: number;
  /** Keys and values of one page of a scan, about. */
  readonly pageBytesMax: number;
}

const txnRegionOptionsDefault: TxnRegionOptions = {
  commandsMax: 16_384,
  entryBytesMax: 256 * 1024,
  entryCommandsMax: 1_024,
  stampsMax: 4_096,
  stampMs: 2_000,
  pageBytesMax: 256 * 1024,
};

export function txnRegionOptions(given: Partial<TxnRegionOptions>): TxnRegionOptions {
  const options = { ...txnRegionOptionsDefault, ...given };
  assert(options.entryBytesMax <= entryBytesLimit, "what shares an entry fits a proposal");
  assert(Math.min(options.entryCommandsMax, options.stampsMax, options.commandsMax) >= 1, "a limit lets one through");
  return options;
}
