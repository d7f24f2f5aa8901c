import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { exitCode } from "./exit-code.ts";

export interface SupervisedOrder {
  readonly name: string;
  /** Of this program. */
  readonly argv: readonly string[];
  /** Where stdout and stderr go, one run after the other. */
  readonly logPath: string;
  /** `main.ts` of this program, or what it was compiled to. */
  readonly main: string;
  readonly tell: (line: string) => void;
}

/** Starting again cannot mend these: somebody has to look. */
const hopeless: readonly (number | null)[] = [
  exitCode.usage, exitCode.corruption, exitCode.noInput, exitCode.cannotCreate, exitCode.permission,
];
const restartMsMin = 300;
const restartMsMax = 10_000;
/** Who has lived so long is started again at once. */
const soundMs = 10_000;
/** Who has not ended by then is made to. */
const endMs = 15_000;

/**
 * One process of a cluster, kept running: what dies is started again, after a pause that grows when it dies at once.
 * It lives in a group of its own, so that a Ctrl-C at the terminal is ours to pass on, and its stdin ends with us: when
 * we are killed it ends by itself.
 */
export class Supervised {
  readonly name: string;
  readonly #order: SupervisedOrder;
  #child: ChildProcess | null = null;
  #ended: Promise<void> = Promise.resolve();
  #stopping = false;
  #restartMs = restartMsMin;
  #timer: NodeJS.Timeout | null = null;
  #starts = 0;

  constructor(order: SupervisedOrder) {
    this.#order = order;
    this.name = order.name;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** How often it was started. */
  get starts(): number {
    return this.#starts;
  }

  start(): void {
    const { argv, logPath, main, name, tell } = this.#order;
    const log = openSync(logPath, "a", 0o600);
    const child = spawn(process.execPath, [main, ...argv, "--with-stdin"], {
      stdio: ["pipe", log, log],
      detached: true,
    });
    closeSync(log);
    this.#child = child;
    this.#starts++;
    const startedMs = performance.now();
    // Writing to who is gone is no failure of ours: its end is told below.
    child.stdin?.on("error", () => {});
    this.#ended = new Promise((resolve) => {
      child.once("error", (error) => {
        tell(`${name} cannot be started: ${error.message}`);
        resolve();
      });
      child.once("exit", (code, signal) => {
        this.#child = null;
        resolve();
        if (!this.#stopping) this.#died(code, signal, performance.now() - startedMs);
      });
    });
  }

  /** As abrupt as it gets. False: it does not run now. */
  kill(): boolean {
    return this.#child?.kill("SIGKILL") ?? false;
  }

  /** Resolves when it is gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#child?.kill("SIGTERM");
    const timer = setTimeout(() => this.#child?.kill("SIGKILL"), endMs);
    await this.#ended;
    clearTimeout(timer);
  }

  #died(code: number | null, signal: NodeJS.Signals | null, livedMs: number): void {
    const { name, logPath, tell } = this.#order;
    const how = signal === null ? `ended with exit code ${code}` : `was killed by ${signal}`;
    if (signal === null && hopeless.includes(code)) {
      tell(`${name} ${how}, and starting it again would not help: see ${logPath}`);
      return;
    }
    // Who was killed from outside did nothing wrong.
    const sound = livedMs >= soundMs || signal === "SIGKILL";
    this.#restartMs = sound ? restartMsMin : Math.min(restartMsMax, this.#restartMs * 2);
    tell(`${name} ${how}; starting it again in ${this.#restartMs} ms`);
    this.#timer = setTimeout(() => this.start(), this.#restartMs);
  }
}
