import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { dirname, join, resolve } from "node:path";
import { randomUUID } from "node:crypto";
import type { Address } from "../core/env/network.ts";
import type { CoordinatorPlace, Topology } from "../node/topology.ts";
import { type CoordinatorCount, defaultTopology } from "./default-topology.ts";
import { CommandError, exitCode } from "./exit-code.ts";
import { formatAddress, probeAddress } from "./listen-address.ts";
import { Supervised } from "./supervised.ts";
import { loadTopology } from "./topology-file.ts";
import { resolveWorkdir } from "./workdir.ts";

export interface PlaygroundOrder {
  /** Everything is in it: the topology, data, logs. Created when missing, for this user alone. */
  readonly workdir: string;
  /** Null: `cluster.json` in the directory, written when it is not there. */
  readonly config: string | null;
  /** Of a topology that is written: ten ports from here on; null: the usual ones. */
  readonly basePort: number | null;
  /** The same; null: one. A topology that is there must have as many. */
  readonly coordinators: CoordinatorCount | null;
  readonly main: string;
  readonly tell: (line: string) => void;
}

const readyPollMs = 100;
const portsMs = 5_000;
const readyTimeoutMs = 1_000;

/** A whole cluster on this machine, one child process for each of its processes. */
export class Playground {
  readonly topology: Topology;
  readonly configPath: string;
  /** The Coordinator or its members, the stores in order, the gateway. */
  readonly members: readonly Supervised[];

  constructor(order: PlaygroundOrder) {
    const { main, tell } = order;
    const workdir = resolveWorkdir(order.workdir);
    mkdirSync(workdir, { recursive: true, mode: 0o700 });
    this.configPath = order.config === null ? ownTopology(workdir, order) : resolve(order.config);
    this.topology = loadTopology(this.configPath, "host");
    const logs = join(workdir, "logs");
    mkdirSync(logs, { recursive: true });
    const member = (name: string, argv: readonly string[]): Supervised =>
      new Supervised({
        name, argv: [...argv, "--config", this.configPath], logPath: join(logs, `${name}.log`), main, tell,
      });
    this.members = [
      ...this.topology.coordinators.map((place) => {
        const which = place.memberId === 0 ? [] : ["--id", `${place.memberId}`];
        return member(coordinatorName(place), ["coordinator", ...which]);
      }),
      ...this.topology.stores.map(({ storeId }) => member(`store-${storeId}`, ["serve", "--store-id", `${storeId}`])),
      member("gateway", ["redis"]),
    ];
  }

  /**
   * Rejects when somebody else listens where one of ours is to listen: that one would be taken for ours. Those of an
   * earlier playground that was killed are given time to end.
   */
  async untilPortsAreFree(): Promise<void> {
    const { coordinators, stores, redis, redisMetrics } = this.topology;
    const places = [...coordinators, ...stores].flatMap(({ listen, metrics }) => [listen, metrics]);
    const untilMs = performance.now() + portsMs;
    for (const place of [...places, redis, redisMetrics]) {
      if (place !== null) await untilFree(place, untilMs);
    }
  }

  start(): void {
    for (const { workDir } of [...this.topology.coordinators, ...this.topology.stores]) {
      mkdirSync(dirname(workDir), { recursive: true });
    }
    for (const member of this.members) member.start();
  }

  /** What is not ready yet, by name, as every process says of itself; empty: Redis clients are served. */
  async waitingFor(): Promise<string[]> {
    const { coordinators, stores, redisMetrics } = this.topology;
    const places = [...[...coordinators, ...stores].map(({ metrics }) => metrics), redisMetrics];
    const answers = await Promise.all(
      places.map(async (address, i) => {
        if (address === null) return "";
        const answer = await readiness(`http://${formatAddress(address)}/readyz`);
        return answer === "" ? "" : `${this.members[i]?.name ?? ""}: ${answer}`;
      }),
    );
    return answers.filter((answer) => answer !== "");
  }

  /** Resolves with what is still missing: nothing, unless `until` says that the waiting is over. */
  async ready(until: () => boolean): Promise<string[]> {
    for (;;) {
      const waiting = await this.waitingFor();
      if (waiting.length === 0 || until()) return waiting;
      await new Promise((run) => void setTimeout(run, readyPollMs));
    }
  }

  /** Clients first: what they still ask is answered. */
  async stop(): Promise<void> {
    const count = this.topology.coordinators.length;
    const gateway = this.members.at(-1);
    await gateway?.stop();
    await Promise.all(this.members.slice(count, -1).map((store) => store.stop()));
    await Promise.all(this.members.slice(0, count).map((coordinator) => coordinator.stop()));
  }
}

async function untilFree(place: Address, untilMs: number): Promise<void> {
  for (;;) {
    try {
      return await probeAddress(place);
    } catch (error) {
      if (!(error instanceof CommandError) || error.code !== exitCode.unavailable) throw error;
      const remedy = "another playground runs? --base-port N together with a new --workdir takes other ports";
      if (performance.now() >= untilMs) throw new CommandError(error.code, error.message, remedy);
    }
    await new Promise((run) => void setTimeout(run, readyPollMs));
  }
}

/** As it is called in logs and by `playground`. */
export function coordinatorName({ memberId }: CoordinatorPlace): string {
  return memberId === 0 ? "coordinator" : `coordinator-${memberId}`;
}

/** An existing file is taken as it is: it says what the data beside it is. */
function ownTopology(workdir: string, { basePort, coordinators }: PlaygroundOrder): string {
  const path = join(workdir, "cluster.json");
  const clusterId = `playground-${randomUUID().slice(0, 8)}`;
  if (!existsSync(path)) writeFileSync(path, defaultTopology(clusterId, basePort, coordinators ?? 1), { mode: 0o600 });
  return path;
}

/** "" when ready, else why not. */
function readiness(url: string): Promise<string> {
  return new Promise((done) => {
    const request = get(url, { timeout: readyTimeoutMs, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => (text += part));
      response.on("error", (error) => done(error.message));
      response.on("end", () => done(response.statusCode === 200 ? "" : text.trim()));
    });
    request.on("timeout", () => request.destroy(new Error("no answer")));
    request.on("error", (error) => done(error.message));
  });
}
