import { decode, encode } from "../../core/bytes/layout.ts";
import {
  describeRpcError,
  isUndetermined,
  type RpcError,
  type RpcErrorKind,
  whyNoAnswer,
} from "../../net/rpc/rpc-error.ts";
import type { RegionMeta } from "../../raft/region.ts";
import { CoordinatorError, type CoordinatorErrorCode } from "../coordinator-error.ts";
import { knownRegionLayout } from "./messages.ts";

/** Numbers on the wire, for ever: the code of an "application" error from the Coordinator. */
const numbers: Readonly<Record<CoordinatorErrorCode, number>> = {
  TSO_UNAVAILABLE: 1,
  CLOCK_AHEAD: 2,
  ID_UNAVAILABLE: 3,
  ROUTE_UNAVAILABLE: 4,
  ROOT_UNAVAILABLE: 5,
  ROOT_UNDETERMINED: 6,
  BOOTSTRAP_REQUIRED: 7,
  STALE_HEARTBEAT: 8,
  EPOCH_MISMATCH: 9,
  TRANSITION_REFUSED: 10,
  UNKNOWN_STORE: 11,
  BUSY: 12,
  INVALID: 13,
  STOPPED: 14,
  NOT_LEADER: 15,
};

const codes: ReadonlyMap<number, CoordinatorErrorCode> = new Map(
  Object.entries(numbers).map(([code, number]) => [number, code as CoordinatorErrorCode]),
);

const noBytes = new Uint8Array(0);
/** What a caller is told to wait before it asks again. */
const retryAfterMs = 50;

/** As it travels. `known`: what makes a heartbeat stale. */
export function toRpcError(error: CoordinatorError, known: RegionMeta | null = null): RpcError {
  const { code, message, leader } = error;
  if (code === "NOT_LEADER") return { kind: "not-leader", regionId: 0, leaderStore: leader, leaderPeer: 0 };
  if (code === "TSO_UNAVAILABLE") return { kind: "tso-unavailable", retryAfterMs, reason: message };
  if (code === "ROUTE_UNAVAILABLE") return { kind: "route-unavailable", retryAfterMs, reason: message };
  const detail = known === null ? noBytes : encode(knownRegionLayout, { known });
  return { kind: "application", code: numbers[code], reason: message, detail };
}

/** What one member of a group is short of: another one may have it. */
const local: readonly CoordinatorErrorCode[] = [
  "ID_UNAVAILABLE", "ROOT_UNAVAILABLE", "ROOT_UNDETERMINED", "STOPPED", "NOT_LEADER",
];

const localKinds: readonly RpcErrorKind[] = [
  "not-leader", "unreachable", "deadline-exceeded", "connection-lost", "undetermined", "tso-unavailable",
];

/** Another member of the group, or the same a little later, may answer what this one did not. */
export function mayDoElsewhere(error: RpcError): boolean {
  if (error.kind !== "application") return localKinds.includes(error.kind);
  const code = codes.get(error.code);
  return code !== undefined && local.includes(code);
}

/** It may have had its effect, as far as whoever was asked knows, or because nobody answered. */
export function mayHaveHappened(error: RpcError): boolean {
  if (error.kind === "application") return error.code === numbers.ROOT_UNDETERMINED;
  return isUndetermined(error);
}

/** It refuses an epoch that the same request, sent before, may have raised itself. */
export function isEpochMismatch(error: RpcError): boolean {
  return error.kind === "application" && error.code === numbers.EPOCH_MISMATCH;
}

/** What a caller may conclude when the Coordinator itself did not answer. */
export interface Silence {
  /** Nothing happened. */
  readonly unavailable: CoordinatorErrorCode;
  /** Something may have happened. */
  readonly undetermined: CoordinatorErrorCode;
}

/**
 * What the Coordinator said, or what its silence means: whoever asks sees one vocabulary, whether the Coordinator
 * cannot decide or cannot be reached.
 */
export function fromRpcError(error: RpcError, { unavailable, undetermined }: Silence): CoordinatorError {
  const reason = describeRpcError(error);
  if (error.kind === "application") {
    return new CoordinatorError(codes.get(error.code) ?? undetermined, error.reason);
  }
  if (error.kind === "tso-unavailable") return new CoordinatorError("TSO_UNAVAILABLE", error.reason);
  if (error.kind === "route-unavailable") return new CoordinatorError("ROUTE_UNAVAILABLE", error.reason);
  if (error.kind === "malformed" || error.kind === "unknown-method" || error.kind === "entry-too-large") {
    return new CoordinatorError("INVALID", `the Coordinator does not understand the request: ${reason}`);
  }
  const code = isUndetermined(error) ? undetermined : unavailable;
  return new CoordinatorError(code, `no answer from the Coordinator: ${whyNoAnswer(error)}`);
}

/** Of a STALE_HEARTBEAT; null: none was told. */
export function knownRegion(error: RpcError): RegionMeta | null {
  if (error.kind !== "application" || error.detail.length === 0) return null;
  const decoded = decode(knownRegionLayout, error.detail);
  return typeof decoded === "string" ? null : decoded.value.known;
}
