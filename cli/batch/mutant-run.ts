import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import type { Mutant } from "../../sim/mutants/mutant.ts";
import { copyWithMutant } from "./source-copy.ts";
import type { BatchSummary } from "./tally.ts";

export interface MutantBudget {
  readonly seeds: number;
  readonly from: number;
  /** Real time for one planted bug. */
  readonly limitMs: number;
}

/** "killed": found. "survived": not within the budget. "broken": the patched tree does not run at all. */
export type MutantVerdict = "killed" | "survived" | "broken";

export interface MutantResult {
  readonly name: string;
  readonly file: string;
  readonly verdict: MutantVerdict;
  /** Who saw it first; null unless killed. */
  readonly oracle: string | null;
  /** `oracle` is one that the mutant names. */
  readonly expected: boolean;
  readonly scenario: string | null;
  /** Seeds up to and including the first failing one, or all that were tried. */
  readonly seeds: number;
  readonly firstSeed: number | null;
  readonly cpuSeconds: number;
  readonly message: string;
  readonly why: string;
}

/** A seed that takes so long is hung: the planted bug loops without an event. */
const seedTime = "120s";
/** Beyond its budget a batch still finishes the seed in hand. */
const graceMs = 60_000;
const messageCharsMax = 400;

/** Runs a batch over a copy of the tree with the bug planted. `onStop` is told how to end it early. */
export async function runMutant(
  root: string,
  mutant: Mutant,
  budget: MutantBudget,
  onStop: (stop: () => void) => void,
): Promise<MutantResult> {
  const copy = copyWithMutant(root, mutant);
  try {
    let cpuSeconds = 0;
    for (let passed = 0; passed < budget.seeds; ) {
      const left = { ...budget, seeds: budget.seeds - passed, from: budget.from + passed };
      const output = await runSim(copy, simArguments(mutant.scenario, left), budget.limitMs + graceMs, onStop);
      const part = judge(mutant, left, output);
      cpuSeconds += part.cpuSeconds;
      const result = { ...part, cpuSeconds, seeds: passed + part.seeds };
      const { verdict, scenario, firstSeed } = result;
      if (verdict === "survived") return missed(mutant, result.seeds, cpuSeconds);
      if (verdict === "broken" || scenario === null || firstSeed === null) return result;
      // A seed that fails without the bug says nothing of it.
      if (!(await failsWithout(root, scenario, firstSeed, onStop))) return result;
      passed = result.seeds;
    }
    return missed(mutant, budget.seeds, cpuSeconds);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

// oxlint-disable-next-line max-params
async function failsWithout(
  root: string,
  scenario: string,
  seed: number,
  onStop: (stop: () => void) => void,
): Promise<boolean> {
  const argv = simArguments(scenario, { seeds: 1, from: seed, limitMs: graceMs });
  const summary = parseSummary((await runSim(root, argv, 2 * graceMs, onStop)).stdout);
  return summary !== null && summary.violations.length > 0;
}

function simArguments(scenario: string | null, { seeds, from, limitMs }: MutantBudget): string[] {
  const batch = ["--seeds", `${seeds}`, "--from", `${from}`, "--time", `${limitMs}ms`];
  const effort = ["--jobs", "1", "--twice-every", "0", "--failures-max", "1", "--seed-time", seedTime];
  return ["sim", "--json", ...batch, ...effort, ...(scenario === null ? [] : ["--scenario", scenario])];
}

interface SimOutput {
  readonly stdout: string;
  readonly stderr: string;
}

function runSim(
  copy: string,
  argv: readonly string[],
  killAfterMs: number,
  onStop: (stop: () => void) => void,
): Promise<SimOutput> {
  return new Promise((resolve, reject) => {
    // A group of its own: a planted endless loop in a grandchild must not outlive the run.
    const child = spawn(process.execPath, [...process.execArgv, "cli/main.ts", ...argv], {
      cwd: copy,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const stop = (): void => killGroup(child.pid);
    onStop(stop);
    const timer = setTimeout(stop, killAfterMs);
    const output = { stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output.stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (output.stderr += text));
    child.on("error", reject);
    child.on("close", () => {
      clearTimeout(timer);
      resolve(output);
    });
  });
}

/** The process and its descendants; nothing to do when they are gone already. */
function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

function missed({ name, file, why, scenario }: Mutant, seeds: number, cpuSeconds: number): MutantResult {
  const nobody = { oracle: null, expected: false, firstSeed: null };
  const message = `not found in ${seeds} seeds`;
  return { ...nobody, name, file, why, verdict: "survived", scenario, seeds, cpuSeconds, message };
}

function judge(mutant: Mutant, budget: MutantBudget, { stdout, stderr }: SimOutput): MutantResult {
  const { name, file, oracles, why } = mutant;
  const base = { name, file, why, oracle: null, expected: false, firstSeed: null };
  const summary = parseSummary(stdout);
  if (summary === null) {
    const message = `the patched tree does not run: ${stderr.trim().slice(-messageCharsMax)}`;
    return { ...base, verdict: "broken", scenario: mutant.scenario, seeds: 0, cpuSeconds: 0, message };
  }
  const cpuSeconds = summary.cpuMs / 1_000;
  const [first] = summary.violations;
  if (first === undefined) return missed(mutant, summary.seeds, cpuSeconds);
  const { oracle, scenario, seed } = first;
  const message = (first.message ?? "").slice(0, messageCharsMax);
  // A tree that fails before its first event proves nothing about the oracles.
  const verdict = oracle === "process" ? "broken" : "killed";
  const expected = verdict === "killed" && (oracles.includes("any") || oracles.includes(oracle ?? ""));
  const seeds = seed - budget.from + 1;
  return { ...base, verdict, oracle, expected, scenario, seeds, firstSeed: seed, cpuSeconds, message };
}

/** Null when the run did not get as far as a summary. */
function parseSummary(stdout: string): BatchSummary | null {
  try {
    return JSON.parse(stdout) as BatchSummary;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
