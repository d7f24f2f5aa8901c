/** A region as the answering store knows it: what a client needs to route again. */
export interface RegionHint {
  readonly regionId: number;
  readonly confVer: number;
  readonly version: number;
  readonly start: Uint8Array;
  /** Empty: no end. */
  readonly end: Uint8Array;
  /** 0: unknown. */
  readonly leaderStore: number;
}

/** A lock that is in the way. */
export interface LockHint {
  readonly key: Uint8Array;
  readonly primary: Uint8Array;
  readonly startVersion: number;
  readonly ttlMs: number;
}

/**
 * How a call may end other than with a response. Some are answers of the other side, some are found out here, and
 * some are both. 0 stands for "unknown" in ids.
 */
export type RpcError =
  // Regions.
  | {
      readonly kind: "not-leader";
      readonly regionId: number;
      readonly leaderStore: number;
      readonly leaderPeer: number;
    }
  | { readonly kind: "epoch-not-match"; readonly current: readonly RegionHint[] }
  | {
      readonly kind: "key-not-in-region";
      readonly regionId: number;
      readonly key: Uint8Array;
      readonly start: Uint8Array;
      readonly end: Uint8Array;
    }
  | { readonly kind: "region-not-found"; readonly regionId: number }
  | { readonly kind: "store-not-match"; readonly expected: number; readonly actual: number }
  | { readonly kind: "stale-command"; readonly reason: string }
  | { readonly kind: "entry-too-large"; readonly sizeBytes: number; readonly maxBytes: number }
  // Transactions.
  | { readonly kind: "locked"; readonly locks: readonly LockHint[] }
  | {
      readonly kind: "write-conflict";
      readonly key: Uint8Array;
      readonly startVersion: number;
      readonly conflictVersion: number;
    }
  | {
      readonly kind: "commit-ts-expired";
      readonly key: Uint8Array;
      readonly attempted: number;
      readonly minimum: number;
    }
  | { readonly kind: "txn-too-old"; readonly startVersion: number; readonly safePoint: number }
  // The Coordinator.
  | { readonly kind: "tso-unavailable"; readonly retryAfterMs: number; readonly reason: string }
  | { readonly kind: "route-unavailable"; readonly retryAfterMs: number; readonly reason: string }
  | { readonly kind: "mode-mismatch"; readonly expected: string; readonly actual: string }
  // Any call.
  | { readonly kind: "server-busy"; readonly retryAfterMs: number; readonly reason: string }
  | { readonly kind: "undetermined"; readonly reason: string }
  | { readonly kind: "unknown-method"; readonly method: number }
  | { readonly kind: "malformed"; readonly reason: string }
  /** What an application adds, in a form of its own. */
  | { readonly kind: "application"; readonly code: number; readonly reason: string; readonly detail: Uint8Array }
  /** `sent`: it may have been executed. */
  | { readonly kind: "deadline-exceeded"; readonly sent: boolean }
  | { readonly kind: "cancelled"; readonly sent: boolean }
  /** It was not sent. */
  | { readonly kind: "unreachable"; readonly retryAfterMs: number; readonly reason: string }
  /** It was sent, and nobody knows what became of it. */
  | { readonly kind: "connection-lost"; readonly reason: string }
  /** Of a later version of this protocol. */
  | { readonly kind: "unknown-error"; readonly number: number };

export type RpcErrorKind = RpcError["kind"];

/** The request may have had its effect although nobody says so: not to be told as a failure. */
export function isUndetermined(error: RpcError): boolean {
  if (error.kind === "deadline-exceeded" || error.kind === "cancelled") return error.sent;
  return error.kind === "undetermined" || error.kind === "connection-lost" || error.kind === "unknown-error";
}

/** Why there is no answer, in as few words as there are: for people who ask for nothing but that. */
export function whyNoAnswer(error: RpcError): string {
  return "reason" in error ? error.reason : error.kind;
}

/** One line for people: names, numbers and reasons, no keys. */
export function describeRpcError(error: RpcError): string {
  const parts = Object.entries(error).flatMap(([name, value]) => {
    if (name === "kind") return [];
    if (value instanceof Uint8Array) return [`${name} of ${value.length} bytes`];
    if (Array.isArray(value)) return [`${value.length} of ${name}`];
    return [`${name} ${String(value)}`];
  });
  return parts.length === 0 ? error.kind : `${error.kind}: ${parts.join(", ")}`;
}
