import { type Exploration, explore } from "../../sim/explore/explorer.ts";
import { mergeRules } from "../../sim/explore/merge-logs.ts";
import { type MergeBounds, MergeModel } from "../../sim/explore/merge-model.ts";
import type { Command, Context } from "../command.ts";
import { type ExitCode, exitCode } from "../exit-code.ts";
import { type OptionTable, type Options, parseOptions } from "../options.ts";

const usage = `usage: nokv explore [--merges N] [--removals N] [--splits N] [--no-crashes] [options]

Visits every state of the merge of two regions on three stores, breadth first, and says whether one of them breaks
what must hold or leads nowhere. Messages are lost, repeated and late, leaders change, and engines forget what is not
durable, as often as they like; the options bound the rest.

  --merges N           freezes of the source (default 1)
  --removals N         peers taken out of the target (default 1)
  --source-removals N  peers taken out of the source (default 0)
  --splits N           splits of the target (default 0)
  --no-crashes         engines forget nothing
  --states N           give up after so many states (default 5000000)
  --json               print one JSON object

Exit codes: 0 nothing is wrong, 1 a state is wrong or the bound on states came first, 2 usage.
`;

const options: OptionTable = {
  merges: "value",
  removals: "value",
  "source-removals": "value",
  splits: "value",
  "no-crashes": "flag",
  states: "value",
  json: "flag",
};

const countMax = 4;
const statesDefault = 5_000_000;

export const exploreCommand: Command = {
  usage,
  run: async (argv, context) => exploreMerge(parseOptions(argv, options), context),
};

function exploreMerge(given: Options, { terminal }: Context): ExitCode {
  const bounds: MergeBounds = {
    merges: given.integer("merges", 1, countMax) ?? 1,
    removals: given.integer("removals", 0, countMax) ?? 1,
    sourceRemovals: given.integer("source-removals", 0, countMax) ?? 0,
    splits: given.integer("splits", 0, countMax) ?? 0,
    crashes: !given.has("no-crashes"),
    snapshots: true,
  };
  const found = explore(new MergeModel(mergeRules, bounds), given.integer("states", 1, 50_000_000) ?? statesDefault);
  terminal.out(given.has("json") ? `${JSON.stringify({ bounds, ...found })}\n` : describe(found));
  return found.fault === null && found.isComplete ? exitCode.ok : exitCode.violation;
}

function describe({ states, steps, depth, isComplete, fault }: Exploration): string {
  const size = `${states} states, ${steps} steps, ${depth} deep`;
  if (fault !== null) return `${size}\nwrong: ${fault.what}\n${fault.way.map((step) => `  ${step}\n`).join("")}`;
  return isComplete ? `${size}; all visited, none is wrong\n` : `${size}; not all were visited\n`;
}
