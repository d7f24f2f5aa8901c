import { parseArgs } from "node:util";
import { flipDefaults, flipRounds } from "./flip.ts";
import { killDefaults, killRounds } from "./kill.ts";

const usage = `usage: pnpm rig kill [--rounds N] [--clients N] [--seed N]
       pnpm rig flip [--flips N] [--seed N]

kill: SIGKILLs a real gateway under load, restarts it on the same directory and reads every key back.
flip: flips bytes of every kind of file of a real directory and reads everything back.
Exit code 0: every acknowledged write was there and no answer was wrong; 1: otherwise.`;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: String(killDefaults.rounds) },
    clients: { type: "string", default: String(killDefaults.clients) },
    flips: { type: "string", default: String(flipDefaults.flipsPerKind) },
    seed: { type: "string", default: "1" },
    help: { type: "boolean", default: false },
  },
});

const rig: string = values.help ? "help" : (positionals[0] ?? "help");
switch (rig) {
  case "kill": {
    const report = await killRounds({
      ...killDefaults,
      rounds: Number(values.rounds),
      clients: Number(values.clients),
      seed: Number(values.seed),
      report: (round, state) => {
        if (round % 10 === 0) console.log(JSON.stringify(state));
      },
    });
    console.log(`clean: ${JSON.stringify(report)}`);
    break;
  }
  case "flip": {
    const counts = await flipRounds({
      ...flipDefaults,
      flipsPerKind: Number(values.flips),
      seed: Number(values.seed),
      report: (done, total) => {
        if (done % 500 === 0) console.log(`${done} of ${total}`);
      },
    });
    console.table(counts);
    break;
  }
  default:
    console.log(usage);
    process.exitCode = values.help ? 0 : 2;
}
