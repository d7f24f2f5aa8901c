/** Where a command writes. Never the process's own streams, so that tests can read what was said. */
export interface Terminal {
  /** Results: what a pipe should carry. */
  out(text: string): void;
  /** Progress and complaints. */
  err(text: string): void;
  /** True: `err` is a terminal on which a line can be redrawn. */
  readonly live: boolean;
  /** True: `out` understands colours. */
  readonly colors: boolean;
}

/** Keeps what was written. */
export class MemoryTerminal implements Terminal {
  readonly live: boolean;
  readonly colors = false;
  stdout = "";
  stderr = "";

  constructor(live = false) {
    this.live = live;
  }

  out(text: string): void {
    this.stdout += text;
  }

  err(text: string): void {
    this.stderr += text;
  }
}
