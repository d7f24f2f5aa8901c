import { type Disk, DiskError, type DiskFile } from "../core/env/disk.ts";
import type { Env } from "../core/env/env.ts";
import type { Job, JobMachine, JobResult } from "../core/env/jobs.ts";
import type { Connection, ConnectionHandler } from "../core/env/network.ts";
import type { Machine } from "./machine.ts";
import type { Scenario } from "./scenario.ts";
import type { World } from "./world.ts";

/**
 * A small product for the simulator's own tests: a server that answers each byte it reads with a counter that
 * it made durable first, and a client that knows the highest answer. The counter must never go back.
 */

const port = 7;
const roundsMax = 40;
const requestTimeoutMs = 2_000;

export const toy: Scenario = {
  name: "toy",
  why: "An acknowledged count that goes back was never durable.",
  weight: 1,
  run: async (world) => {
    const server = world.machine("server");
    const client = world.machine("client");
    const session = new ToyClient(world, client);
    server.onDown(() => world.after(world.dice("restart").between(0, 500_000), () => start(server)));
    client.onDown(() => world.after(1_000, () => start(client)));
    start(client);
    start(server);
    world.startFaults();
    for (let round = 0; round < roundsMax; round++) {
      if (round === roundsMax / 2) world.stopFaults();
      await session.ask();
    }
    world.stopFaults();
    world.story(`highest answer ${session.highest}`);
  },
};

function start(machine: Machine): void {
  if (machine.up) return;
  const env = machine.boot();
  if (machine.name === "server") void machine.run(() => new ToyServer(env).listen());
}

/** As durable as its disk: writes a new file, syncs it, renames it over the old one. */
export class ToyServer {
  readonly #env: Env;
  #count = 0;

  constructor(env: Env) {
    this.#env = env;
  }

  async listen(): Promise<void> {
    const { network, clock } = this.#env;
    while (!this.#load()) await new Promise<void>((resolve) => clock.after(1_000, resolve));
    network.listen(
      { host: "0.0.0.0", port },
      {
        onListening: () => {},
        onConnection: (connection) => this.#serve(connection),
        onError: (error) => {
          throw error;
        },
      },
    );
  }

  #serve(connection: Connection): ConnectionHandler {
    return {
      onOpen: () => {},
      onData: (bytes) => {
        for (let i = 0; i < bytes.length; i++) this.#answer(connection);
      },
      onEnd: () => connection.end(),
      onDrain: () => {},
      onClose: () => {},
    };
  }

  #answer(connection: Connection): void {
    const count = ++this.#count;
    this.#env.jobs.run({ kind: "toy", count } as Job, (error) => {
      if (error !== null) return;
      this.#store(count, () => {
        const reply = new Uint8Array(4);
        new DataView(reply.buffer).setUint32(0, count);
        connection.write(reply);
      });
    });
  }

  #load(): boolean {
    const { disk } = this.#env;
    try {
      if (disk.kind("/count") === null) return true;
      const file = disk.open("/count", "read");
      const bytes = new Uint8Array(4);
      let at = 0;
      while (at < 4) at += file.read(at, bytes, at, 4);
      file.close();
      this.#count = new DataView(bytes.buffer).getUint32(0);
      return true;
    } catch (error) {
      if (error instanceof DiskError) return false;
      throw error;
    }
  }

  #store(count: number, stored: () => void): void {
    const { disk, random } = this.#env;
    const path = `/count-${random.u32("toy", count, 0)}.tmp`;
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, count);
    try {
      const file = disk.open(path, "create");
      writeAll(file, bytes);
      file.sync((error) => {
        file.close();
        if (error === null) this.#publish(disk, path, stored);
      });
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
    }
  }

  #publish(disk: Disk, path: string, stored: () => void): void {
    try {
      disk.rename(path, "/count");
      disk.syncDir("/", (error) => {
        if (error === null) stored();
      });
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
    }
  }
}

function writeAll(file: DiskFile, bytes: Uint8Array): void {
  let at = 0;
  while (at < bytes.length) at += file.write(at, bytes, at, bytes.length);
}

/** Asks again and again over a connection that it makes anew whenever it breaks. */
class ToyClient {
  readonly #world: World;
  readonly #machine: Machine;
  highest = 0;

  constructor(world: World, machine: Machine) {
    this.#world = world;
    this.#machine = machine;
  }

  async ask(): Promise<void> {
    const outcome = await this.#machine.run((env) => this.#request(env));
    if (outcome.kind === "failed") throw outcome.error;
    if (outcome.kind === "crashed" || outcome.value === 0) {
      await this.#world.sleep(50);
      return;
    }
    // A number may be burnt or given twice by a crash before its reply, but never go below what was answered.
    if (outcome.value < this.highest) {
      this.#world.fail("toy-counter", `answered ${outcome.value} after ${this.highest}`);
    }
    this.highest = outcome.value;
  }

  /** The answer, or 0 when there was none in time. */
  #request(env: Env): Promise<number> {
    return new Promise((resolve) => {
      const reply: number[] = [];
      const connection = env.network.connect(
        { host: "server", port },
        {
          onOpen: () => connection.write(Uint8Array.of(1)),
          onData: (bytes) => {
            reply.push(...bytes);
            if (reply.length < 4) return;
            connection.end();
            resolve(new DataView(Uint8Array.from(reply).buffer).getUint32(0));
          },
          onEnd: () => connection.end(),
          onDrain: () => {},
          onClose: () => resolve(0),
        },
      );
      env.clock.after(requestTimeoutMs * 1_000, () => connection.destroy());
    });
  }
}

/** A job that steps a few times, and touches the disk in each step. */
export function startToyJob(disk: Disk, job: Job): JobMachine {
  return new ToyJob(disk, job);
}

class ToyJob implements JobMachine {
  readonly #disk: Disk;
  readonly #job: Job;
  #steps = 0;
  result: JobResult | null = null;

  constructor(disk: Disk, job: Job) {
    this.#disk = disk;
    this.#job = job;
  }

  step(): "more" | "done" {
    this.#disk.kind("/count");
    if (++this.#steps < 3) return "more";
    this.result = { kind: this.#job.kind };
    return "done";
  }
}
