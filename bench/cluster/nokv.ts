import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Child, listening } from "../child.ts";
import { sleep } from "../sleep.ts";
import { RedisKvClient } from "./redis-kv-client.ts";
import type { Contestant, System } from "./system.ts";

const gatewayPort = 23_600;
const coordinatorPort = 23_601;
const stores = [1, 2, 3] as const;
const storePort = (store: number): number => 23_610 + store;
const varsPort = (store: number): number => 23_620 + store;
const root = join(import.meta.dirname, "../..");

/** A Coordinator, three stores that hold three regions each, and the gateway that clients connect to. */
export const nokv: Contestant = {
  name: "nokv",
  absent: () => null,
  start: async (directory) => {
    mkdirSync(directory, { recursive: true });
    const config = join(directory, "cluster.json");
    writeFileSync(config, JSON.stringify(topology(directory)));
    const begin = (role: string, ...words: readonly string[]): Child => {
      const log = join(directory, `${role}${words.at(-1) ?? ""}.log`);
      return new Child(process.execPath, [join(root, "cli/main.ts"), role, "--config", config, ...words], log);
    };
    const coordinator = begin("coordinator");
    await listening(coordinatorPort, 30);
    const serve = (store: number): Child => begin("serve", "--store-id", String(store));
    const children = new Map<number, Child>(stores.map((store) => [store, serve(store)]));
    const gateway = begin("redis");
    for (const store of stores) await listening(storePort(store), 30);
    await listening(gatewayPort, 30);
    await firstLeader();
    const system: System = {
      name: "nokv",
      version: (process.env["npm_package_version"] ?? "") || "of this commit",
      pids: () => [coordinator, gateway, ...children.values()].map(({ pid }) => pid),
      connect: () => Promise.resolve(new RedisKvClient(gatewayPort)),
      killLeader: async () => {
        const store = await firstLeader();
        await children.get(store)?.kill("SIGKILL");
        return async () => {
          children.set(store, serve(store));
          await listening(storePort(store), 30);
        };
      },
      stop: async () => {
        await Promise.all([coordinator, gateway, ...children.values()].map((child) => child.kill("SIGKILL")));
      },
    };
    return system;
  },
};

function topology(directory: string): object {
  const regions = [["", "h"], ["h", "q"], ["q", ""]] as const;
  return {
    cluster_id: "bench",
    coordinator: { addr: `127.0.0.1:${coordinatorPort}`, work_dir: join(directory, "coordinator") },
    redis: { addr: `127.0.0.1:${gatewayPort}` },
    store_work_dir_template: join(directory, "store-{id}"),
    stores: stores.map((store) => ({
      store_id: store,
      addr: `127.0.0.1:${storePort(store)}`,
      metrics_addr: `127.0.0.1:${varsPort(store)}`,
    })),
    regions: regions.map(([start, end], i) => ({
      id: i + 1,
      start_key: start,
      end_key: end,
      peers: stores.map((store) => ({ store_id: store, peer_id: store * 100 + i + 1 })),
      leader_store_id: i + 1,
    })),
  };
}

/** The store that leads the region of "m". */
async function firstLeader(): Promise<number> {
  for (let tries = 0; tries < 3_000; tries++) {
    for (const store of stores) if (await leads(store)) return store;
    await sleep(10);
  }
  throw new Error("nobody leads the region");
}

const regionOfM = 2;

interface Variables {
  readonly region: { readonly list: readonly { readonly id: number; readonly leading_term: number }[] };
}

async function leads(store: number): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${varsPort(store)}/debug/vars`);
    const { region } = (await answer.json()) as Variables;
    return region.list.some(({ id, leading_term: term }) => id === regionOfM && term > 0);
  } catch (error) {
    // It is down, or just going.
    if (error instanceof TypeError || error instanceof SyntaxError) return false;
    throw error;
  }
}
