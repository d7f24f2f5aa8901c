import type { Clock } from "../../core/env/clock.ts";
import { NokvError } from "../../core/errors.ts";
import type { CoordinatorClient } from "../../coordinator/service/client.ts";
import type { Expiring } from "../../net/rpc/deadlines.ts";
import { Backoff, type Draw } from "../client/backoff.ts";
import type { CommandSender } from "./command-sender.ts";
import { type ClientInput, type ClientOutput, Exchange } from "../client/exchange.ts";
import type { RegionCache } from "../client/region-cache.ts";
import { RegionCalls } from "../client/region-calls.ts";
import type { RegionLocator } from "./region-locator.ts";
import type { OperationIds } from "./operation-ids.ts";
import type { TxnParts } from "../client/transaction.ts";

/** What all operations of a client share. */
export interface OperationWorld {
  readonly clock: Clock;
  readonly cache: RegionCache;
  readonly sender: CommandSender;
  readonly locator: RegionLocator;
  readonly coordinator: Pick<CoordinatorClient, "timestamps">;
  readonly ids: OperationIds;
  readonly draw: Draw;
  /** Operations with something under way. */
  readonly live: Set<Operation>;
}

/** A timestamp that takes longer is asked for again. */
const timestampMs = 1_000;
/** When time is up for everything, what was to follow a decision included. */
const endOfTimeMs = Number.MAX_SAFE_INTEGER;

/**
 * One operation of a client: its machines, and the way between them and the world. What the machines want done is
 * begun at once, and answers come back one by one, on turns of their own. At its deadline, or when it is cancelled,
 * everything that it waits for counts as lost, and its machines come to an end; what follows a decision goes on.
 */
export class Operation implements Expiring {
  readonly deadlineUs: number;
  readonly calls: RegionCalls;
  readonly parts: TxnParts;
  readonly budget: Backoff;
  /** Its caller has its answer. */
  settled = false;
  cancelled = false;
  /** Its time was over before it had an answer. */
  expired = false;
  readonly #world: OperationWorld;
  readonly #exchange = new Exchange();
  /** How to give up what is under way, by the id of its output. */
  readonly #underWay = new Map<number, { readonly kind: ClientOutput["kind"]; readonly cancel: () => void }>();
  #stepping = false;

  constructor(world: OperationWorld, timeoutMs: number) {
    this.#world = world;
    const nowUs = world.clock.monotonicUs();
    this.deadlineUs = nowUs + timeoutMs * 1_000;
    this.budget = new Backoff(this.deadlineMs, world.draw);
    this.parts = { exchange: this.#exchange, cache: world.cache, draw: world.draw };
    this.calls = new RegionCalls(this.parts, this.budget);
  }

  /** On the clock of the machines. */
  get deadlineMs(): number {
    return Math.floor(this.deadlineUs / 1_000);
  }

  /** Lets machines begin something. */
  run(begin: () => void): void {
    this.#step(() => {
      this.#exchange.nowMs = this.#nowMs();
      begin();
    });
  }

  /** Its caller gives up. */
  cancel(): void {
    if (this.settled) return;
    this.cancelled = true;
    this.budget.stop();
    this.#loseAll(this.#nowMs());
  }

  /** Why it has no answer, when it did not happen. */
  unavailable(): NokvError {
    if (this.cancelled) return new NokvError("NOKV_ABORTED", "the operation was cancelled");
    return new NokvError("NOKV_BUSY", `the cluster did not answer in time${this.#history()}`);
  }

  undetermined(): NokvError {
    const why = this.cancelled ? "cancelled after it was sent" : "no answer in time";
    return new NokvError("NOKV_UNDETERMINED", `it may have happened: ${why}${this.#history()}`);
  }

  #history(): string {
    const history = this.budget.history();
    return history === "" ? "" : ` (waited for: ${history})`;
  }

  expire(): void {
    this.expired = true;
    this.budget.stop();
    this.#loseAll(this.#nowMs());
  }

  /** Everything ends, whatever it is. */
  abandon(): void {
    this.budget.stop();
    this.#loseAll(endOfTimeMs);
  }

  #loseAll(nowMs: number): void {
    const underWay = [...this.#underWay];
    for (const [id, { kind, cancel }] of underWay) {
      if (!this.#underWay.delete(id)) continue;
      cancel();
      this.#step(() => this.#exchange.step({ kind: kind === "wait" ? "woken" : "lost", id }, nowMs));
    }
    // Their ends may have begun more.
    if (nowMs === endOfTimeMs && this.#underWay.size > 0) this.#loseAll(nowMs);
  }

  #nowMs(): number {
    return Math.floor(this.#world.clock.monotonicUs() / 1_000);
  }

  #step(act: () => void): void {
    act();
    // Whoever is told something may begin more: that is for the loop that is at work already.
    if (this.#stepping) return;
    this.#stepping = true;
    const { outputs } = this.#exchange;
    for (let output = outputs.shift(); output !== undefined; output = outputs.shift()) this.#begin(output);
    this.#stepping = false;
    if (this.#underWay.size === 0) this.#world.live.delete(this);
    else this.#world.live.add(this);
  }

  #begin(output: ClientOutput): void {
    const { id, kind } = output;
    if (kind === "timestamp" && !output.present && !this.budget.isOver(this.#nowMs())) {
      const ts = this.#world.ids.take();
      if (ts !== null) return this.#exchange.step({ kind, id, ts }, this.#nowMs());
    }
    const cancel = this.#carryOut(output);
    this.#underWay.set(id, { kind, cancel });
  }

  #answer(input: ClientInput): void {
    if (!this.#underWay.delete(input.id)) return;
    this.#step(() => this.#exchange.step(input, this.#nowMs()));
  }

  #carryOut(output: ClientOutput): () => void {
    const { clock, sender, locator, coordinator, ids } = this.#world;
    const { id } = output;
    switch (output.kind) {
      case "send": {
        const { region, command } = output;
        const order = { region, command, deadlineUs: this.settled ? 0 : this.deadlineUs };
        const handle = sender.send(order, (outcome) => this.#answer({ ...outcome, id }));
        return () => handle.cancel();
      }
      case "timestamp":
        if (!output.present) {
          ids.ask((ts) => this.#answer(ts === null ? { kind: "lost", id } : { kind: "timestamp", id, ts }));
          return () => {};
        }
        coordinator.timestamps(1, timestampMs, (_, range) => {
          this.#answer(range === null ? { kind: "lost", id } : { kind: "timestamp", id, ts: range.first });
        });
        return () => {};
      case "locate":
        return locator.locate(output.key, (region) => {
          this.#answer(region === null ? { kind: "lost", id } : { kind: "located", id, region });
        });
      case "wait": {
        const timer = clock.after(output.delayMs * 1_000, () => this.#answer({ kind: "woken", id }));
        return () => timer.cancel();
      }
    }
  }
}
