import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Xorshift } from "../xorshift.ts";
import { Lineage, Writer } from "./lineage.ts";
import { mountObstacle, runTool } from "./mounts.ts";

export interface InjectOptions {
  /** Failing calls of each kind. */
  readonly perFault: number;
  readonly seed: number;
  readonly operations: number;
  /** Only this call; "" for all, and file systems that are too small. */
  readonly only: string;
  readonly parent: string;
  readonly report: (line: string) => void;
}

export const injectDefaults: InjectOptions = {
  perFault: 20,
  seed: 1,
  operations: 250,
  only: "",
  parent: tmpdir(),
  report: () => {},
};

/** How the runs with one kind of fault ended. */
export interface InjectCount {
  readonly fault: string;
  runs: number;
  /** Some write failed, typed. */
  failed: number;
  /** The opening was refused, typed. */
  refused: number;
  killed: number;
  /** The fault was retried, or never met. */
  unharmed: number;
}

const errors = ["EIO", "ENOSPC"];
const calls = ["pwrite64", "fdatasync", "fsync", "rename", "unlink", "ftruncate", "link"];

/** One injection of strace's, such as `fdatasync:error=EIO`. */
function faultsFor(call: string): readonly string[] {
  const failing = call === "pwrite64" || call === "rename" ? errors : ["EIO"];
  return [...failing.map((error) => `${call}:error=${error}`), `${call}:signal=KILL`];
}

const secondsPerRunMax = 60;

/**
 * Makes one system call of a real process fail, or kills the process at it, for calls spread over its whole life,
 * again and again on one directory. Errors must be typed, and what a process without faults finds afterwards must
 * be a prefix with everything that was acknowledged. Then file systems that are too small, where writes come
 * short.
 */
export async function injectRounds(options: InjectOptions): Promise<readonly InjectCount[]> {
  const rig = new InjectRig(options);
  try {
    return await rig.run();
  } finally {
    rig.remove();
  }
}

class InjectRig {
  readonly #options: InjectOptions;
  readonly #parent: string;
  readonly #lineage: Lineage;
  readonly #random: Xorshift;

  constructor(options: InjectOptions) {
    this.#options = options;
    this.#parent = mkdtempSync(join(options.parent, "nokv-inject-"));
    this.#lineage = new Lineage(options.seed);
    this.#random = new Xorshift(options.seed);
  }

  async run(): Promise<readonly InjectCount[]> {
    const totals = await this.#countCalls();
    const counts: InjectCount[] = [];
    for (const call of calls.filter((name) => this.#options.only === "" || name === this.#options.only)) {
      const total = totals.get(call) ?? 0;
      if (total === 0) this.#options.report(`${call}: never called, nothing to inject`);
      else for (const fault of faultsFor(call)) counts.push(await this.#inject(fault, total));
    }
    if (this.#options.only !== "") return counts;
    const obstacle = mountObstacle();
    if (obstacle === null) counts.push(await this.#smallFileSystems());
    else this.#options.report(`file systems that are too small: skipped, ${obstacle}`);
    return counts;
  }

  remove(): void {
    rmSync(this.#parent, { recursive: true, force: true });
  }

  /** How often each call happens in a run without faults. */
  async #countCalls(): Promise<ReadonlyMap<string, number>> {
    const log = join(this.#parent, "calls");
    const writer = this.#writer(["strace", "-f", "-qq", "-o", log, "-e", `trace=${calls.join(",")}`]);
    await this.#ended(writer, "no fault");
    const totals = new Map<string, number>();
    for (const [, call = ""] of readFileSync(log, "utf8").matchAll(/^\d+ +(\w+)\(/gm)) {
      totals.set(call, (totals.get(call) ?? 0) + 1);
    }
    return totals;
  }

  async #inject(fault: string, total: number): Promise<InjectCount> {
    const count: InjectCount = { fault, runs: 0, failed: 0, refused: 0, killed: 0, unharmed: 0 };
    const call = fault.split(":")[0] ?? "";
    for (let run = 0; run < Math.min(this.#options.perFault, total); run++) {
      // Spread over the life of the process, the first and the last call included.
      const stratum = total / Math.min(this.#options.perFault, total);
      const at = 1 + Math.floor(run * stratum) + this.#random.below(Math.max(1, Math.floor(stratum)));
      const trace = ["-e", `trace=${call}`, "-e", `inject=${fault}:when=${at}`];
      const writer = this.#writer(["strace", "-f", "-qq", "-o", "/dev/null", ...trace]);
      await this.#ended(writer, `${fault}:when=${at}`);
      tally(count, writer);
    }
    this.#options.report(JSON.stringify(count));
    return count;
  }

  async #smallFileSystems(): Promise<InjectCount> {
    const count: InjectCount = { fault: "no room", runs: 0, failed: 0, refused: 0, killed: 0, unharmed: 0 };
    const mount = join(this.#parent, "small");
    mkdirSync(mount);
    for (let run = 0; run < this.#options.perFault; run++) {
      const kibibytes = 64 + 8 * this.#random.below(80);
      runTool("mount", "-t", "tmpfs", "-o", `size=${kibibytes}k`, "none", mount);
      try {
        const lineage = new Lineage(this.#options.seed + run);
        const order = { directory: join(mount, "db"), seed: lineage.seed, durability: "sync" } as const;
        const writer = new Writer({ ...order, first: 1, count: 3_000 });
        await this.#settled(writer, `a file system of ${kibibytes} KiB`, lineage);
        tally(count, writer);
        runTool("mount", "-o", "remount,size=64m", "none", mount);
        const reader = new Writer({ ...order, first: 0, count: 0 });
        await reader.exited;
        // Nothing was ever acknowledged where not even the opening found room.
        if (writer.opened !== null || reader.opened === null) lineage.check(reader);
      } finally {
        runTool("umount", mount);
      }
    }
    this.#options.report(JSON.stringify(count));
    return count;
  }

  #writer(prefix: readonly string[]): Writer {
    const { seed, operations } = this.#options;
    const order = { directory: join(this.#parent, "db"), seed, first: this.#lineage.next, count: operations };
    return new Writer({ ...order, durability: "sync" }, prefix);
  }

  /** Waits for the end of `writer` and lets a process without faults look at what it left. */
  async #ended(writer: Writer, what: string): Promise<void> {
    await this.#settled(writer, what, this.#lineage);
    const { seed } = this.#options;
    const order = { directory: join(this.#parent, "db"), seed, first: 0, count: 0, durability: "sync" } as const;
    const reader = new Writer(order);
    await reader.exited;
    try {
      this.#lineage.found(reader);
    } catch (error) {
      throw new Error(`after ${what}`, { cause: error });
    }
  }

  async #settled(writer: Writer, what: string, lineage: Lineage): Promise<void> {
    const timer = setTimeout(() => writer.child.kill("SIGKILL"), secondsPerRunMax * 1000);
    await writer.exited;
    clearTimeout(timer);
    const killed = writer.child.signalCode !== null || writer.child.exitCode === 137;
    const asked = what.includes("signal=KILL");
    if (killed && !asked) throw new Error(`${what}: it hung for ${secondsPerRunMax} s`);
    if (!killed && !writer.ended && writer.refusal === "") throw new Error(`${what}: it broke: ${writer.errorOutput}`);
    if (writer.refusal.startsWith("UNTYPED")) throw new Error(`${what}: refused without a type: ${writer.refusal}`);
    if (writer.opened !== null) lineage.found(writer);
    lineage.wrote(writer);
  }
}

function tally(count: InjectCount, writer: Writer): void {
  count.runs++;
  if (writer.failures.size > 0) count.failed++;
  else if (writer.refusal !== "") count.refused++;
  else if (!writer.ended) count.killed++;
  else count.unharmed++;
}
