import { runInMacrotask } from "../../host/settle.ts";
import type { Scenario } from "../../sim/scenario.ts";
import type { Simulator } from "../../sim/simulate.ts";
import { pickScenario } from "./pick-scenario.ts";
import { type WorkerOrder, type WorkerReply, quit, ready } from "./protocol.ts";
import { type SeedReport, runSeed } from "./run-seed.ts";

/** Serves a `Pool` from within its child process: one seed after the other, a fresh macrotask for each. */
export function serveOrders(scenarios: readonly Scenario[], simulator: Simulator): void {
  let busy = Promise.resolve();
  process.on("message", (message) => {
    if (message === quit) process.exit(0);
    const order = message as WorkerOrder;
    busy = busy.then(async () => {
      const report = await runInMacrotask(() => runOrder(scenarios, simulator, order));
      const { user, system } = process.cpuUsage();
      process.send?.({ report, cpuMs: Math.round((user + system) / 1000) } satisfies WorkerReply);
    });
  });
  // Ctrl-C reaches the whole group; the parent decides what becomes of the seeds in hand.
  process.on("SIGINT", () => {});
  process.on("disconnect", () => process.exit(0));
  process.send?.(ready);
}

function runOrder(scenarios: readonly Scenario[], simulator: Simulator, order: WorkerOrder): SeedReport {
  const { seed, twice } = order;
  const scenario = scenarios.find(({ name }) => name === order.scenario) ?? pickScenario(seed, scenarios);
  return runSeed(simulator, { scenario, seed, twice, options: {} }, () => performance.now());
}
