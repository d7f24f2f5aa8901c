import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { sleep } from "../sleep.ts";

const script = join(import.meta.dirname, "../../cli/main.ts");
const pollMs = 50;

/** A `nokv` server as somebody starts it in a shell. */
export class DemoProcess {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #printed = "";

  private constructor(name: string, argv: readonly string[]) {
    this.name = name;
    this.#child = spawn(process.execPath, [script, ...argv], { stdio: ["ignore", "pipe", "pipe"] });
    const collect = (text: string): void => {
      this.#printed += text;
    };
    this.#child.stdout?.setEncoding("utf8").on("data", collect);
    this.#child.stderr?.setEncoding("utf8").on("data", collect);
    this.#ended = once(this.#child, "close");
  }

  /** Resolves when it has said that it listens. */
  static async start(name: string, argv: readonly string[], patienceMs: number): Promise<DemoProcess> {
    const started = new DemoProcess(name, argv);
    const untilMs = performance.now() + patienceMs;
    while (!started.#printed.includes("listening on")) {
      const isOver = started.#child.exitCode !== null || started.#child.signalCode !== null;
      if (isOver || performance.now() > untilMs) {
        await started.kill();
        throw new Error(`${name} does not come up:\n${started.#printed}`);
      }
      await sleep(pollMs);
    }
    return started;
  }

  /** What it takes, and took at most. Linux. */
  memoryText(): string {
    const status = readFileSync(`/proc/${this.#child.pid ?? 0}/status`, "utf8");
    const [now, most] = ["VmRSS", "VmHWM"].map((name) => {
      return Math.round(Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? "0") / 1024);
    });
    return `${now} MiB of memory, at most ${most}`;
  }

  /** SIGKILL. May be called again. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }
}

/** A command that ends by itself; `tell` hears each of its lines. */
export async function runToEnd(
  argv: readonly string[],
  tell: (line: string) => void,
): Promise<{ readonly code: number; readonly printed: string }> {
  const child = spawn(process.execPath, [script, ...argv], { stdio: ["ignore", "pipe", "pipe"] });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (line) => {
      lines.push(line);
      tell(line);
    });
  }
  const [code] = (await once(child, "close")) as [number | null];
  return { code: code ?? -1, printed: lines.join("\n") };
}
