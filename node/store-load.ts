import type { Clock } from "../core/env/clock.ts";
import type { Engine } from "../core/engine/engine.ts";
import type { WriteCount } from "../txn/server/write-count.ts";
import type { StoreLoad } from "./store-reporter.ts";

/** What a store is burdened with, between one heartbeat and the next. */
export class StoreLoadMeter {
  readonly #clock: Clock;
  readonly #engine: Engine;
  readonly #incarnation: number;
  readonly #writes: WriteCount;
  #atUs: number;
  #written = 0;

  /** `incarnation`: of this process; `writes`: what its replicas were left by transactions. */
  // oxlint-disable-next-line max-params
  constructor(clock: Clock, engine: Engine, incarnation: number, writes: WriteCount) {
    this.#clock = clock;
    this.#engine = engine;
    this.#incarnation = incarnation;
    this.#writes = writes;
    this.#atUs = clock.monotonicUs();
  }

  load(): StoreLoad {
    const nowUs = this.#clock.monotonicUs();
    const written = this.#engine.stats().walBytes;
    const elapsedMs = Math.max(1, Math.floor((nowUs - this.#atUs) / 1_000));
    const writtenBytesPerSecond = Math.floor((Math.max(0, written - this.#written) * 1_000) / elapsedMs);
    this.#atUs = nowUs;
    this.#written = written;
    return {
      incarnation: this.#incarnation,
      writes: this.#writes.count,
      // A disk does not say how large it is: 0 stands for unknown.
      capacityBytes: 0,
      availableBytes: 0,
      readBytesPerSecond: 0,
      writtenBytesPerSecond,
      snapshotsSending: 0,
      snapshotsReceiving: 0,
      slowScore: 1,
    };
  }
}
