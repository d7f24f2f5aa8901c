import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { applyTo, describeDifference, matchingPrefix, operationAt } from "./history.ts";
import type { HistoryOptions, State } from "./history.ts";
import type { WriterOrder } from "./writer.ts";

const script = join(import.meta.dirname, "main.ts");

/** These say that the write did not happen. */
const definite: ReadonlySet<string> = new Set(["NOKV_NO_SPACE", "NOKV_BUSY", "NOKV_ABORTED"]);

/** A process that writes, and what it has said so far. */
export class Writer {
  readonly child: ChildProcess;
  readonly exited: Promise<void>;
  /** Of the directory when it was opened; null until then, and after a refusal. */
  opened: State | null = null;
  refusal = "";
  sent = 0;
  acknowledged = 0;
  /** Operations that failed, with their codes. */
  readonly failures = new Map<number, string>();
  ended = false;
  errorOutput = "";
  onLine: () => void = () => {};
  #rest = "";

  /** `prefix`: a command that runs the process, such as strace. */
  constructor(order: WriterOrder, prefix: readonly string[] = []) {
    const words = [...prefix, process.execPath, script, "writer", JSON.stringify(order)];
    this.child = spawn(words[0] ?? "", words.slice(1), { stdio: ["ignore", "pipe", "pipe"] });
    this.child.stdout?.on("data", (chunk: Buffer) => this.#hear(chunk.toString("latin1")));
    this.child.stderr?.on("data", (chunk: Buffer) => {
      this.errorOutput += chunk.toString();
    });
    this.exited = new Promise((resolve) => this.child.once("close", () => resolve()));
  }

  #hear(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#line(line);
    if (lines.length > 0) this.onLine();
  }

  #line(line: string): void {
    const space = line.indexOf(" ");
    const word = space < 0 ? line : line.slice(0, space);
    const rest = line.slice(space + 1);
    switch (word) {
      case "open": {
        this.opened = new Map(Object.entries(JSON.parse(rest) as Record<string, string>));
        return;
      }
      case "sent":
        this.sent = Number(rest);
        return;
      case "acknowledged":
        this.acknowledged = Math.max(this.acknowledged, Number(rest));
        return;
      case "failed": {
        const [number = "", code = ""] = rest.split(" ");
        this.failures.set(Number(number), code);
        return;
      }
      case "refused":
        this.refusal = rest;
        return;
      case "end":
        this.ended = true;
        return;
      default:
        throw new Error(`a writer said: ${line}`);
    }
  }
}

/**
 * What a directory may hold that one process after another writes to: exactly the outcome of a prefix of what was
 * sent that has everything that was acknowledged.
 */
export class Lineage {
  readonly seed: number;
  #state: State = new Map();
  #taken = 0;
  #least = 0;
  #most = 0;
  #skipped: ReadonlySet<number> = new Set();
  verified = 0;

  constructor(seed: number) {
    this.seed = seed;
  }

  /** The number of the next operation to send. */
  get next(): number {
    return this.#most + 1;
  }

  /** What became of `writer`, who is gone or stopped. */
  wrote(writer: Writer): void {
    this.#least = Math.max(this.#taken, writer.acknowledged);
    this.#most = Math.max(this.#taken, writer.sent);
    this.#skipped = new Set([...writer.failures].filter(([, code]) => definite.has(code)).map(([n]) => n));
    const untyped = [...writer.failures.values()].find((code) => code === "UNTYPED");
    if (untyped !== undefined) throw new Error("a write failed with an untyped error");
  }

  /** Throws unless what `writer` found is such a prefix, and goes on from there. */
  found(writer: Writer): void {
    this.check(writer);
    if (writer.opened === null) return;
    this.#state = writer.opened;
    this.#taken = this.#most;
    this.#least = this.#most;
    this.#skipped = new Set();
  }

  /** The same, without going on: of a copy of the directory. */
  check(writer: Writer): void {
    const { opened } = writer;
    if (opened === null) {
      throw new Error(`the directory does not open: ${writer.refusal}${writer.errorOutput}`);
    }
    const history: HistoryOptions = { seed: this.seed, skipped: this.#skipped };
    const base = { state: this.#state, taken: this.#taken };
    const taken = matchingPrefix(history, base, [this.#least, this.#most], opened);
    this.verified++;
    if (taken !== null) return;
    const expected = new Map(this.#state);
    for (let n = this.#taken + 1; n <= this.#least; n++) {
      if (!this.#skipped.has(n)) applyTo(expected, operationAt(history, n));
    }
    const range = `acknowledged up to ${this.#least}, sent up to ${this.#most}`;
    throw new Error(`seed ${this.seed}, ${range}: ${describeDifference(expected, opened)}`);
  }
}
