import type { Terminal } from "../terminal.ts";

/** A line that is redrawn no more often than this. */
const redrawMs = 100;
/** Where nothing can be redrawn: a line after each tenth of the seeds, and after so much silence. */
const silenceMs = 30_000;

/** What the line says; `total` is null when only time bounds the batch. */
export interface ProgressState {
  readonly seeds: number;
  readonly total: number | null;
  readonly faults: number;
  readonly failed: number;
  readonly elapsedMs: number;
  readonly limitMs: number | null;
}

/**
 * The progress of a batch on stderr: one line redrawn in place on a terminal, elsewhere a plain line now and
 * then, by count first, so that a log of a fast batch is short and that of a slow one is not silent.
 */
export class Progress {
  readonly #terminal: Terminal;
  #drawn = false;
  #lastMs = 0;
  #lastSeeds = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  update(state: ProgressState): void {
    const sinceMs = state.elapsedMs - this.#lastMs;
    if (this.#terminal.live) {
      if (sinceMs < redrawMs && state.seeds !== state.total) return;
      this.#terminal.err(`\r\u001b[2K${progressLine(state)}`);
      this.#drawn = true;
    } else {
      const step = state.total === null ? Number.POSITIVE_INFINITY : Math.max(1, Math.ceil(state.total / 10));
      if (state.seeds - this.#lastSeeds < step && sinceMs < silenceMs) return;
      this.#terminal.err(`${progressLine(state)}\n`);
    }
    this.#lastMs = state.elapsedMs;
    this.#lastSeeds = state.seeds;
  }

  /** Clears a redrawn line, so that what follows starts on a clean one. */
  end(): void {
    if (this.#drawn) this.#terminal.err("\r\u001b[2K");
    this.#drawn = false;
  }
}

export function progressLine(state: ProgressState): string {
  const { seeds, total, faults, failed, elapsedMs } = state;
  const perSecond = elapsedMs === 0 ? 0 : (seeds * 1_000) / elapsedMs;
  const done = total === null ? grouped(seeds) : `${grouped(seeds)}/${grouped(total)}`;
  const parts = [`sim ${done} seeds`, `${perSecond.toFixed(1)}/s`, `${grouped(faults)} faults injected`];
  parts.push(failed === 0 ? "no violation" : `${failed} failing`, `${timeToGo(state)} to go`);
  return parts.join("  ");
}

function timeToGo({ seeds, total, elapsedMs, limitMs }: ProgressState): string {
  const never = Number.POSITIVE_INFINITY;
  const bySeeds = total === null || seeds === 0 ? never : (elapsedMs / seeds) * (total - seeds);
  const byTime = limitMs === null ? never : limitMs - elapsedMs;
  const leftMs = Math.max(0, Math.min(bySeeds, byTime));
  return Number.isFinite(leftMs) ? duration(leftMs) : "?";
}

/** "850 ms", "12.3 s", "4 min 05 s", "2 h 07 min". */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  const pad = (value: number): string => String(value).padStart(2, "0");
  const seconds = Math.round(ms / 1_000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${pad(seconds % 60)} s`;
  return `${Math.floor(seconds / 3_600)} h ${pad(Math.floor(seconds / 60) % 60)} min`;
}

/** 1234567 as "1,234,567", in every locale. */
export function grouped(value: number): string {
  return String(value).replaceAll(/\B(?=(\d{3})+$)/g, ",");
}
