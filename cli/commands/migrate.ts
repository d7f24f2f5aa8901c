import type { Command, CommandEntry } from "../command.ts";
import { UsageError } from "../exit-code.ts";
import { didYouMean } from "../options.ts";

/** Each is a command of its own; those of a stopped directory come first. */
const steps: readonly CommandEntry[] = [
  { name: "plan", summary: "what a migration would do, without doing it", load: loadPlan },
  { name: "init", summary: "make a stopped database the seed of a cluster", load: loadInit },
  { name: "status", summary: "how far a directory is", load: loadStatus },
  { name: "report", summary: "the same, with what it means and what comes next", load: loadReport },
  { name: "verify", summary: "compare what a seed shows with what it showed before", load: loadVerify },
  { name: "rollback", summary: "make a seed that was never served standalone again", load: loadRollback },
  { name: "expand", summary: "bring the regions of a running cluster to more stores", load: loadExpand },
  { name: "transfer-leader", summary: "hand a region's leadership to another store", load: loadTransferLeader },
  { name: "remove-peer", summary: "remove a region's replica from a store", load: loadRemovePeer },
];

/** Of a running cluster: those who name its topology mean these, where a stopped directory has a step of that name. */
const clusterSteps: readonly CommandEntry[] = [
  { name: "status", summary: "of a running cluster (--config): how far it is", load: loadClusterStatus },
  { name: "report", summary: "of a running cluster: the same, with what it means", load: loadClusterReport },
  { name: "verify", summary: "of a running cluster: read it in four ways, and compare them", load: loadClusterVerify },
];

const usage = `usage: nokv migrate STEP [options]

Takes a directory that an application filled through the embedded library into a cluster, in place: nothing is copied
out and nothing is read in. Each step may be interrupted anywhere; the same command goes on where it ended.

${[...steps, ...clusterSteps].map(({ name, summary }) => `  ${name.padEnd(16)} ${summary}\n`).join("")}
  nokv migrate plan --workdir ./data
  nokv migrate init --workdir ./data --config ./raft_config.json --store-id 1
  nokv serve --config ./raft_config.json --store-id 1 --workdir ./data
  nokv migrate expand --config ./raft_config.json --to 2,3
  nokv migrate verify --config ./raft_config.json --workdir ./data

"nokv migrate STEP --help" explains one.
`;

export const migrateCommand: Command = {
  usage,
  usageFor: async ([name]) => {
    if (name === undefined || name.startsWith("-")) return usage;
    const commands = await Promise.all([find(name, false), find(name, true)]);
    return [...new Set(commands)].map((command) => command.usage).join("\n");
  },
  run: async (argv, context) => {
    const [name, ...rest] = argv;
    if (name === undefined) throw new UsageError("migrate needs a step", `the steps are: ${names().join(", ")}`);
    const isCluster = rest.some((word) => word === "--config" || word.startsWith("--config="));
    return await (await find(name, isCluster)).run(rest, context);
  },
};

function names(): readonly string[] {
  return [...new Set([...steps, ...clusterSteps].map(({ name }) => name))];
}

function find(name: string, isCluster: boolean): Promise<Command> {
  const order = isCluster ? [...clusterSteps, ...steps] : [...steps, ...clusterSteps];
  const step = order.find((candidate) => candidate.name === name);
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

async function loadExpand(): Promise<Command> {
  const { expandCommand } = await import("./migrate/expand.ts");
  return expandCommand;
}

async function loadTransferLeader(): Promise<Command> {
  const { transferLeaderCommand } = await import("./migrate/peers.ts");
  return transferLeaderCommand;
}

async function loadRemovePeer(): Promise<Command> {
  const { removePeerCommand } = await import("./migrate/peers.ts");
  return removePeerCommand;
}

async function loadClusterStatus(): Promise<Command> {
  const { clusterStatusCommand } = await import("./migrate/online.ts");
  return clusterStatusCommand;
}

async function loadClusterReport(): Promise<Command> {
  const { clusterReportCommand } = await import("./migrate/report.ts");
  return clusterReportCommand;
}

async function loadClusterVerify(): Promise<Command> {
  const { clusterVerifyCommand } = await import("./migrate/online.ts");
  return clusterVerifyCommand;
}

async function loadStatus(): Promise<Command> {
  const { statusCommand } = await import("./migrate/status.ts");
  return statusCommand;
}

async function loadReport(): Promise<Command> {
  const { reportCommand } = await import("./migrate/status.ts");
  return reportCommand;
}

async function loadVerify(): Promise<Command> {
  const { verifyCommand } = await import("./migrate/verify.ts");
  return verifyCommand;
}

async function loadRollback(): Promise<Command> {
  const { rollbackCommand } = await import("./migrate/rollback.ts");
  return rollbackCommand;
}
