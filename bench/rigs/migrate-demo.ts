import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ContentHash, type ContentSum, contentText } from "../../core/bytes/content-hash.ts";
import { openHostEnv } from "../../host/env.ts";
import { open } from "../../host/open.ts";
import { RedisClient } from "../../net/redis/client.ts";
import { sleep } from "../sleep.ts";
import { Xorshift } from "../xorshift.ts";
import { freePorts } from "./cluster-processes.ts";
import { DemoProcess, runToEnd } from "./demo-process.ts";

export interface MigrateDemoOptions {
  /** Of keys and values together, about. */
  readonly bytes: number;
  readonly regions: number;
  readonly seed: number;
  readonly parent: string;
  /** Keeps the directory. */
  readonly keep: boolean;
  readonly print: (line: string) => void;
}

export const migrateDemoDefaults: MigrateDemoOptions = {
  bytes: 64 * 1_048_576,
  regions: 1,
  seed: 1,
  parent: tmpdir(),
  keep: false,
  print: (line) => console.log(line),
};

const valueBytes = 1_000;
const batchEntries = 256;
const pageEntries = 256;
/** Beyond those of other rigs. */
const firstPort = 32_000 + (process.pid % 40) * 20;
const patienceMs = 60_000;

/**
 * The promise of the product on real processes: a directory that an application filled becomes a cluster of three, its
 * first store is killed, and everything is there. Throws on the first thing that is not as it should be.
 */
export async function migrateDemo(options: MigrateDemoOptions): Promise<void> {
  const workdir = mkdtempSync(join(options.parent, "nokv-migrate-demo-"));
  const demo = new MigrateDemo(options, workdir, await freePorts(firstPort));
  try {
    await demo.run();
  } finally {
    await demo.end();
    if (options.keep) options.print(`everything is in ${workdir}`);
    else rmSync(workdir, { recursive: true, force: true });
  }
}

class MigrateDemo {
  readonly #options: MigrateDemoOptions;
  readonly #workdir: string;
  readonly #port: number;
  readonly #data: string;
  readonly #config: string;
  readonly #processes: DemoProcess[] = [];

  constructor(options: MigrateDemoOptions, workdir: string, port: number) {
    this.#options = options;
    this.#workdir = workdir;
    this.#port = port;
    this.#data = join(workdir, "data");
    this.#config = join(workdir, "cluster.json");
  }

  async run(): Promise<void> {
    const { print, regions } = this.#options;
    const written = await this.#fill();
    writeFileSync(this.#config, `${JSON.stringify(this.#topology(), null, 2)}\n`);
    await this.#migrate("plan", "--workdir", this.#data, "--config", this.#config, "--store-id", "1");
    const identity = ["--workdir", this.#data, "--config", this.#config, "--store-id", "1"];
    await this.#migrate("init", ...identity, "--regions", `${regions}`);
    await this.#start("coordinator", "coordinator");
    const seed = await this.#start("store 1", "serve", "--store-id", "1", "--workdir", this.#data);
    await this.#start("store 2", "serve", "--store-id", "2");
    await this.#start("store 3", "serve", "--store-id", "3");
    await this.#migrate("expand", "--config", this.#config, "--to", "2,3", "--wait", "120s");
    for (const store of this.#processes) print(`  ${store.name}: ${store.memoryText()}`);
    print("$ kill -9 <store 1>");
    await seed.kill();
    await this.#start("gateway", "redis");
    const read = await this.#readBack();
    print(`  through Redis   ${sumText(read)}`);
    if (sumText(read) !== sumText(written)) throw new Error(`what was written: ${sumText(written)}`);
    print("  the same as the application wrote, and one store of three is dead");
    await this.#start("store 1", "serve", "--store-id", "1", "--workdir", this.#data);
    await this.#migrate("verify", "--config", this.#config, "--workdir", this.#data, "--wait", "120s");
    await this.#migrate("status", "--config", this.#config);
  }

  async end(): Promise<void> {
    for (const process of this.#processes.toReversed()) await process.kill();
  }

  /** Through the embedded library, as an application would. */
  async #fill(): Promise<ContentSum> {
    const { bytes, seed, print } = this.#options;
    const random = new Xorshift(seed);
    const count = Math.max(1, Math.floor(bytes / valueBytes));
    const hash = new ContentHash();
    const startedMs = performance.now();
    print(`$ node: open("data"), ${count} keys of ${valueBytes} bytes, close`);
    mkdirSync(this.#data);
    const db = await open(this.#data);
    const encoder = new TextEncoder();
    for (let at = 0; at < count; at += batchEntries) {
      const entries = Array.from({ length: Math.min(batchEntries, count - at) }, (_, i) => {
        const key = encoder.encode(`user${String(at + i).padStart(10, "0")}`);
        const value = new Uint8Array(valueBytes - key.length);
        // Half of it is noise.
        for (let b = 0; b < value.length; b += 2) value[b] = random.u32() & 0xff;
        hash.entry(key, value, 0);
        return { type: "set" as const, key, value };
      });
      await db.batch(entries);
    }
    await db.close();
    print(`  ${secondsSince(startedMs)}  ${sumText(hash.sum)}`);
    return hash.sum;
  }

  async #migrate(...argv: string[]): Promise<void> {
    const { print } = this.#options;
    print(`$ nokv migrate ${argv.map((word) => this.#short(word)).join(" ")}`);
    const startedMs = performance.now();
    const { code, printed } = await runToEnd(["migrate", ...argv], (line) => print(`  ${this.#short(line)}`));
    if (code !== 0) throw new Error(`nokv migrate ${argv[0] ?? ""} ended with ${code}:\n${printed}`);
    print(`  ${secondsSince(startedMs)}`);
  }

  async #start(name: string, ...argv: string[]): Promise<DemoProcess> {
    const { print } = this.#options;
    print(`$ nokv ${[...argv, "--config", this.#config].map((word) => this.#short(word)).join(" ")} &`);
    const process = await DemoProcess.start(name, [...argv, "--config", this.#config], patienceMs);
    this.#processes.push(process);
    return process;
  }

  /** Every key that SCAN shows, with its value. */
  async #readBack(): Promise<ContentSum> {
    const { print } = this.#options;
    const startedMs = performance.now();
    print("$ SCAN 0 COUNT 256, MGET ..., until the cursor is 0 again");
    const client = new RedisClient(openHostEnv({ failpoints: null }), { host: "127.0.0.1", port: this.#port + 8 });
    const hash = new ContentHash();
    for (let cursor = "0", first = true; first || cursor !== "0"; first = false) {
      const [next, keys] = await this.#scan(client, cursor);
      cursor = next;
      if (keys.length === 0) continue;
      const reply = await this.#ask(client, ["MGET", ...keys]);
      const values = reply.kind === "array" ? reply.items : [];
      for (const [at, key] of keys.entries()) {
        const value = values[at];
        if (value?.kind === "bulk") hash.entry(key, value.bytes, 0);
      }
    }
    client.close();
    print(`  ${secondsSince(startedMs)}`);
    return hash.sum;
  }

  async #scan(client: RedisClient, cursor: string): Promise<[string, Uint8Array[]]> {
    const reply = await this.#ask(client, ["SCAN", cursor, "COUNT", `${pageEntries}`]);
    const [next, keys] = reply.kind === "array" ? reply.items : [];
    if (next?.kind !== "bulk" || keys?.kind !== "array") throw new Error("SCAN answered something else");
    const found = keys.items.flatMap((item) => (item.kind === "bulk" ? [item.bytes] : []));
    return [new TextDecoder().decode(next.bytes), found];
  }

  /** Again while the cluster finds its new leaders. */
  async #ask(client: RedisClient, tokens: readonly (string | Uint8Array)[]) {
    const untilMs = performance.now() + patienceMs;
    for (;;) {
      const outcome = await client.request(tokens);
      if (outcome.kind === "reply") return outcome.reply;
      if (performance.now() > untilMs) throw new Error(JSON.stringify(outcome));
      await sleep(100);
    }
  }

  #short(text: string): string {
    return text.replaceAll(`${this.#workdir}/`, "");
  }

  #topology(): object {
    const port = this.#port;
    const at = (offset: number): string => `127.0.0.1:${port + offset}`;
    return {
      cluster_id: "demo",
      coordinator: { addr: at(0), work_dir: "./coordinator" },
      stores: [1, 2, 3].map((id) => ({ store_id: id, addr: at(id), work_dir: id === 1 ? "./data" : `./store-${id}` })),
      redis: { addr: at(8) },
      regions: [],
    };
  }
}

function sumText(sum: ContentSum): string {
  return `${sum.count} keys, ${sum.bytes} bytes, ${contentText(sum)}`;
}

function secondsSince(startedMs: number): string {
  return `${((performance.now() - startedMs) / 1_000).toFixed(1)} s`;
}
