import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { sleep } from "./sleep.ts";

/** A server process whose output goes to a file. */
export class Child {
  readonly #process: ChildProcess;
  readonly #logPath: string;

  constructor(command: string, words: readonly string[], logPath: string) {
    this.#logPath = logPath;
    const log = openSync(logPath, "a");
    this.#process = spawn(command, words, { stdio: ["ignore", log, log] });
    closeSync(log);
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  get log(): string {
    return readFileSync(this.#logPath, "utf8");
  }

  /** Resolves when it has ended. */
  async kill(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const { exitCode, signalCode } = this.#process;
    if (exitCode !== null || signalCode !== null) return;
    const ended = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.kill(signal);
    await ended;
  }
}

/** Resolves when somebody listens there. */
export async function listening(port: number, seconds: number): Promise<void> {
  for (let tries = seconds * 20; tries > 0; tries--) {
    if (await accepts(port)) return;
    await sleep(50);
  }
  throw new Error(`nobody listens on port ${port} after ${seconds} s`);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => socket.destroy() && resolve(true));
    socket.once("error", () => resolve(false));
  });
}

/** The first line that `command` prints with `words`; null: there is no such command. */
export function firstLineOf(command: string, words: readonly string[]): string | null {
  const { stdout, error } = spawnSync(command, words, { encoding: "utf8" });
  return error === undefined ? (stdout.split("\n")[0] ?? "").trim() : null;
}

const ticksPerSecond = 100;

/** Processor seconds that living processes have used, of user and system together. */
export function processorSeconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + ticksOf(pid), 0) / ticksPerSecond;
}

function ticksOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name in brackets may hold spaces; what follows it begins with field 3.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}
