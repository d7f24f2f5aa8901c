import { drawCharts } from "./chart-files.ts";
import { runCommand, runUsage } from "./command.ts";
import { measure, type MeasureOrder } from "./measure.ts";
import { newestResults, readResults } from "./results.ts";
import { installPeers } from "./stores/peer-module.ts";
import { availableEngines } from "./stores/engines.ts";
import { renderReport } from "./report.ts";

const usage = `usage: pnpm bench [options]            measure this engine and its peers side by side
       pnpm bench peers install      install the peers, which no other command does
       pnpm bench peers              which engines would take part
       pnpm bench table [FILE]       the table of the newest results, or of FILE
       pnpm bench chart [FILE]       redraw docs/charts/ from them

${runUsage}`;

async function main(): Promise<void> {
  const [command = "run", argument] = process.argv.slice(2);
  switch (command) {
    case "measure":
      process.stdout.write(`${JSON.stringify(await measure(JSON.parse(argument ?? "") as MeasureOrder))}\n`);
      return;
    case "peers":
      if (argument === "install") installPeers();
      for (const { name, label } of availableEngines().engines) console.log(`${name}: ${label}`);
      for (const reason of availableEngines().absent) console.log(`absent: ${reason}`);
      return;
    case "table":
      console.log(renderReport(readResults(resultsFile(argument))));
      return;
    case "chart":
      for (const path of drawCharts(readResults(resultsFile(argument)))) console.log(path);
      return;
    case "--help":
    case "help":
      console.log(usage);
      return;
    default:
      runCommand(process.argv.slice(2).filter((word) => word !== "run"));
  }
}

function resultsFile(given: string | undefined): string {
  const path = given ?? newestResults();
  if (path === null) throw new Error("there are no results yet: pnpm bench");
  return path;
}

await main();
// A store that keeps a thread or a timer would hold the process.
process.exit(process.exitCode ?? 0);
