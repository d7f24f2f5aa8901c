/**
 * What idle regions cost: a Coordinator and three stores as processes of their own on this machine, N regions of three
 * replicas with nothing to do. Processor time from /proc, over a stretch in which everything sleeps; memory; and how
 * long it takes, and how much of processors, until every region has a leader: at first, and after one store was killed.
 *
 *   node bench/idle/main.ts [--regions 1000] [--seconds 60] [--rest 30] [--profile DIRECTORY]
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Child, listening } from "../child.ts";
import { sleep } from "../sleep.ts";

const stores = [1, 2, 3] as const;
const coordinatorPort = 37_701;
const storePort = (store: number): number => 37_710 + store;
const varsPort = (store: number): number => 37_720 + store;
const script = join(import.meta.dirname, "../../cli/main.ts");
/** As Linux counts processor time. */
const msPerClockTick = 10;

interface Variables {
  readonly region: { readonly list: readonly { readonly id: number; readonly leading_term: number }[] };
}

function topology(directory: string, count: number): object {
  const start = (i: number): string => (i === 0 ? "" : `k${String(i).padStart(8, "0")}`);
  return {
    cluster_id: "idle",
    coordinator: { addr: `127.0.0.1:${coordinatorPort}`, work_dir: join(directory, "coordinator") },
    store_work_dir_template: join(directory, "store-{id}"),
    stores: stores.map((store) => ({
      store_id: store, addr: `127.0.0.1:${storePort(store)}`, metrics_addr: `127.0.0.1:${varsPort(store)}`,
    })),
    regions: Array.from({ length: count }, (_, i) => ({
      id: i + 1,
      start_key: start(i),
      end_key: i + 1 === count ? "" : start(i + 1),
      peers: stores.map((store) => ({ store_id: store, peer_id: store * 1_000_000 + i + 1 })),
      leader_store_id: stores[i % 3],
    })),
  };
}

/** Regions that `store` leads. */
async function ledBy(store: number): Promise<Set<number>> {
  try {
    const answer = await fetch(`http://127.0.0.1:${varsPort(store)}/debug/vars`);
    const { region } = (await answer.json()) as Variables;
    return new Set(region.list.filter(({ leading_term: term }) => term > 0).map(({ id }) => id));
  } catch (error) {
    if (error instanceof TypeError || error instanceof SyntaxError) return new Set();
    throw error;
  }
}

/** Milliseconds until every region has a leader among `alive`. */
async function untilLed(count: number, alive: readonly number[]): Promise<number> {
  const from = performance.now();
  for (;;) {
    const led = new Set<number>();
    for (const store of alive) for (const id of await ledBy(store)) led.add(id);
    if (led.size >= count) return Math.round(performance.now() - from);
    if (performance.now() - from > 600_000) throw new Error(`only ${led.size} of ${count} regions have a leader`);
    // To tell of its regions takes a store the longer the more there are.
    await sleep(Math.max(100, count / 10));
  }
}

/** Processor time of a process, user and system, in milliseconds. */
function processorMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * msPerClockTick;
}

function residentMb(pid: number): number {
  const line = readFileSync(`/proc/${pid}/status`, "utf8").split("\n").find((text) => text.startsWith("VmRSS")) ?? "";
  return Math.round(Number(line.split(/\s+/)[1]) / 1024);
}

const { values } = parseArgs({
  options: {
    regions: { type: "string", default: "1000" },
    seconds: { type: "string", default: "60" },
    rest: { type: "string", default: "30" },
    profile: { type: "string" },
  },
});
const count = Number(values.regions);
const directory = mkdtempSync(join(tmpdir(), "nokv-idle-"));
const config = join(directory, "cluster.json");
writeFileSync(config, JSON.stringify(topology(directory, count)));
const begin = (role: string, ...words: readonly string[]): Child => {
  const log = join(directory, `${role}${words.at(-1) ?? ""}.log`);
  const { profile } = values;
  const flags = profile === undefined ? [] : ["--cpu-prof", "--cpu-prof-dir", profile];
  return new Child(process.execPath, [...flags, script, role, "--config", config, ...words], log);
};
const children = [begin("coordinator")];
try {
  await listening(coordinatorPort, 60);
  for (const store of stores) children.push(begin("serve", "--store-id", String(store)));
  for (const store of stores) await listening(storePort(store), 60);
  const firstMs = await untilLed(count, stores);
  const firstProcessorMs = children.reduce((sum, { pid }) => sum + processorMs(pid), 0);
  await sleep(Number(values.rest) * 1_000);
  const before = children.map(({ pid }) => processorMs(pid));
  const from = performance.now();
  await sleep(Number(values.seconds) * 1_000);
  const lastedMs = performance.now() - from;
  const cores = children.map(({ pid }, i) => (processorMs(pid) - (before[i] ?? 0)) / lastedMs);
  const residents = children.map(({ pid }) => residentMb(pid));
  const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
  const each = cores.map(percent).join(", ");
  process.stdout.write(`${count} regions: first leaders after ${firstMs} ms (${firstProcessorMs} ms of processor `);
  process.stdout.write(`time in all four since they began); idle: ${each} of a core `);
  process.stdout.write(`(Coordinator, stores), ${percent(cores.reduce((sum, share) => sum + share, 0))} in all; `);
  process.stdout.write(`${residents.join(", ")} MB\n`);
  // A profile is written by a process that ends by itself.
  if (values.profile !== undefined) await Promise.all(children.map((child) => child.kill("SIGTERM")));
  await children[1]?.kill("SIGKILL");
  if (values.profile === undefined) {
    const survivors = children.filter((_, i) => i !== 1);
    const spent = (): number => survivors.reduce((sum, { pid }) => sum + processorMs(pid), 0);
    const atKill = spent();
    const failoverMs = await untilLed(count, [2, 3]);
    process.stdout.write(`all led again ${failoverMs} ms after a store was killed, with ${spent() - atKill} ms `);
    process.stdout.write(`of processor time\n`);
  }
} finally {
  await Promise.all(children.map((child) => child.kill("SIGKILL")));
  rmSync(directory, { recursive: true, force: true });
}
