import type { Command, CommandEntry } from "../command.ts";
import { UsageError } from "../exit-code.ts";
import { didYouMean } from "../options.ts";

/** Each is a command of its own; those of a stopped directory come first. */
const steps: readonly CommandEntry[] = [
  { name: "plan", summary: "what a migration would do, without doing it", load: loadPlan },
  { name: "init", summary: "make a stopped database the seed of a cluster", load: loadInit },
];

const usage = `usage: nokv migrate STEP [options]

Takes a directory that an application filled through the embedded library into a cluster, in place: nothing is copied
out and nothing is read in. Each step may be interrupted anywhere; the same command goes on where it ended.

${steps.map(({ name, summary }) => `  ${name.padEnd(16)} ${summary}\n`).join("")}
  nokv migrate plan --workdir ./data
  nokv migrate init --workdir ./data --config ./raft_config.json --store-id 1
  nokv serve --config ./raft_config.json --store-id 1 --workdir ./data

"nokv migrate STEP --help" explains one.
`;

export const migrateCommand: Command = {
  usage,
  usageFor: async ([name]) => (name === undefined || name.startsWith("-") ? usage : (await find(name)).usage),
  run: async (argv, context) => {
    const [name, ...rest] = argv;
    if (name === undefined) throw new UsageError("migrate needs a step", `the steps are: ${names().join(", ")}`);
    return await (await find(name)).run(rest, context);
  },
};

function names(): readonly string[] {
  return steps.map(({ name }) => name);
}

function find(name: string): Promise<Command> {
  const step = steps.find((candidate) => candidate.name === name);
  if (step !== undefined) return step.load();
  throw new UsageError(`migrate has no step ${name}`, didYouMean(name, names()) || `its steps: ${names().join(", ")}`);
}

async function loadPlan(): Promise<Command> {
  const { planCommand } = await import("./migrate/plan.ts");
  return planCommand;
}

async function loadInit(): Promise<Command> {
  const { initCommand } = await import("./migrate/init.ts");
  return initCommand;
}
