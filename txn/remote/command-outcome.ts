import { unreachable } from "../../core/assert.ts";
import { isUndetermined, type RpcError, type RpcErrorKind } from "../../net/rpc/rpc-error.ts";
import type { Response } from "../percolator/command.ts";
import type { RegionError } from "../client/exchange.ts";
import { regionOfHint } from "./region-places.ts";

/** What became of one command that was given to the network. */
export type CommandOutcome =
  | { readonly kind: "response"; readonly response: Response }
  /** It was not executed. */
  | { readonly kind: "region-error"; readonly error: RegionError }
  /** It was not executed: it did not get there. */
  | { readonly kind: "unsent" }
  /** Nobody knows. */
  | { readonly kind: "lost" };

/** What an error of the network or of a store means for the command that it is about. */
export function outcomeOf(error: RpcError): CommandOutcome {
  switch (error.kind) {
    case "not-leader":
    case "stale-command":
      return { kind: "region-error", error: { kind: "not-leader" } };
    case "epoch-not-match":
      return { kind: "region-error", error: { kind: error.kind, regions: error.current.map(regionOfHint) } };
    case "key-not-in-region":
      return { kind: "region-error", error: { kind: "epoch-not-match", regions: [] } };
    case "region-not-found":
    case "store-not-match":
      return { kind: "region-error", error: { kind: "region-not-found" } };
    case "server-busy":
      return { kind: "region-error", error: { kind: "busy" } };
    case "deadline-exceeded":
    case "cancelled":
    case "undetermined":
    case "connection-lost":
    case "unknown-error":
      return isUndetermined(error) ? { kind: "lost" } : { kind: "unsent" };
    case "unreachable":
    case "entry-too-large":
    case "locked":
    case "write-conflict":
    case "commit-ts-expired":
    case "txn-too-old":
    case "tso-unavailable":
    case "route-unavailable":
    case "mode-mismatch":
    case "unknown-method":
    case "malformed":
    case "application":
      return { kind: "unsent" };
    default:
      return unreachable(error);
  }
}

/** The store is there and has looked at the request. */
export function isAnswer(error: RpcError): boolean {
  return !silences.includes(error.kind);
}

const silences: readonly RpcErrorKind[] = ["unreachable", "connection-lost", "deadline-exceeded", "cancelled"];
