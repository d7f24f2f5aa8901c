import type { Walk, WalkStop } from "../../scenarios/migrate-walk.ts";
import { parseStop, stopText } from "../../scenarios/migrate-walk.ts";
import type { Simulator } from "../../sim/simulate.ts";
import { duration, grouped } from "../batch/progress.ts";
import { parseShard, stretchOf } from "../batch/shard.ts";
import { type WalkReport, runWalk } from "../batch/walk-run.ts";
import type { Command, Context } from "../command.ts";
import { type ExitCode, UsageError, exitCode } from "../exit-code.ts";
import { type OptionTable, type Options, didYouMean, parseOptions } from "../options.ts";

const usage = `usage: nokv walk NAME [--seed N] [--shard I/N] [--at STOP] [options]

Ends a migration at every single call that its processes make to their world, as it would be killed and as the power
would fail there, and goes on from what is left in every way that there is: each time everything must be there.

  init                 nokv migrate init, of a small directory
  rollback             nokv migrate rollback, of its seed
  expand               nokv migrate expand, from one store to three: the operator's process, and each store's

  --seed N             which directory, and which world (default 1)
  --shard I/N          the I-th of N parts of the way only
  --at STOP            one stop only, as a failure names it: store-1:417:every
  --every N            every N-th stop only
  --time DURATION      end after so long
  --failures-max N     end after so many failures (default 10)
  --json               print one JSON object

Exit codes: 0 all is well, 1 a stop from which a resume fails, 2 usage, 130 interrupted.
`;

const options: OptionTable = {
  seed: "value",
  shard: "value",
  at: "value",
  every: "value",
  time: "value",
  "failures-max": "value",
  json: "flag",
};

const failuresMaxDefault = 10;
const countMax = 1_000_000_000;
const progressMs = 5_000;

export interface WalkParts {
  readonly walks: readonly Walk[];
  readonly simulator: Simulator;
}

export function walkCommand(parts: WalkParts): Command {
  return { usage, run: (argv, context) => walk(parts, argv, context) };
}

async function walk({ walks, simulator }: WalkParts, argv: readonly string[], context: Context): Promise<ExitCode> {
  const [name = "", ...rest] = argv;
  const chosen = walks.find((known) => known.name === name);
  if (chosen === undefined) {
    const names = walks.map((known) => known.name);
    throw new UsageError(`there is no walk "${name}"`, didYouMean(name, names) || `there are ${names.join(", ")}`);
  }
  const given = parseOptions(rest, options);
  const { terminal } = context;
  let isInterrupted = false;
  const ignore = context.onInterrupt(() => {
    isInterrupted = true;
  });
  const limitMs = given.durationMs("time");
  const beganMs = performance.now();
  let toldMs = beganMs;
  const report = await runWalk(simulator, {
    walk: chosen,
    seed: given.integer("seed", 0, Number.MAX_SAFE_INTEGER) ?? 1,
    choose: chooser(given),
    failuresMax: given.integer("failures-max", 1, countMax) ?? failuresMaxDefault,
    isOver: () => isInterrupted || (limitMs !== null && performance.now() - beganMs > limitMs),
    progress: (walked, of, failures) => {
      if (performance.now() - toldMs < progressMs) return;
      toldMs = performance.now();
      terminal.err(`${grouped(walked)} of ${grouped(of)} stops, ${failures} failures\n`);
    },
    cpuSeconds: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1_000_000;
    },
  });
  ignore();
  terminal.out(given.has("json") ? `${JSON.stringify(report)}\n` : describe(report));
  if (isInterrupted) return exitCode.interrupted;
  return report.failures.length === 0 ? exitCode.ok : exitCode.violation;
}

function chooser(given: Options): (stops: readonly WalkStop[]) => readonly WalkStop[] {
  const at = given.text("at");
  const shard = parseShard(given.text("shard"));
  const every = given.integer("every", 1, countMax) ?? 1;
  if (at === null) return (stops) => stretchOf(stops, shard).filter((_, i) => i % every === 0);
  const wanted = parseStop(at);
  if (wanted === null) throw new UsageError(`--at: "${at}" is no stop`, "such as store-1:417:every");
  return (stops) => {
    const found = stops.filter((stop) => stopText(stop) === at);
    if (found.length > 0) return found;
    throw new UsageError(`--at: this walk does not stop at ${at}`, `it has ${stops.length} stops`);
  };
}

function describe(report: WalkReport): string {
  const { walk: name, seed, story, stops, walked, images, distinctImages, resumes, readings, failures } = report;
  const lines = failures.flatMap(({ stop, oracle, message, story: told }) => [
    `${stop}: ${oracle}: ${message}`, ...told.slice(-12).map((line) => `  ${line}`),
    `  replay: nokv walk ${name} --seed ${seed} --at ${stop}`,
  ]);
  const all = walked === stops ? "" : ` of ${grouped(stops)}`;
  const left = images === 0 ? "" : `, ${grouped(images)} images, ${grouped(distinctImages)} of them different`;
  lines.push(
    `${name}, seed ${seed}: ${story}`,
    `${grouped(walked)}${all} stops${left}; ${failures.length} failures; ${duration(report.cpuSeconds * 1_000)}` +
      " of processor time",
    `gone on with: ${counted(resumes)}`,
    `content read and right: ${counted(readings)}`,
  );
  return lines.map((line) => `${line}\n`).join("");
}

function counted(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts).map(([name, count]) => `${name} ${grouped(count)}`).join(", ") || "nothing";
}
