import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mutantTopics } from "../../sim/mutants/index.ts";
import type { Mutant } from "../../sim/mutants/mutant.ts";
import { plantedBugsDocument, renewed } from "../batch/mutant-report.ts";
import { type MutantBudget, type MutantResult, runMutant } from "../batch/mutant-run.ts";
import { duration } from "../batch/progress.ts";
import { parseShard, shardOf } from "../batch/shard.ts";
import type { Command, Context } from "../command.ts";
import { CommandError, type ExitCode, UsageError, exitCode } from "../exit-code.ts";
import { type OptionTable, type Options, didYouMean, parseOptions } from "../options.ts";
import { readTextFile } from "../text-file.ts";

const usage = `usage: nokv mutants [--only NAME] [--seeds N] [--time DURATION] [options]

Plants each known bug in a copy of the sources and measures how fast the simulator finds it. Needs the
repository: the published package has no sources to change.

  --only NAME        plant this bug only
  --shard I/N        plant every N-th bug only, from the I-th (1 to N)
  --results FILES    plant nothing: take the results from files of --json, separated by commas; the last one counts
  --document         with --results: renew SIMULATION.md and docs/PLANTED-BUGS.md
  --list             name the bugs
  --seeds N          seeds per bug (default 2000)
  --from M           the first seed (default 1)
  --time DURATION    real time per bug (default 5m)
  --jobs N           bugs at a time (default 1)
  --json             print one JSON object
  --markdown         print a table for SIMULATION.md

Exit codes: 0 all found, 1 a bug survived or its patch does not apply, 2 usage, 130 interrupted.
`;

const options: OptionTable = {
  only: "value",
  shard: "value",
  results: "value",
  document: "flag",
  list: "flag",
  seeds: "value",
  from: "value",
  time: "value",
  jobs: "value",
  json: "flag",
  markdown: "flag",
};

const seedsDefault = 2_000;
const limitMsDefault = 300_000;
const countMax = 1_000_000_000;
const jobsMax = 64;

export function mutantsCommand(mutants: readonly Mutant[]): Command {
  return {
    usage,
    run: (argv, context) => plantAll(mutants, parseOptions(argv, options), context),
  };
}

async function plantAll(all: readonly Mutant[], given: Options, context: Context): Promise<ExitCode> {
  const { terminal } = context;
  const mutants = shardOf(chosen(all, given.text("only")), parseShard(given.text("shard")));
  if (given.has("list")) {
    for (const { name, file, why } of mutants) terminal.out(`${name.padEnd(36)} ${file}: ${why}\n`);
    return exitCode.ok;
  }
  const json = given.has("json");
  if (json && given.has("markdown")) throw new UsageError("--json and --markdown exclude each other");
  const jobs = given.integer("jobs", 1, jobsMax) ?? 1;
  const budget = {
    seeds: given.integer("seeds", 1, countMax) ?? seedsDefault,
    from: given.integer("from", 0, countMax) ?? 1,
    limitMs: given.durationMs("time") ?? limitMsDefault,
  };
  const files = given.text("results");
  if (given.has("document")) return document(files, context);
  const taken = files === null ? null : { results: resultsIn(files, mutants), interrupted: false };
  const { results, interrupted } = taken ?? (await runAll(mutants, budget, jobs, context));
  if (json) terminal.out(`${JSON.stringify({ ...totals(results), interrupted, budget, results })}\n`);
  else if (given.has("markdown")) terminal.out(markdown(results));
  else terminal.out(`${results.length === 0 ? "nothing to plant" : summaryLine(results)}\n`);
  if (interrupted) return exitCode.interrupted;
  return results.every(({ verdict }) => verdict === "killed") ? exitCode.ok : exitCode.violation;
}

function chosen(mutants: readonly Mutant[], only: string | null): readonly Mutant[] {
  if (only === null) return mutants;
  const mutant = mutants.find(({ name }) => name === only);
  if (mutant !== undefined) return [mutant];
  const names = mutants.map(({ name }) => name);
  throw new UsageError(
    `--only: no mutant "${only}"`,
    didYouMean(only, names) || "nokv mutants --list names them",
  );
}

/** Of each bug in `mutants` the last result in the files, in the order of the list. */
function resultsIn(files: string, mutants: readonly Mutant[]): readonly MutantResult[] {
  const latest = new Map<string, MutantResult>();
  for (const file of files.split(",")) {
    for (const line of readTextFile("results", file, "utf8").split("\n")) {
      if (line === "") continue;
      // Whole outputs of --json, or one result in each line.
      const parsed = JSON.parse(line) as MutantResult | { readonly results: readonly MutantResult[] };
      for (const result of "results" in parsed ? parsed.results : [parsed]) latest.set(result.name, result);
    }
  }
  return mutants.flatMap(({ name }) => latest.get(name) ?? []);
}

function document(files: string | null, { terminal, root }: Context): ExitCode {
  if (files === null) throw new UsageError("--document needs --results");
  const all = mutantTopics.flatMap(({ mutants }) => mutants);
  const planted = { topics: mutantTopics, results: resultsIn(files, all) };
  const simulation = join(root, "SIMULATION.md");
  const text = renewed(readFileSync(simulation, "utf8"), planted);
  if (text === null) {
    throw new CommandError(exitCode.noInput, `${simulation} has no marks`, "they are begin: and end: planted bugs");
  }
  writeFileSync(simulation, text);
  writeFileSync(join(root, "docs/PLANTED-BUGS.md"), plantedBugsDocument(planted));
  terminal.out(`${planted.results.length} results written\n`);
  return exitCode.ok;
}

interface AllResults {
  /** In the order of the list. */
  readonly results: readonly MutantResult[];
  readonly interrupted: boolean;
}

async function runAll(
  mutants: readonly Mutant[],
  budget: MutantBudget,
  jobs: number,
  { terminal, root, onInterrupt }: Context,
): Promise<AllResults> {
  const results = new Map<Mutant, MutantResult>();
  const stops = new Set<() => void>();
  let next = 0;
  let interrupted = false;
  const ignore = onInterrupt(() => {
    interrupted = true;
    for (const stop of stops) stop();
  });
  const lane = async (): Promise<void> => {
    for (let mutant = mutants[next++]; mutant !== undefined && !interrupted; mutant = mutants[next++]) {
      let stopped: () => void = () => {};
      const result = await runMutant(root, mutant, budget, (stop) => {
        stopped = stop;
        stops.add(stop);
      });
      stops.delete(stopped);
      if (interrupted) return;
      results.set(mutant, result);
      terminal.err(`${resultLine(result, `${results.size}/${mutants.length}`)}\n`);
    }
  };
  await Promise.all(Array.from({ length: jobs }, lane));
  ignore();
  return { results: mutants.flatMap((mutant) => results.get(mutant) ?? []), interrupted };
}

function resultLine(result: MutantResult, count: string): string {
  const { name, verdict, oracle, expected, seeds, cpuSeconds, message } = result;
  const by = oracle === null ? "" : ` by ${oracle}${expected ? "" : " (not the oracle it names)"}`;
  const cost = `${seeds} seeds, ${cpuSeconds.toFixed(1)} CPU s`;
  const detail = verdict === "killed" ? "" : `: ${message}`;
  return `${count.padStart(7)}  ${name.padEnd(36)} ${verdict}${by}, ${cost}${detail}`;
}

function totals(results: readonly MutantResult[]): { mutants: number; killed: number; cpuSeconds: number } {
  return {
    mutants: results.length,
    killed: results.filter(({ verdict }) => verdict === "killed").length,
    cpuSeconds: Math.round(results.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0) * 10) / 10,
  };
}

function summaryLine(results: readonly MutantResult[]): string {
  const { mutants, killed, cpuSeconds } = totals(results);
  const hardest = results.reduce((most, result) => (result.seeds > most.seeds ? result : most));
  const survivors = results.filter(({ verdict }) => verdict !== "killed").map(({ name }) => name);
  const rest = survivors.length === 0 ? "" : `\nnot found: ${survivors.join(", ")}`;
  return (
    `${killed} of ${mutants} planted bugs found in ${duration(cpuSeconds * 1_000)} of processor time; ` +
    `hardest: ${hardest.name}, ${hardest.seeds} seeds${rest}`
  );
}

function markdown(results: readonly MutantResult[]): string {
  const rows = results.map(({ name, file, why, verdict, oracle, seeds, cpuSeconds }) => {
    const found = verdict === "killed" ? `${oracle ?? ""} | ${seeds}` : `**${verdict}** | ${seeds}`;
    return `| ${name} | ${file} | ${why} | ${found} | ${cpuSeconds.toFixed(1)} |\n`;
  });
  const head = "| bug | file | what a user would suffer | oracle | seeds | CPU s |\n";
  return `${head}|---|---|---|---|---:|---:|\n${rows.join("")}`;
}
