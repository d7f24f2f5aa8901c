import { execute } from "../percolator/execute.ts";
import { MemoryStore } from "../percolator/memory-store.ts";
import type { Command, Response } from "../percolator/command.ts";
import { contains } from "../percolator/read.ts";
import { Backoff } from "./backoff.ts";
import { type ClientInput, type ClientOutput, Exchange } from "./exchange.ts";
import { type Region, RegionCache } from "./region-cache.ts";
import { RegionCalls } from "./region-calls.ts";
import { bytes } from "../percolator/stage.test-support.ts";

/** A client, the regions of one store, and a driver that answers everything at once, unless a test does. */
export class ClientStage {
  readonly store = new MemoryStore();
  readonly exchange = new Exchange();
  readonly cache = new RegionCache();
  /** What happened, in order: commands as `kind@region`, `timestamp`, and `id`. */
  readonly story: string[] = [];
  regions: Region[] = [];
  lastTs = 1_000;
  nowMs = 0;
  /** Answers in the driver's place; null: the driver does. `lost` after execution: `execute` first. */
  intervene: (output: ClientOutput) => ClientInput | null = () => null;

  constructor(...bounds: readonly string[]) {
    this.layOut(1, ...bounds);
  }

  /** Regions that begin at the first key and at each of `bounds`. */
  layOut(version: number, ...bounds: readonly string[]): void {
    const starts = ["", ...bounds];
    this.regions = starts.map((start, i) => {
      const end = starts[i + 1];
      const range = { start: bytes(start), end: end === undefined ? null : bytes(end) };
      return { id: i + 1 + version * 100, range, version };
    });
  }

  calls(deadlineMs = 100_000): RegionCalls {
    return new RegionCalls(this, new Backoff(deadlineMs, (n) => n - 1));
  }

  draw = (n: number): number => n - 1;

  readonly #waits: { readonly id: number; readonly dueMs: number }[] = [];

  /** Until nobody waits for anything. Time passes when nothing else is left to do. */
  run(): void {
    for (;;) {
      const output = this.exchange.outputs.shift();
      if (output !== undefined && output.kind === "wait") {
        this.#waits.push({ id: output.id, dueMs: this.nowMs + output.delayMs });
        continue;
      }
      const input = output === undefined ? this.#wake() : (this.intervene(output) ?? this.answer(output));
      if (input === null) return;
      this.exchange.step(input, this.nowMs);
    }
  }

  #wake(): ClientInput | null {
    this.#waits.sort((a, b) => a.dueMs - b.dueMs || a.id - b.id);
    const next = this.#waits.shift();
    if (next === undefined) return null;
    this.nowMs = Math.max(this.nowMs, next.dueMs);
    return { kind: "woken", id: next.id };
  }

  answer(output: Exclude<ClientOutput, { kind: "wait" }>): ClientInput {
    const { id } = output;
    switch (output.kind) {
      case "timestamp":
        this.story.push(output.present ? "timestamp" : "id");
        return { kind: "timestamp", id, ts: ++this.lastTs };
      case "locate": {
        const region = this.regions.find(({ range }) => contains(range, output.key));
        if (region === undefined) throw new RangeError("no region");
        return { kind: "located", id, region };
      }
      case "send": {
        const region = this.regions.find((known) => known.id === output.region.id);
        this.story.push(`${output.command.kind}@${output.region.id % 100}`);
        if (region === undefined) {
          return { kind: "region-error", id, error: { kind: "epoch-not-match", regions: this.regions } };
        }
        return { kind: "response", id, response: this.execute(output.command) };
      }
    }
  }

  execute(command: Command): Response {
    const stamped =
      command.kind === "atomic" || command.kind === "one-phase" ? { ...command, commitTs: ++this.lastTs } : command;
    const { response, writes } = execute(this.store, stamped);
    this.store.apply(writes);
    return response;
  }
}
