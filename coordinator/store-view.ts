import type { CoordinatorState, StoreMembership } from "./state.ts";

/** What a store says of itself, every few seconds. */
export interface StoreHeartbeat {
  readonly storeId: number;
  /** Of its process. */
  readonly incarnation: number;
  /**
   * Grows with everything that transactions leave in a replica of this process, and with nothing else. Where it is the
   * same on all stores as before, nothing has come since that could become garbage.
   */
  readonly writes: number;
  readonly capacityBytes: number;
  readonly availableBytes: number;
  readonly regionCount: number;
  readonly leaderCount: number;
  readonly readBytesPerSecond: number;
  readonly writtenBytesPerSecond: number;
  readonly snapshotsSending: number;
  readonly snapshotsReceiving: number;
  /** 1: as fast as it ever is; 100: it hardly answers. */
  readonly slowScore: number;
}

/**
 * `up`: heard of lately. `disconnected`: not so. `down`: for so long that its replicas are to be replaced.
 * `left`: for good.
 */
export type StoreLiveness = "up" | "disconnected" | "down" | "left";

export interface LivenessLimits {
  readonly disconnectedAfterMs: number;
  readonly downAfterMs: number;
}

export const livenessDefaults: LivenessLimits = { disconnectedAfterMs: 10_000, downAfterMs: 30 * 60_000 };

export interface StoreStatus {
  readonly storeId: number;
  readonly address: string;
  readonly liveness: StoreLiveness;
  readonly membership: StoreMembership;
  /** Null: none since the Coordinator started. */
  readonly heartbeat: StoreHeartbeat | null;
}

interface Heard {
  readonly heartbeat: StoreHeartbeat;
  readonly atUs: number;
}

/** What heartbeats of stores say, by the monotonic clock of this process. Forgotten with it. */
export class StoreView {
  readonly #limits: LivenessLimits;
  readonly #startedUs: number;
  readonly #heard = new Map<number, Heard>();

  constructor(limits: LivenessLimits, startedUs: number) {
    this.#limits = limits;
    this.#startedUs = startedUs;
  }

  hear(heartbeat: StoreHeartbeat, nowUs: number): void {
    this.#heard.set(heartbeat.storeId, { heartbeat, atUs: nowUs });
  }

  /** When it was heard of last; 0: not yet. */
  heardUs(storeId: number): number {
    return this.#heard.get(storeId)?.atUs ?? 0;
  }

  /** Every store that ever joined, by id. */
  list(state: CoordinatorState, nowUs: number): readonly StoreStatus[] {
    return state.stores.map(({ storeId, address, membership }) => {
      const heard = this.#heard.get(storeId);
      // A Coordinator that has just started has heard of nobody: silence counts from its start.
      const silentMs = (nowUs - (heard?.atUs ?? this.#startedUs)) / 1_000;
      const liveness = membership === "left" ? "left" : this.#livenessAfter(silentMs);
      return { storeId, address, liveness, membership, heartbeat: heard?.heartbeat ?? null };
    });
  }

  #livenessAfter(silentMs: number): StoreLiveness {
    if (silentMs >= this.#limits.downAfterMs) return "down";
    return silentMs >= this.#limits.disconnectedAfterMs ? "disconnected" : "up";
  }
}
