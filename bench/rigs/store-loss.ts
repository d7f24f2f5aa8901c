import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openHostEnv } from "../../host/env.ts";
import { RedisClient } from "../../net/redis/client.ts";
import { sleep } from "../sleep.ts";
import { freePorts } from "./cluster-processes.ts";
import { DemoProcess, runToEnd } from "./demo-process.ts";

export interface StoreLossOptions {
  /** Keys of a kilobyte that are there before. */
  readonly keys: number;
  readonly clients: number;
  readonly regions: number;
  /** A store that is silent for so long is given up. */
  readonly downAfterMs: number;
  /** From then on, full replication is there within. */
  readonly repairMsMax: number;
  readonly parent: string;
  readonly print: (line: string) => void;
}

export const storeLossDefaults: StoreLossOptions = {
  keys: 50_000,
  clients: 4,
  regions: 6,
  downAfterMs: 15_000,
  repairMsMax: 60_000,
  parent: tmpdir(),
  print: console.log,
};

const stores = [1, 2, 3, 4];
const victim = 2;
const replicas = 3;
const patienceMs = 60_000;
/** Another rig may look for ports at the same time: each begins somewhere else. */
const firstPort = 36_000 + (process.pid % 30) * 20;

/**
 * Four stores as processes, regions of three replicas, load through a gateway. One store dies with its directory. Tells
 * how long it takes until each region has three replicas that answer, and reads back all that was acknowledged.
 */
export async function storeLoss(options: StoreLossOptions): Promise<void> {
  const workdir = mkdtempSync(join(options.parent, "nokv-store-loss-"));
  const run = new StoreLossRun(options, workdir, await freePorts(firstPort));
  try {
    await run.run();
  } finally {
    await run.end();
  }
  rmSync(workdir, { recursive: true, force: true });
}

class StoreLossRun {
  readonly #options: StoreLossOptions;
  readonly #workdir: string;
  readonly #port: number;
  readonly #config: string;
  readonly #processes: DemoProcess[] = [];
  /** By key: the highest number that was acknowledged. */
  readonly #acknowledged = new Map<string, number>();
  #writes = 0;
  #lastMs = 0;
  #gapMsMax = 0;
  #over = false;

  constructor(options: StoreLossOptions, workdir: string, port: number) {
    this.#options = options;
    this.#workdir = workdir;
    this.#port = port;
    this.#config = join(workdir, "cluster.json");
  }

  async run(): Promise<void> {
    const { print, clients, keys, regions, downAfterMs } = this.#options;
    writeFileSync(this.#config, `${JSON.stringify(this.#topology(), null, 2)}\n`);
    await this.#start("coordinator", "coordinator", "--store-down-after", `${downAfterMs}ms`);
    const started = new Map<number, DemoProcess>();
    for (const id of stores) started.set(id, await this.#start(`store ${id}`, "serve", "--store-id", `${id}`));
    await this.#start("gateway", "redis");
    await this.#until("every region has its replicas", patienceMs, async () => (await this.#short(stores)) === 0);
    await this.#fill();
    print(`${keys} keys of a kilobyte in ${regions} regions, ${clients} clients write`);
    this.#lastMs = performance.now();
    const load = Array.from({ length: clients }, (_, at) => this.#client(at));
    await sleep(3_000);
    print(`$ kill -9 <store ${victim}>; rm -r store-${victim}`);
    const killedMs = performance.now();
    await started.get(victim)?.kill();
    rmSync(join(this.#workdir, `store-${victim}`), { recursive: true, force: true });
    const rest = stores.filter((id) => id !== victim);
    const short = await this.#short(rest);
    const { repairMsMax } = this.#options;
    await this.#until("full replication", downAfterMs + repairMsMax, async () => (await this.#short(rest)) === 0);
    const totalMs = performance.now() - killedMs;
    print(`${short} of ${regions} regions had lost a replica`);
    print(`three replicas that answer in every region: ${seconds(totalMs)} after the kill`);
    print(`  of which ${seconds(downAfterMs)} were silence before the store was given up`);
    await sleep(2_000);
    this.#over = true;
    await Promise.all(load);
    print(`${this.#writes} writes acknowledged, the longest time without one ${Math.round(this.#gapMsMax)} ms`);
    await this.#readBack();
    await this.#runToEnd("stores", "decommission", `${victim}`);
    await this.#until("the store has left", patienceMs, async () => (await this.#stateOf(victim)) === "left");
    await this.#runToEnd("stores");
  }

  async end(): Promise<void> {
    for (const process of this.#processes.toReversed()) await process.kill();
  }

  async #start(name: string, ...argv: string[]): Promise<DemoProcess> {
    const process = await DemoProcess.start(name, [...argv, "--config", this.#config], patienceMs);
    this.#processes.push(process);
    return process;
  }

  async #runToEnd(...argv: string[]): Promise<void> {
    this.#options.print(`$ nokv ${argv.join(" ")}`);
    const { code } = await runToEnd([...argv, "--config", this.#config], (line) => this.#options.print(`  ${line}`));
    if (code !== 0) throw new Error(`nokv ${argv.join(" ")} ended with ${code}`);
  }

  /** How many regions have fewer than three voters on `alive`, as the leaders say. */
  async #short(alive: readonly number[]): Promise<number> {
    const { printed } = await runToEnd(["regions", "--json", "--config", this.#config], () => {});
    const line = printed.split("\n").find((text) => text.startsWith("{"));
    if (line === undefined) return this.#options.regions;
    const { regions } = JSON.parse(line) as { readonly regions: readonly RegionJson[] };
    const whole = regions.filter(({ leader_store: leader, replicas: held }) => {
      const voters = held.filter(({ store_id: id, role }) => role === "voter" && alive.includes(id));
      return alive.includes(leader) && held.length === replicas && voters.length === replicas;
    });
    return this.#options.regions - whole.length;
  }

  async #stateOf(storeId: number): Promise<string> {
    const { printed } = await runToEnd(["stores", "--json", "--config", this.#config], () => {});
    const { stores: list } = JSON.parse(printed) as { readonly stores: readonly StoreJson[] };
    return list.find(({ store_id: id }) => id === storeId)?.state ?? "unknown";
  }

  async #until(what: string, msMax: number, holds: () => Promise<boolean>): Promise<void> {
    const untilMs = performance.now() + msMax;
    while (!(await holds())) {
      if (performance.now() > untilMs) throw new Error(`it takes more than ${msMax} ms until ${what}`);
      await sleep(200);
    }
  }

  async #fill(): Promise<void> {
    const client = this.#connect();
    const value = "x".repeat(1_000);
    const step = 100;
    for (let at = 0; at < this.#options.keys; at += step) {
      const pairs = Array.from({ length: step }, (_, i) => [`${letterOf(at + i)}fill${at + i}`, value]).flat();
      const outcome = await client.request(["MSET", ...pairs]);
      if (outcome.kind !== "reply") throw new Error(`MSET: ${JSON.stringify(outcome)}`);
    }
    client.close();
  }

  /** Each of its registers counts up; a write that fails is followed by the next number. */
  async #client(index: number): Promise<void> {
    let client = this.#connect();
    for (let value = 1; !this.#over; value++) {
      const key = `${letterOf(value)}client${index}`;
      if (client.closed) {
        await sleep(50);
        client = this.#connect();
      }
      const outcome = await client.request(["SET", key, `${value}`]);
      if (outcome.kind !== "reply") continue;
      this.#acknowledged.set(key, value);
      this.#writes++;
      const nowMs = performance.now();
      this.#gapMsMax = Math.max(this.#gapMsMax, nowMs - this.#lastMs);
      this.#lastMs = nowMs;
    }
    client.close();
  }

  async #readBack(): Promise<void> {
    const client = this.#connect();
    for (const [key, least] of this.#acknowledged) {
      const outcome = await client.request(["GET", key]);
      const found = outcome.kind === "reply" && outcome.reply.kind === "bulk" ? outcome.reply.bytes : null;
      const text = found === null ? "" : new TextDecoder().decode(found);
      if (!(Number(text) >= least)) throw new Error(`${key} is "${text}", and ${least} was acknowledged`);
    }
    client.close();
    this.#options.print(`all ${this.#acknowledged.size} registers hold what was acknowledged`);
  }

  #connect(): RedisClient {
    const { network, clock } = openHostEnv({ failpoints: null });
    return new RedisClient({ network, clock }, { host: "127.0.0.1", port: this.#port + 9 });
  }

  #topology(): object {
    const address = (offset: number): string => `127.0.0.1:${this.#port + offset}`;
    const { regions } = this.#options;
    return {
      coordinator: { addr: address(0), work_dir: join(this.#workdir, "coordinator") },
      redis: { addr: address(9) },
      stores: stores.map((id) => ({ store_id: id, addr: address(id), work_dir: join(this.#workdir, `store-${id}`) })),
      regions: Array.from({ length: regions }, (_, at) => ({
        id: at + 1,
        start_key: at === 0 ? "" : letterOf(at),
        end_key: at === regions - 1 ? "" : letterOf(at + 1),
        peers: Array.from({ length: replicas }, (_, i) => {
          const storeId = ((at + i) % stores.length) + 1;
          return { store_id: storeId, peer_id: storeId * 100 + at + 1 };
        }),
        leader_store_id: (at % stores.length) + 1,
      })),
    };
  }
}

interface RegionJson {
  readonly leader_store: number;
  readonly replicas: readonly { readonly store_id: number; readonly role: string }[];
}

interface StoreJson {
  readonly store_id: number;
  readonly state: string;
}

/** Keys of every region: `a`, `b` and so on. */
function letterOf(number: number): string {
  return String.fromCharCode("a".charCodeAt(0) + (number % 6));
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
