#!/usr/bin/env node
import { extname } from "node:path";
import type { Command, CommandEntry } from "./command.ts";
import { processContext, stdoutFlushed } from "./process-context.ts";
import { run } from "./run.ts";

const commands: readonly CommandEntry[] = [
  { name: "redis", summary: "serve a directory to Redis clients", load: loadRedis },
  { name: "sim", summary: "run seeds in the deterministic simulator", load: loadSim },
  { name: "mutants", summary: "plant known bugs, measure how fast they are found", load: loadMutants },
];

async function loadRedis(): Promise<Command> {
  const { redisCommand } = await import("./commands/redis.ts");
  return redisCommand;
}

async function loadSim(): Promise<Command> {
  const { simCommand } = await import("./commands/sim.ts");
  const { nodeSimulator } = await import("./batch/node-simulator.ts");
  const { scenarios } = await import("../scenarios/index.ts");
  // The compiled package has .js where the sources have .ts.
  const worker = new URL(`./batch/worker${extname(import.meta.filename)}`, import.meta.url);
  return simCommand({ scenarios, simulator: nodeSimulator, worker });
}

async function loadMutants(): Promise<Command> {
  const { mutantsCommand } = await import("./commands/mutants.ts");
  const { mutants } = await import("../sim/mutants/index.ts");
  return mutantsCommand(mutants);
}

const code = await run(process.argv.slice(2), commands, processContext());
await stdoutFlushed();
// A command that ends has closed what it opened; what it left behind must not keep the process alive.
process.exit(code);
