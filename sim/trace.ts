import type { Trace, TraceFields } from "../core/env/trace.ts";
import type { RunRecord } from "./run-record.ts";

/** Passes an incarnation's diagnostics on to whoever watches the run. Neither counted nor hashed. */
export class SimTrace implements Trace {
  readonly enabled: boolean;
  readonly #who: string;
  readonly #record: RunRecord;

  constructor(who: string, record: RunRecord) {
    this.#who = who;
    this.#record = record;
    this.enabled = record.traced;
  }

  emit(event: string, fields: TraceFields): void {
    if (!this.enabled) return;
    const parts = Object.entries(fields).map(([name, value]) => `${name}=${String(value)}`);
    this.#record.trace([`${this.#who} ${event}`, ...parts].join(" "));
  }
}
