import type { RegionMeta } from "../raft/region.ts";
import { CoordinatorError } from "./coordinator-error.ts";
import { compareTokens, type RootStatus, type RootToken } from "./journal.ts";
import type { RegionLeader } from "./leader-view.ts";
import { regionAt } from "./region-map.ts";
import type { CoordinatorState } from "./state.ts";

/**
 * How fresh a route must be. `STRONG`: the leader's, with everything in it that was published. `BOUNDED`: at most
 * `maxRootLag` events behind. `BEST_EFFORT`: whatever is known, and how old it is.
 */
export type Freshness = "STRONG" | "BOUNDED" | "BEST_EFFORT";
export type DegradedMode = "HEALTHY" | "ROOT_LAGGING" | "ROOT_UNAVAILABLE";
export type CatchUpState = "FRESH" | "LAGGING" | "BOOTSTRAP_REQUIRED" | "UNAVAILABLE";

export interface RouteRequest {
  readonly key: Uint8Array;
  readonly freshness: Freshness;
  /** What the caller has seen already: an older view is no answer for it. */
  readonly requiredToken: RootToken;
  /** For `BOUNDED`. */
  readonly maxRootLag: number;
}

export interface RouteAnswer {
  /** Null: no region is known to hold the key. */
  readonly region: RegionMeta | null;
  /** Null: nobody has said. */
  readonly leader: RegionLeader | null;
  readonly servedFreshness: Freshness;
  readonly servedToken: RootToken;
  readonly currentToken: RootToken;
  readonly rootLag: number;
  readonly servedByLeader: boolean;
  readonly degradedMode: DegradedMode;
  readonly catchUpState: CatchUpState;
}

/** What a route rests on. */
export interface RootView {
  readonly state: CoordinatorState;
  readonly token: RootToken;
  readonly status: RootStatus;
  leaderOf(regionId: number): RegionLeader | null;
}

/** The answer, or why there is none. What was asked for is never silently replaced by something weaker. */
export function route(view: RootView, request: RouteRequest): RouteAnswer | CoordinatorError {
  const { state, token, status } = view;
  const catchUpState = catchUp(view);
  const refusal = refuse(view, request, catchUpState);
  if (refusal !== null) return new CoordinatorError("ROUTE_UNAVAILABLE", refusal);
  const region = regionAt(state.regions, request.key);
  const leader = region === null ? null : view.leaderOf(region.id);
  // Who was removed since its last heartbeat leads nobody.
  const leads = leader !== null && (region?.peers.some(({ peerId }) => peerId === leader.peerId) ?? false);
  return {
    region,
    leader: leads ? leader : null,
    servedFreshness: request.freshness,
    servedToken: token,
    currentToken: status.newest,
    rootLag: status.lag,
    servedByLeader: status.role === "leader",
    degradedMode: degradedMode(status),
    catchUpState,
  };
}

function refuse({ token, status }: RootView, request: RouteRequest, catchUpState: CatchUpState): string | null {
  const { freshness, requiredToken, maxRootLag } = request;
  if (freshness === "BEST_EFFORT") return null;
  if (catchUpState === "BOOTSTRAP_REQUIRED") return "this member has no map of the regions yet";
  if (status.role === "none") return "this member knows of no leader of the root";
  if (compareTokens(token, requiredToken) < 0) {
    return `the view is of ${token.term}/${token.index}, before ${requiredToken.term}/${requiredToken.index}`;
  }
  if (freshness === "STRONG") return status.role === "leader" ? null : "a strong route comes from the leader only";
  return status.lag <= maxRootLag ? null : `the view is ${status.lag} events behind, more than ${maxRootLag}`;
}

function catchUp({ state, status }: RootView): CatchUpState {
  if (status.bootstrapRequired || state.regions.length === 0) return "BOOTSTRAP_REQUIRED";
  if (status.role === "none") return "UNAVAILABLE";
  return status.lag > 0 ? "LAGGING" : "FRESH";
}

function degradedMode({ role, lag }: RootStatus): DegradedMode {
  if (role === "none") return "ROOT_UNAVAILABLE";
  return lag > 0 ? "ROOT_LAGGING" : "HEALTHY";
}
