import { parseArgs } from "node:util";
import { embeddedKillDefaults, embeddedKillRounds } from "./kill-embedded.ts";
import { clusterKillDefaults, type ClusterKillOptions, clusterKillRounds } from "./kill-cluster.ts";
import { killDefaults, killRounds } from "./kill.ts";
import { chromiumPath } from "./chromium.ts";
import { livePageRounds } from "./live-page.ts";
import { injectDefaults, injectRounds } from "./inject.ts";
import { isInside, mountObstacle, runInside, straceObstacle } from "./mounts.ts";
import { powercutDefaults, powercutRounds } from "./powercut.ts";
import { migrateDemo, migrateDemoDefaults } from "./migrate-demo.ts";
import { storeLoss, storeLossDefaults } from "./store-loss.ts";
import { mutateDefaults, type MutateOptions, mutateRounds } from "./mutate.ts";
import { runWriter, type WriterOrder } from "./writer.ts";

const usage = `usage: pnpm rig kill [--rounds N] [--clients N] [--seed N]
       pnpm rig kill-embedded [--rounds N] [--seed N]
       pnpm rig kill-cluster [--rounds N] [--clients N] [--seed N] [--coordinators 3]
       pnpm rig kill-coordinators [--rounds N] [--clients N] [--seed N]
       pnpm rig powercut [--images N] [--seed N]
       pnpm rig inject [--per-fault N] [--only fdatasync] [--seed N]
       pnpm rig mutate [--variants N] [--only G7] [--seed N]
       pnpm rig flip [--variants N] [--seed N]
       pnpm rig migrate-demo [--bytes 1GiB] [--regions N] [--seed N] [--keep]
       pnpm rig store-loss
       pnpm rig live-page [--picture FILE]

kill            SIGKILLs a real gateway under load, restarts it on the same directory and reads every key back.
kill-embedded   the same with a process that uses the embedded API.
kill-cluster    SIGKILLs random processes of a playground under load, and judges every key's history.
kill-coordinators  the same with three Coordinators, of which one dies, mostly the one that leads: how long nobody
                writes.
powercut        copies the ext4 image of a database as its device has it, mounts the copy and opens it (root).
inject          fails, shortens or kills single system calls of a process that uses the embedded API (strace).
mutate          damages every file of a directory in the sixteen ways of the catalogue and reads everything back.
flip            only single bits, at least 20,000 of them.
migrate-demo    fills a directory, makes it a cluster of three in place, kills its first store, and reads everything.
store-loss      kills a store of four for good, with its directory, under load: how long until all have three replicas.
live-page       looks at the page of a playground under load with a headless Chromium, also when a store dies.

Exit code 0: every acknowledged write was there and no answer was wrong; 1: otherwise; 3: skipped, with the reason.`;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string" },
    clients: { type: "string" },
    coordinators: { type: "string" },
    variants: { type: "string" },
    images: { type: "string" },
    "per-fault": { type: "string" },
    only: { type: "string", default: "" },
    picture: { type: "string", default: "" },
    seed: { type: "string", default: "1" },
    bytes: { type: "string", default: "64MiB" },
    regions: { type: "string" },
    keep: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
const seed = Number(values.seed);

/** Flips of each file: with the files of the three directories more than 20,000. */
const flipVariants = 1_000;

async function main(): Promise<void> {
  const rig: string = values.help ? "help" : (positionals[0] ?? "help");
  switch (rig) {
    case "kill":
      return await kill();
    case "kill-embedded":
      return await killEmbedded();
    case "kill-cluster":
      return await killCluster(given("coordinators", values.coordinators));
    case "kill-coordinators":
      return await killCluster({ coordinators: 3, coordinatorsOnly: true, rounds: 20 });
    case "powercut":
      return await powercut();
    case "inject":
      return await inject();
    case "mutate":
      return await mutate({ ...mutateDefaults, seed, only: values.only, ...given("variants", values.variants) });
    case "flip":
      return await mutate({ ...mutateDefaults, seed, only: "G4", variants: Number(values.variants ?? flipVariants) });
    case "live-page":
      return await livePage();
    case "store-loss":
      return await storeLoss({ ...storeLossDefaults, ...given("clients", values.clients) });
    case "migrate-demo":
      return await migrateDemo({
        ...migrateDemoDefaults,
        ...given("regions", values.regions),
        bytes: bytesOf(values.bytes),
        keep: values.keep,
        seed,
      });
    case "writer":
      return await runWriter(JSON.parse(positionals[1] ?? "") as WriterOrder);
    default:
      console.log(usage);
      process.exitCode = values.help ? 0 : 2;
  }
}

/** "64MiB", "1GiB". */
function bytesOf(text: string): number {
  const match = /^([1-9][0-9]*)(MiB|GiB)$/.exec(text);
  if (match === null) throw new RangeError(`--bytes: "${text}" is no size such as 64MiB or 1GiB`);
  return Number(match[1]) * (match[2] === "GiB" ? 2 ** 30 : 2 ** 20);
}

function given<K extends string>(name: K, text: string | undefined): Partial<Record<K, number>> {
  return text === undefined ? {} : ({ [name]: Number(text) } as Partial<Record<K, number>>);
}

async function kill(): Promise<void> {
  const report = await killRounds({
    ...killDefaults,
    ...given("rounds", values.rounds),
    ...given("clients", values.clients),
    seed,
    report: (round, state) => {
      if (round % 10 === 0) console.log(JSON.stringify(state));
    },
  });
  console.log(`clean: ${JSON.stringify(report)}`);
}

async function killEmbedded(): Promise<void> {
  const report = await embeddedKillRounds({
    ...embeddedKillDefaults,
    ...given("rounds", values.rounds),
    seed,
    report: (round, state) => {
      if (round % 25 === 0) console.log(JSON.stringify(state));
    },
  });
  console.log(`clean: ${JSON.stringify(report)}`);
}

async function killCluster(options: Partial<ClusterKillOptions>): Promise<void> {
  const report = await clusterKillRounds({
    ...clusterKillDefaults,
    ...options,
    ...given("rounds", values.rounds),
    ...given("clients", values.clients),
    seed,
    report: (state) => {
      if (state.rounds % 10 === 0) console.log(JSON.stringify(state));
    },
  });
  console.log(`clean: ${JSON.stringify(report)}`);
}

async function livePage(): Promise<void> {
  if (chromiumPath() === null) {
    console.log("skipped: there is no Chromium on this machine");
    process.exitCode = 3;
  } else await livePageRounds({ seed, picture: values.picture, report: (line) => console.log(line) });
}

/** Runs `rig` where its mounts are nobody else's, or says why not. */
async function withMounts(obstacle: string | null, rig: () => Promise<void>): Promise<void> {
  if (obstacle !== null) {
    console.log(`skipped: ${obstacle}`);
    process.exitCode = 3;
  } else if (isInside() || mountObstacle() !== null) await rig();
  else process.exitCode = runInside(process.argv.slice(2));
}

function powercut(): Promise<void> {
  return withMounts(mountObstacle(), async () => {
    const report = await powercutRounds({
      ...powercutDefaults,
      ...given("images", values.images),
      seed,
      report: (images, state) => {
        if (images % 10 === 0) console.log(JSON.stringify(state));
      },
    });
    console.log(`clean: ${JSON.stringify(report)}`);
  });
}

function inject(): Promise<void> {
  return withMounts(straceObstacle(), async () => {
    const perFault = given("perFault", values["per-fault"]);
    const { only } = values;
    const report = (line: string): void => console.log(line);
    const counts = await injectRounds({ ...injectDefaults, ...perFault, only, seed, report });
    console.table(counts);
  });
}

async function mutate(options: MutateOptions): Promise<void> {
  const { counts, violations } = await mutateRounds({
    ...options,
    report: (done, total) => {
      if (done % 1_000 === 0) console.log(`${done} of ${total}`);
    },
  });
  console.table(counts);
  console.log(JSON.stringify(total(counts)));
  for (const violation of violations.slice(0, 100)) console.log(violation);
  if (violations.length > 0) process.exitCode = 1;
}

function total(counts: readonly object[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const count of counts) {
    for (const [name, value] of Object.entries(count)) {
      if (typeof value === "number") sums[name] = (sums[name] ?? 0) + value;
    }
  }
  return sums;
}

await main();
