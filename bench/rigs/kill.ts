import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { Xorshift } from "../xorshift.ts";
import { ClientModel, CounterModel } from "./kill-model.ts";

export interface KillOptions {
  readonly rounds: number;
  readonly clients: number;
  readonly seed: number;
  /** Operations acknowledged in a round before the process may be killed: the kill lands at a random one after. */
  readonly operationsPerRound: number;
  /** Passed to `nokv redis` as they are. */
  readonly serverFlags: readonly string[];
  readonly parent: string;
  readonly report: (round: number, state: KillReport) => void;
}

export interface KillReport {
  readonly rounds: number;
  readonly acknowledged: number;
  readonly undetermined: number;
  readonly verified: number;
}

export const killDefaults: KillOptions = {
  rounds: 200,
  clients: 4,
  seed: 1,
  operationsPerRound: 400,
  // Small enough that flushes, merges and manifest rewrites happen in every round, and are killed too.
  serverFlags: ["--tune", "memtableBytes=32768,level0TablesMax=2,tableBytes=65536,levelBytesBase=131072"],
  parent: tmpdir(),
  report: () => {},
};

const script = join(import.meta.dirname, "../../cli/main.ts");
const inFlightMax = 16;

/**
 * Kills a real gateway with SIGKILL under load, again and again on one directory, and reads every key back after
 * each start. Throws on the first acknowledged write that is missing, value that nobody wrote, torn MSET, wrong
 * counter, or start that fails.
 */
export async function killRounds(options: KillOptions): Promise<KillReport> {
  const workdir = mkdtempSync(join(options.parent, "nokv-kill-"));
  const random = new Xorshift(options.seed);
  const counter = new CounterModel("counter");
  const models = Array.from({ length: options.clients }, (_, id) => new ClientModel(id, random));
  let state: KillReport = { rounds: 0, acknowledged: 0, undetermined: 0, verified: 0 };
  for (let round = 1; round <= options.rounds; round++) {
    const server = await Server.start(join(workdir, "db"), options.serverFlags);
    const verified = await verify(server.port, models, counter);
    const load = new Load(server, counter, random, options.operationsPerRound);
    await load.run(models);
    state = {
      rounds: round,
      acknowledged: state.acknowledged + load.acknowledged,
      undetermined: state.undetermined + load.undetermined,
      verified: state.verified + verified,
    };
    options.report(round, state);
  }
  const server = await Server.start(join(workdir, "db"), options.serverFlags);
  await verify(server.port, models, counter);
  await server.kill();
  rmSync(workdir, { recursive: true, force: true });
  return state;
}

/** One `nokv redis` process. */
class Server {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;

  private constructor(child: ChildProcess, port: number, exited: Promise<void>) {
    this.#child = child;
    this.port = port;
    this.#exited = exited;
  }

  /** Resolves once the banner names the address; rejects with everything printed if the process ends before. */
  static start(workdir: string, flags: readonly string[]): Promise<Server> {
    const child = spawn(
      process.execPath,
      [script, "redis", "--workdir", workdir, "--addr", "127.0.0.1:0", "--durability", "sync", ...flags],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    return new Promise((resolve, reject) => {
      let printed = "";
      const collect = (chunk: Buffer): void => {
        printed += chunk.toString();
        const match = /127\.0\.0\.1:(\d+)/.exec(printed);
        if (match !== null) resolve(new Server(child, Number(match[1]), exited));
      };
      child.stdout.on("data", collect);
      child.stderr.on("data", collect);
      child.once("exit", (code) => reject(new Error(`the gateway did not start (exit ${code}):\n${printed}`)));
    });
  }

  kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    return this.#exited;
  }
}

function connect(port: number): Redis {
  const client = new Redis({ port, retryStrategy: () => null, maxRetriesPerRequest: 0 });
  // Every command's own promise tells of the broken connection; the event would end the process.
  client.on("error", () => {});
  return client;
}

/** Reads every key of every model and returns how many were checked. */
async function verify(port: number, models: readonly ClientModel[], counter: CounterModel): Promise<number> {
  const client = connect(port);
  let verified = 0;
  for (const model of models) {
    const values = await client.mget(...model.keys);
    model.observe(values);
    verified += values.length;
  }
  counter.observe(await client.get(counter.key));
  client.disconnect();
  return verified + 1;
}

/** Writes from every client at once until enough is acknowledged, then kills the process in the middle of it. */
class Load {
  acknowledged = 0;
  undetermined = 0;
  readonly #server: Server;
  readonly #counter: CounterModel;
  readonly #random: Xorshift;
  readonly #killAt: number;
  #killed: Promise<void> | null = null;

  constructor(server: Server, counter: CounterModel, random: Xorshift, operations: number) {
    this.#server = server;
    this.#counter = counter;
    this.#random = random;
    this.#killAt = Math.ceil(operations / 2) + random.below(operations);
  }

  async run(models: readonly ClientModel[]): Promise<void> {
    await Promise.all(models.map((model) => this.#client(model)));
    await this.#killed;
  }

  async #client(model: ClientModel): Promise<void> {
    const client = connect(this.#server.port);
    const inFlight = new Set<Promise<void>>();
    while (this.#killed === null) {
      const operation = this.#operate(client, model).finally(() => inFlight.delete(operation));
      inFlight.add(operation);
      if (inFlight.size >= inFlightMax) await Promise.race(inFlight);
    }
    await Promise.all(inFlight);
    client.disconnect();
  }

  async #operate(client: Redis, model: ClientModel): Promise<void> {
    const counts = this.#random.below(8) === 0;
    const acknowledged = await (counts ? this.#counter.increment(client) : model.operate(client));
    if (!acknowledged && this.#killed === null) {
      throw new Error("a write failed although nothing was killed yet");
    }
    if (acknowledged) this.acknowledged++;
    else this.undetermined++;
    if (this.acknowledged >= this.#killAt) this.#killed ??= this.#server.kill();
  }
}
