import { NokvError } from "../../core/errors.ts";

/** Limits and switches of a gateway. Every number is an integer; bytes, milliseconds or counts by name. */
export interface GatewayOptions {
  /** Without a password, refuse clients from anywhere but the loopback interface. */
  readonly protectedMode: boolean;
  /** What AUTH must say; empty: nobody has to. One code unit per byte. */
  readonly password: string;
  readonly clientsMax: number;
  /** The longest argument that a client may send. */
  readonly bulkBytesMax: number;
  readonly inlineBytesMax: number;
  /** Arguments of one request. */
  readonly argumentsMax: number;
  /** One request, and all bytes of one client that wait to be executed. */
  readonly requestBytesMax: number;
  /** A client with so many reply bytes waiting is not read from. */
  readonly outputBytesPause: number;
  /** A client with so many reply bytes waiting is disconnected. */
  readonly outputBytesMax: number;
  /** Requests of one client that may wait for the store at once. */
  readonly inFlightMax: number;
  /** Requests of one client executed before others get their turn. */
  readonly requestsPerTurnMax: number;
  /** From the first byte of a request to its last. */
  readonly incompleteMs: number;
  /** Without a request; 0: a client may be silent for ever. */
  readonly idleMs: number;
  /** For a client that was told goodbye to close its side. */
  readonly lingerMs: number;
  /** Positions of SCAN that are remembered, the oldest forgotten first. */
  readonly scanCursorsMax: number;
  /** Keys that one SCAN call or one turn of KEYS may look at, whatever COUNT says. */
  readonly scanKeysMax: number;
  /** Keys that KEYS returns; beyond, it refuses. */
  readonly keysMax: number;
}

const mebibyte = 1024 * 1024;

export const gatewayOptionsDefault: GatewayOptions = {
  protectedMode: true,
  password: "",
  clientsMax: 10_000,
  bulkBytesMax: 8 * mebibyte,
  inlineBytesMax: 64 * 1024,
  argumentsMax: 1024 * 1024,
  requestBytesMax: 64 * mebibyte,
  outputBytesPause: mebibyte,
  outputBytesMax: 64 * mebibyte,
  inFlightMax: 8192,
  requestsPerTurnMax: 1024,
  incompleteMs: 60_000,
  idleMs: 0,
  lingerMs: 2000,
  scanCursorsMax: 16_384,
  scanKeysMax: 10_000,
  keysMax: 1_000_000,
};

/** For each numeric option: values the simulator may draw, pathological minima first. */
export const gatewayOptionExtremes: Readonly<Partial<Record<keyof GatewayOptions, readonly number[]>>> = {
  clientsMax: [16, 10_000],
  outputBytesPause: [1, 64, 4096, mebibyte],
  inFlightMax: [1, 2, 8192],
  requestsPerTurnMax: [1, 3, 1024],
  incompleteMs: [5000, 60_000],
  lingerMs: [10, 2000],
  scanCursorsMax: [32, 16_384],
  scanKeysMax: [1, 2, 10_000],
};

/** Fills in defaults. Throws NOKV_INVALID_ARGUMENT naming the field that is wrong. */
export function checkGatewayOptions(options: Partial<GatewayOptions>): GatewayOptions {
  const complete: GatewayOptions = { ...gatewayOptionsDefault, ...options };
  for (const [name, value] of Object.entries(complete) as [keyof GatewayOptions, unknown][]) {
    const model: unknown = gatewayOptionsDefault[name];
    if (model === undefined) throw wrong(name, "is not an option of the gateway");
    if (typeof value !== typeof model) throw wrong(name, `must be a ${typeof model}`);
    const least = name === "idleMs" ? 0 : 1;
    if (typeof value === "number" && (!Number.isSafeInteger(value) || value < least)) {
      throw wrong(name, `must be an integer of at least ${least}`);
    }
  }
  if (complete.requestBytesMax < complete.bulkBytesMax) {
    throw wrong("requestBytesMax", "must be at least bulkBytesMax");
  }
  if (complete.requestBytesMax > 0x7000_0000) throw wrong("requestBytesMax", "must be below 2 GiB");
  return complete;
}

function wrong(name: string, why: string): NokvError {
  return new NokvError("NOKV_INVALID_ARGUMENT", `gateway option ${name} ${why}`);
}
