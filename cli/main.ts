#!/usr/bin/env node
import { extname } from "node:path";
import type { Command, CommandEntry } from "./command.ts";
import { processContext, stdoutFlushed } from "./process-context.ts";
import { run } from "./run.ts";

const commands: readonly CommandEntry[] = [
  { name: "redis", summary: "serve a directory to Redis clients", load: loadRedis },
  { name: "coordinator", summary: "run the Coordinator of a cluster", load: loadCoordinator },
  { name: "serve", summary: "run a store of a cluster", load: loadServe },
  { name: "playground", summary: "run a whole cluster on this machine", load: loadPlayground },
  { name: "regions", summary: "the regions of a cluster, or of a stopped store", load: loadRegions },
  { name: "stores", summary: "the stores of a cluster; which of them is to leave", load: loadStores },
  { name: "config", summary: "what a topology file says, for scripts", load: loadConfig },
  { name: "migrate", summary: "make a directory the seed of a cluster, and grow it", load: loadMigrate },
  { name: "stats", summary: "what a stopped database holds, or what a running process counts", load: loadStats },
  { name: "manifest", summary: "what the manifest of a stopped database says", load: loadManifest },
  { name: "vlog", summary: "the value files of a stopped database", load: loadVlog },
  { name: "verify", summary: "read and judge every byte of a stopped database", load: loadVerify },
  { name: "sim", summary: "run seeds in the deterministic simulator", load: loadSim },
  { name: "explore", summary: "visit every state of a protocol at small scope", load: loadExplore },
  { name: "walk", summary: "end a migration at every call, and go on in every way", load: loadWalk },
  { name: "mutants", summary: "plant known bugs, measure how fast they are found", load: loadMutants },
];

async function loadRedis(): Promise<Command> {
  const { redisCommand } = await import("./commands/redis.ts");
  return redisCommand;
}

async function loadCoordinator(): Promise<Command> {
  const { coordinatorCommand } = await import("./commands/coordinator.ts");
  return coordinatorCommand;
}

async function loadServe(): Promise<Command> {
  const { serveCommand } = await import("./commands/serve.ts");
  return serveCommand;
}

async function loadPlayground(): Promise<Command> {
  const { playgroundCommand } = await import("./commands/playground.ts");
  return playgroundCommand;
}

async function loadRegions(): Promise<Command> {
  const { regionsCommand } = await import("./commands/regions.ts");
  return regionsCommand;
}

async function loadStores(): Promise<Command> {
  const { storesCommand } = await import("./commands/stores.ts");
  return storesCommand;
}

async function loadConfig(): Promise<Command> {
  const { configCommand } = await import("./commands/config.ts");
  return configCommand;
}

async function loadMigrate(): Promise<Command> {
  const { migrateCommand } = await import("./commands/migrate.ts");
  return migrateCommand;
}

async function loadStats(): Promise<Command> {
  const { statsCommand } = await import("./commands/stats.ts");
  return statsCommand;
}

async function loadManifest(): Promise<Command> {
  const { manifestCommand } = await import("./commands/manifest.ts");
  return manifestCommand;
}

async function loadVlog(): Promise<Command> {
  const { vlogCommand } = await import("./commands/manifest.ts");
  return vlogCommand;
}

async function loadVerify(): Promise<Command> {
  const { verifyCommand } = await import("./commands/verify.ts");
  return verifyCommand;
}

async function loadSim(): Promise<Command> {
  const { simCommand } = await import("./commands/sim.ts");
  const { nodeSimulator } = await import("./batch/node-simulator.ts");
  const { scenarios } = await import("../scenarios/index.ts");
  // The compiled package has .js where the sources have .ts.
  const worker = new URL(`./batch/worker${extname(import.meta.filename)}`, import.meta.url);
  return simCommand({ scenarios, simulator: nodeSimulator, worker });
}

async function loadExplore(): Promise<Command> {
  const { exploreCommand } = await import("./commands/explore.ts");
  return exploreCommand;
}

async function loadWalk(): Promise<Command> {
  const { walkCommand } = await import("./commands/walk.ts");
  const { nodeSimulator } = await import("./batch/node-simulator.ts");
  const { initWalk, rollbackWalk } = await import("../scenarios/migrate-init-walk.ts");
  const { expandWalk } = await import("../scenarios/migrate-expand-walk.ts");
  return walkCommand({ walks: [initWalk, rollbackWalk, expandWalk], simulator: nodeSimulator });
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
