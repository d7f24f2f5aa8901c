/** Three Coordinators of one group in a simulated world, and a caller who asks them over the network. */
import type { RangeReply } from "../coordinator/allocators.ts";
import type { CoordinatorError } from "../coordinator/coordinator-error.ts";
import type { RaftJournalLimits } from "../coordinator/raft-journal-options.ts";
import { CoordinatorClient } from "../coordinator/service/client.ts";
import { coordinatorIdOf, memberIdOf } from "../coordinator/service/methods.ts";
import type { Env } from "../core/env/env.ts";
import type { NokvError } from "../core/errors.ts";
import { startJob } from "../core/lsm/job-starter.ts";
import { Transport } from "../net/rpc/transport.ts";
import type { RegionMeta } from "../raft/region.ts";
import { inSimulation } from "../sim/in-simulation.test-support.ts";
import type { World } from "../sim/world.ts";
import { Seat } from "./cluster.test-support.ts";
import { type CoordinatorNode, openCoordinatorNode } from "./coordinator-node.ts";

export const memberIds = [1, 2, 3];
export const firstKey = new Uint8Array(0);
export const firstRegion: RegionMeta = {
  id: 1, start: firstKey, end: firstKey, epoch: { version: 1, confVer: 1 },
  peers: [{ peerId: 11, storeId: 1, role: "voter" }],
};

export class TestGroup {
  readonly world: World;
  readonly seats: readonly Seat<CoordinatorNode>[];
  readonly fatal: NokvError[] = [];

  constructor(world: World, limits: Partial<RaftJournalLimits> = {}) {
    this.world = world;
    const members = memberIds.map((memberId) => {
      return { memberId, address: { host: `coordinator-${memberId}`, port: 2379 } };
    });
    this.seats = members.map(({ memberId, address }) => {
      return new Seat(world.machine(`coordinator-${memberId}`), (env) =>
        openCoordinatorNode(env, {
          workDir: "/data", listen: address, clusterId: "test", firstRegions: [firstRegion], owner: "test",
          diagnostics: null, group: { memberId, members, limits }, onFatal: (error) => void this.fatal.push(error),
        }),
      );
    });
  }

  seat(memberId: number): Seat<CoordinatorNode> {
    const seat = this.seats[memberId - 1];
    if (seat === undefined) throw new Error(`there is no member ${memberId}`);
    return seat;
  }

  async start(): Promise<void> {
    await Promise.all(this.seats.map((seat) => seat.start()));
  }

  /** The member that leads, as far as it knows. */
  get leader(): number {
    const at = this.seats.findIndex((seat) => seat.up && seat.node.journal.status.role === "leader");
    return at + 1;
  }

  async until(what: string, holds: () => boolean): Promise<void> {
    for (let waitedMs = 0; !holds(); waitedMs += 20) {
      if (waitedMs > 30_000) throw new Error(`it takes too long until ${what}`);
      await this.world.sleep(20);
    }
  }

  /** Asks from a machine of its own: whoever of `members` answers. */
  async ask<T>(run: (client: CoordinatorClient, env: Env) => Promise<T>, members = memberIds): Promise<T> {
    const machine = this.world.machine("caller");
    let result: T | null = null;
    const outcome = await machine.run(async (env) => {
      const transport = new Transport(env, {
        identity: { clusterId: "test", storeId: 0, incarnation: machine.incarnation, role: "gateway", features: 0 },
        options: {},
        resolve: (id, done) => done({ host: `coordinator-${memberIdOf(id)}`, port: 2379 }),
        hooks: { onMessage: () => {}, onUnreachable: () => {} },
        streams: null,
      });
      const client = new CoordinatorClient(env.clock, transport, members.map(coordinatorIdOf));
      result = await run(client, env);
      client.close();
      transport.close();
    });
    machine.crash("process");
    if (outcome.kind === "failed") throw outcome.error;
    return result as T;
  }
}

type Ask<T> = (done: (error: CoordinatorError | null, value: T | null) => void) => void;

/** The value, or the code of the error. */
export function ended<T>(ask: Ask<T>): Promise<T | string> {
  return new Promise((resolve) => {
    ask((error, value) => resolve(error?.code ?? (value as T)));
  });
}

/** The first of the numbers, or the code of the error. */
export function numbers(ask: (done: RangeReply) => void): Promise<number | string> {
  return new Promise((resolve) => {
    ask((error, range) => resolve(range?.first ?? error?.code ?? "nothing"));
  });
}

export function simulated(seed: number, run: (world: World) => Promise<void>): Promise<unknown> {
  return inSimulation({ seed, run, startJob });
}
