import type { CoordinatorClient } from "../../coordinator/service/client.ts";
import type { RouteAnswer } from "../../coordinator/route.ts";
import { rangeContains } from "../../raft/region.ts";
import type { Region } from "../client/region-cache.ts";
import { regionOf, type RegionPlaces } from "./region-places.ts";

/** Null: nobody could say. */
export type LocateDone = (region: Region | null) => void;

interface Search {
  readonly key: Uint8Array;
  readonly done: LocateDone;
}

/** An answer that takes longer comes too late. */
const routeMs = 1_000;

/**
 * Asks the Coordinator where keys lie. One question is under way at a time, and its answer serves everybody who waits
 * for a key of that region.
 */
export class RegionLocator {
  readonly #coordinator: Pick<CoordinatorClient, "route">;
  readonly #places: RegionPlaces;
  #searches: Search[] = [];
  #asking = false;

  constructor(coordinator: Pick<CoordinatorClient, "route">, places: RegionPlaces) {
    this.#coordinator = coordinator;
    this.#places = places;
  }

  /** `done` is called later; after the returned function was called, not at all. */
  locate(key: Uint8Array, done: LocateDone): () => void {
    const search = { key, done };
    this.#searches.push(search);
    this.#next();
    return () => void (this.#searches = this.#searches.filter((each) => each !== search));
  }

  #next(): void {
    const [first] = this.#searches;
    if (this.#asking || first === undefined) return;
    this.#asking = true;
    this.#ask(first.key, "STRONG");
  }

  /** The newest there is; or, rather than nothing, what somebody remembers: stores correct what is old. */
  #ask(key: Uint8Array, freshness: "STRONG" | "BEST_EFFORT"): void {
    this.#coordinator.route({ key, freshness, timeoutMs: routeMs }, (error, answer) => {
      if (error?.code === "ROUTE_UNAVAILABLE" && freshness === "STRONG") this.#ask(key, "BEST_EFFORT");
      else this.#answered(key, answer);
    });
  }

  #answered(key: Uint8Array, answer: RouteAnswer | null): void {
    this.#asking = false;
    const meta = answer?.region ?? null;
    if (meta !== null) this.#places.learn(meta, answer?.leader?.storeId ?? 0);
    const region = meta === null ? null : regionOf(meta);
    // Without an answer there is none for the others either: each has a budget of its own.
    const served = this.#searches.filter((each) => meta === null || each.key === key || rangeContains(meta, each.key));
    this.#searches = this.#searches.filter((each) => !served.includes(each));
    for (const { done } of served) done(region);
    this.#next();
  }
}
