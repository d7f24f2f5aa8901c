import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { sleep } from "../sleep.ts";

const script = join(import.meta.dirname, "../../cli/main.ts");
const pollMs = 50;

const memberNames = [
  "coordinator", "coordinator-1", "coordinator-2", "coordinator-3", "store-1", "store-2", "store-3", "gateway",
] as const;
export type MemberName = (typeof memberNames)[number];

/** Of a playground with so many Coordinators. */
export function membersOf(coordinators: number): readonly MemberName[] {
  return memberNames.filter((name) => {
    if (!name.startsWith("coordinator")) return true;
    return coordinators === 1 ? name === "coordinator" : name !== "coordinator";
  });
}

export const coordinatorNames = ["coordinator-1", "coordinator-2", "coordinator-3"] as const;

/** A playground as its user sees it: a process with children that are started again when they are killed. */
export class PlaygroundProcess {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  #printed = "";

  private constructor(workdir: string, port: number, coordinators: number) {
    this.port = port;
    const argv = [
      script, "playground", "--workdir", workdir, "--base-port", String(port), "--coordinators", String(coordinators),
    ];
    this.#child = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "pipe"] });
    const collect = (text: string): void => {
      this.#printed += text;
    };
    this.#child.stdout?.setEncoding("utf8").on("data", collect);
    this.#child.stderr?.setEncoding("utf8").on("data", collect);
    this.#ended = once(this.#child, "close").then(([code]) => code as number | null);
  }

  /** Resolves when all of it is ready. */
  static async start(workdir: string, port: number, coordinators = 1): Promise<PlaygroundProcess> {
    const playground = new PlaygroundProcess(workdir, port, coordinators);
    while (!playground.printed.includes("Ctrl-C")) {
      playground.mustLive();
      await sleep(pollMs);
    }
    return playground;
  }

  get printed(): string {
    return this.#printed;
  }

  /** Throws what it printed when it has ended. */
  mustLive(): void {
    if (this.#child.exitCode === null && this.#child.signalCode === null) return;
    throw new Error(`the playground ended by itself:\n${this.#printed}`);
  }

  /** SIGKILL for that member, if it runs just now. */
  kill(name: MemberName): boolean {
    const pid = childrenOf(this.#child.pid ?? 0).get(name);
    if (pid === undefined) return false;
    try {
      return process.kill(pid, "SIGKILL");
    } catch {
      // It died between the look and the shot.
      return false;
    }
  }

  /** Of three Coordinators, the one that says that it leads; null: none does just now. */
  async leader(): Promise<MemberName | null> {
    for (const [at, offset] of [5, 12, 13].entries()) {
      if (await saysItLeads(this.port + offset)) return coordinatorNames[at] ?? null;
    }
    return null;
  }

  /** As Ctrl-C does. */
  async stop(): Promise<void> {
    this.#child.kill("SIGINT");
    const code = await this.#ended;
    if (code !== 0) throw new Error(`the playground ended with ${code}:\n${this.#printed}`);
  }

  abandon(): void {
    this.#child.kill("SIGKILL");
  }
}

/** By what their command lines say. Linux. */
function childrenOf(parent: number): Map<MemberName, number> {
  const found = new Map<MemberName, number>();
  for (const entry of readdirSync("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || parentOf(pid) !== parent) continue;
    const name = nameOf(readText(`/proc/${pid}/cmdline`).split("\0"));
    if (name !== null) found.set(name, pid);
  }
  return found;
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)$/m.exec(readText(`/proc/${pid}/status`))?.[1] ?? "0");
}

function nameOf(argv: readonly string[]): MemberName | null {
  if (argv.includes("coordinator")) {
    const id = argv.includes("--id") ? `-${argv[argv.indexOf("--id") + 1]}` : "";
    return memberNames.find((name) => name === `coordinator${id}`) ?? null;
  }
  if (argv.includes("redis")) return "gateway";
  const storeId = argv[argv.indexOf("--store-id") + 1];
  return argv.includes("serve") ? (memberNames.find((name) => name === `store-${storeId}`) ?? null) : null;
}

/** "" when the process is gone. */
function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

async function saysItLeads(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/debug/vars`, { signal: AbortSignal.timeout(500) });
    return /"is_leader": true/.test(await response.text());
  } catch {
    // It is dead, or not there yet.
    return false;
  }
}

/** Fourteen in a row that nobody listens at. */
export async function freePorts(first: number): Promise<number> {
  for (let base = first; ; base += 20) {
    const free = await Promise.all(Array.from({ length: 14 }, (_, i) => isFree(base + i)));
    if (free.every(Boolean)) return base;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
