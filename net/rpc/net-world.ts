import type { Clock } from "../../core/env/clock.ts";
import type { Address, Network } from "../../core/env/network.ts";
import type { Random } from "../../core/env/random.ts";
import type { Trace } from "../../core/env/trace.ts";
import { Deadlines } from "./deadlines.ts";
import type { Hello, Identity } from "./hello.ts";
import type { NetOptions } from "./options.ts";
import type { MessageClass } from "./wire.ts";

/** The parts of `Env` that a transport uses. */
export interface NetWorld {
  readonly clock: Clock;
  readonly network: Network;
  readonly random: Random;
  readonly trace: Trace;
}

/** Where a store listens; null: nobody knows now. Called back once, at once or later. */
export type Resolve = (storeId: number, done: (address: Address | null) => void) => void;

/** What a transport tells its node. None is called inside a call that the node made. */
export interface NetHooks {
  /** `body` is valid only during the call. */
  onMessage(from: Hello, cls: MessageClass, type: number, body: Uint8Array): void;
  /** What was sent to that store lately may be lost: no connection, a broken one, or no room. */
  onUnreachable(storeId: number, reason: string): void;
  /** Somebody has heard of a later process that says it is this store: another one, or of a newer directory. */
  onSuperseded?(reason: string): void;
}

/** What all connections of a node have in common. */
export class NetContext {
  readonly world: NetWorld;
  readonly identity: Identity;
  readonly options: NetOptions;
  readonly resolve: Resolve;
  readonly hooks: NetHooks;
  readonly deadlines: Deadlines;
  readonly statistics = new NetStatistics();
  readonly #refusals = new Map<string, string>();

  // oxlint-disable-next-line max-params
  constructor(world: NetWorld, identity: Identity, options: NetOptions, resolve: Resolve, hooks: NetHooks) {
    this.world = world;
    this.identity = identity;
    this.options = options;
    this.resolve = resolve;
    this.hooks = hooks;
    this.deadlines = new Deadlines(world.clock);
  }

  /** Says why a connection did not come about, once until the reason changes. */
  refused(peer: string, by: "us" | "them", reason: string): void {
    this.statistics.refusals++;
    const text = `${by} ${reason}`;
    if (this.#refusals.get(peer) === text) return;
    if (this.#refusals.size >= refusalsKept) this.#refusals.clear();
    this.#refusals.set(peer, text);
    this.world.trace.emit("net/refused", { peer, by, reason });
  }
}

const refusalsKept = 1024;

/** Counted since the transport was made. */
export class NetStatistics {
  connectionsOpened = 0;
  connectionsAccepted = 0;
  connectionsLost = 0;
  refusals = 0;
  malformed = 0;
  slowPeers = 0;
  silentPeers = 0;
  bytesOut = 0;
  bytesIn = 0;
  writes = 0;
  framesIn = 0;
  messagesDropped = 0;
  messagesSuperseded = 0;
  callsRefused = 0;
  requestsRefused = 0;
  requestsExpired = 0;
  requestsCancelled = 0;
  lateResponses = 0;
}
