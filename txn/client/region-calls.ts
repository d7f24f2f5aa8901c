import type { Command, Response } from "../percolator/command.ts";
import type { Backoff, WaitClass } from "./backoff.ts";
import type { Exchange, RegionError } from "./exchange.ts";
import type { Region, RegionCache } from "./region-cache.ts";

/** Something that belongs to the region of a key. */
export interface Keyed {
  readonly key: Uint8Array;
}

/** What a client shares between its machines. */
export interface ClientParts {
  readonly exchange: Exchange;
  readonly cache: RegionCache;
}

/** How the items of one region are asked for and what is done with the answer. */
export interface RegionCall<T extends Keyed> {
  readonly command: (items: readonly T[], region: Region) => Command;
  readonly reply: (response: Response, turn: Turn<T>) => void;
  /** What `command` made last for these items was surely not executed. */
  readonly notDone?: () => void;
  /** Given: the items must lie in one region that `fits`; else `spread` is called, and nothing more happens. */
  readonly whole?: { readonly fits: (region: Region) => boolean; readonly spread: () => void };
}

/** One answer of one region. Exactly one of the three methods is called, now or later. */
export interface Turn<T extends Keyed> {
  readonly items: readonly T[];
  readonly region: Region;
  done(): void;
  /** After a wait, everything about these items is asked again, by the regions of then. */
  again(items: readonly T[], reason: WaitClass): void;
  fail(): void;
}

/**
 * Sends commands to regions until each item has had its answer. Items are grouped by what the cache says *now*, at
 * every attempt: what was one region may be two. One budget bounds all attempts.
 */
export class RegionCalls {
  readonly #exchange: Exchange;
  readonly #cache: RegionCache;
  readonly #backoff: Backoff;

  constructor({ exchange, cache }: ClientParts, backoff: Backoff) {
    this.#exchange = exchange;
    this.#cache = cache;
    this.#backoff = backoff;
  }

  /** `settled(false)`: the budget ran out, or a reply failed the call; answers that still come are not looked at. */
  run<T extends Keyed>(items: readonly T[], call: RegionCall<T>, settled: (done: boolean) => void): void {
    new Fan(this.#exchange, this.#cache, this.#backoff, { call, settled }).send(items);
  }

  /** A timestamp of the present, or null when the budget ran out. */
  timestamp(then: (ts: number | null) => void): void {
    this.#timestamp(true, then);
  }

  /** A timestamp that nobody else has, and below all that are asked for from now on: a name. Null as above. */
  operationId(then: (id: number | null) => void): void {
    this.#timestamp(false, then);
  }

  #timestamp(present: boolean, then: (ts: number | null) => void): void {
    this.#exchange.timestamp(present, (input) => {
      if (input.kind === "timestamp") then(input.ts);
      else this.pause("timestamp", (inTime) => (inTime ? this.#timestamp(present, then) : then(null)));
    });
  }

  /** Waits, whatever the budget says. */
  after(delayMs: number, then: () => void): void {
    this.#exchange.wait(delayMs, then);
  }

  /** Waits; false at once: the budget ran out. */
  pause(reason: WaitClass, then: (inTime: boolean) => void): void {
    const delayMs = this.#backoff.next(reason, this.#exchange.nowMs);
    if (delayMs === null) then(false);
    else this.#exchange.wait(delayMs, () => then(true));
  }
}

interface FanOrder<T extends Keyed> {
  readonly call: RegionCall<T>;
  readonly settled: (done: boolean) => void;
}

class Fan<T extends Keyed> {
  readonly #exchange: Exchange;
  readonly #cache: RegionCache;
  readonly #backoff: Backoff;
  readonly #order: FanOrder<T>;
  #open = 0;
  #over = false;

  constructor(exchange: Exchange, cache: RegionCache, backoff: Backoff, order: FanOrder<T>) {
    this.#exchange = exchange;
    this.#cache = cache;
    this.#backoff = backoff;
    this.#order = order;
  }

  send(items: readonly T[]): void {
    if (this.#over) return;
    if (this.#backoff.isOver(this.#exchange.nowMs)) return this.#end(false);
    const unknown = items.find(({ key }) => this.#cache.find(key) === null);
    if (unknown !== undefined) return this.#locate(unknown.key, items);
    const groups = new Map<Region, T[]>();
    for (const item of items) {
      const region = this.#cache.find(item.key) as Region;
      const group = groups.get(region);
      if (group === undefined) groups.set(region, [item]);
      else group.push(item);
    }
    const { whole } = this.#order.call;
    if (whole !== undefined && (groups.size > 1 || ![...groups.keys()].every(whole.fits))) {
      this.#over = true;
      return whole.spread();
    }
    this.#open += groups.size;
    for (const [region, group] of groups) this.#sendGroup(region, group);
  }

  #locate(key: Uint8Array, items: readonly T[]): void {
    this.#open++;
    this.#exchange.locate(key, (input) => {
      if (input.kind !== "located") return this.#again(items, "rpc");
      // Older than what is known elsewhere: asked again, the answer will be newer.
      if (!this.#cache.insert(input.region)) return this.#again(items, "region-miss");
      this.#open--;
      this.send(items);
    });
  }

  #sendGroup(region: Region, items: readonly T[]): void {
    this.#exchange.send(region, this.#order.call.command(items, region), (input) => {
      if (this.#over) return;
      if (input.kind === "response") this.#order.call.reply(input.response, this.#turn(region, items));
      else {
        if (input.kind !== "lost") this.#order.call.notDone?.();
        if (input.kind === "region-error") this.#misrouted(region, input.error, items);
        else this.#again(items, "rpc");
      }
    });
  }

  #turn(region: Region, items: readonly T[]): Turn<T> {
    return {
      items,
      region,
      done: () => this.#done(),
      again: (left, reason) => this.#again(left, reason),
      fail: () => this.#end(false),
    };
  }

  #misrouted(region: Region, error: RegionError, items: readonly T[]): void {
    if (error.kind === "busy") return this.#again(items, "busy");
    if (error.kind === "not-leader") return this.#again(items, "rpc");
    this.#cache.invalidate(region);
    if (error.kind === "epoch-not-match") for (const newer of error.regions) this.#cache.insert(newer);
    this.#again(items, "region-miss");
  }

  #again(items: readonly T[], reason: WaitClass): void {
    if (this.#over) return;
    const delayMs = this.#backoff.next(reason, this.#exchange.nowMs);
    if (delayMs === null) return this.#end(false);
    this.#exchange.wait(delayMs, () => {
      this.#open--;
      this.send(items);
    });
  }

  #done(): void {
    if (--this.#open === 0) this.#end(true);
  }

  #end(done: boolean): void {
    if (this.#over) return;
    this.#over = true;
    this.#order.settled(done);
  }
}
