import type { Env } from "../env/env.ts";
import type { SyncDesk } from "../wal/sync-desk.ts";
import type { WalWriter } from "../wal/writer.ts";

/** The longest that somebody stands still for the background: a flush of the largest memtable ends earlier. */
const patienceUs = 10_000_000;

/**
 * Standing still, and the background gets on all the same. While somebody writes without a pause the loop of events
 * has no turn: jobs that ended, and syncs that end, are fetched here.
 */
export class CatchUp {
  readonly #env: Env;
  readonly #syncs: SyncDesk;
  readonly #wal: WalWriter;

  constructor(env: Env, syncs: SyncDesk, wal: WalWriter) {
    this.#env = env;
    this.#syncs = syncs;
    this.#wal = wal;
  }

  /** For `us`, whatever ends meanwhile. */
  pass(us: number): void {
    const { clock, jobs } = this.#env;
    const untilUs = clock.monotonicUs() + us;
    let leftUs = us;
    while (leftUs > 0 && this.#step(leftUs)) leftUs = untilUs - clock.monotonicUs();
    leftUs = untilUs - clock.monotonicUs();
    if (leftUs > 0) jobs.giveWay(leftUs);
  }

  /** As long as `isBehind`, something is under way, and patience lasts. */
  while(isBehind: () => boolean): void {
    const { clock } = this.#env;
    const untilUs = clock.monotonicUs() + patienceUs;
    let leftUs = patienceUs;
    while (leftUs > 0 && isBehind() && this.#step(leftUs)) leftUs = untilUs - clock.monotonicUs();
  }

  /** One step of the background ends, and is told. False: none did, for want of time or because none is under way. */
  #step(us: number): boolean {
    const synced = this.#syncs.finishNow();
    return this.#wal.demandedNow() || synced || this.#env.jobs.standBy(us);
  }
}
