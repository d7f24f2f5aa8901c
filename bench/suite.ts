import type { Metrics } from "./phase.ts";
import type { BenchEngine } from "./store.ts";

/** How large a run is. Every figure is a number of the command line; the defaults are the published ones. */
export interface Scale {
  readonly records: number;
  readonly operations: number;
  readonly clients: number;
  /** A YCSB run on a reopened store ends after so long; one right after its load after twice that. */
  readonly capSeconds: number;
  readonly dbBenchEntries: number;
  readonly durableSeconds: number;
  readonly valueBytesTotal: number;
  readonly fillSeconds: number;
  readonly cacheMiB: number;
}

export const scaleDefaults: Scale = {
  records: 1_000_000,
  operations: 1_000_000,
  clients: 16,
  capSeconds: 6,
  dbBenchEntries: 200_000,
  durableSeconds: 2,
  valueBytesTotal: 256 * 2 ** 20,
  fillSeconds: 60,
  cacheMiB: 512,
};

/** One process of its own: what it measures, with which engine, where. */
export interface Task {
  readonly suite: SuiteName;
  readonly work: string;
  readonly engine: string;
  /** The directory was loaded before; otherwise it is empty. */
  readonly reopened: boolean;
  readonly round: number;
}

export const suiteNames = ["ycsb", "dbbench", "durable", "values", "open", "memory", "fill"] as const;
export type SuiteName = (typeof suiteNames)[number];

export interface SuiteContext {
  readonly engine: BenchEngine;
  readonly work: string;
  readonly reopened: boolean;
  readonly scale: Scale;
  /** Of the store; its parent exists. */
  readonly directory: string;
}

/** What a task found out about one piece of work. */
export interface Finding {
  readonly work: string;
  readonly metrics: Metrics;
  readonly longest?: string;
  readonly perSecond?: readonly number[];
}
