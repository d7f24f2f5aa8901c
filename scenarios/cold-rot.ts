import { NokvError } from "../core/errors.ts";
import { frameHeaderBytes } from "../core/wal/frame.ts";
import type { ClusterClient } from "../node/cluster-client.ts";
import { type CoordinatorNode, openCoordinatorNode } from "../node/coordinator-node.ts";
import { damageNoteName } from "../node/damage-note.ts";
import { openClusterClient } from "../node/open-cluster-client.ts";
import { type StoreNode, openStoreNode } from "../node/store-node.ts";
import type { AtRestDamage } from "../sim/disk/disk-faults.ts";
import { networkFaultsNone } from "../sim/network/network-faults.ts";
import type { Scenario } from "../sim/scenario.ts";
import type { World } from "../sim/world.ts";
import { ClusterJudge } from "./cluster-judge.ts";
import { rotKinds, StoreRemoval, vouchedBytes } from "./cluster-rot.ts";
import { NodeSeat, type SeatStage } from "./cluster-seat.ts";
import { type ColdPlan, coldReplicas, coldTargets, drawColdPlan } from "./cold-rot-plan.ts";
import { lossPlace, lossPort } from "./store-loss-plan.ts";

const patienceMs = 60_000;
/** Beyond the time of a pass: every slice waits at least a millisecond, and passes through a job. */
const slackMs = 5_000;
const raftOf = { tickUs: 100_000 } as const;

export const coldRot: Scenario = {
  name: "cold-rot",
  why: "What rots in a store that nobody reads is found within a pass over it, and the store's data is whole again.",
  weight: 1,
  reaches: [...new Set(coldTargets.map(({ found }) => found))],
  run: (world) => new ColdRun(world, drawColdPlan(world)).run(),
};

interface ClientNode {
  readonly client: ClusterClient;
  close(): Promise<void>;
}

/** Three stores are filled and left alone; one of them rots in one place, and is replaced. */
class ColdRun {
  readonly #world: World;
  readonly #plan: ColdPlan;
  readonly #stage: SeatStage;
  readonly #coordinator: NodeSeat<CoordinatorNode>;
  readonly #stores: NodeSeat<StoreNode>[];
  readonly #clients: NodeSeat<ClientNode>;
  readonly #judge: ClusterJudge;
  readonly #values = new Map<string, Uint8Array>();

  constructor(world: World, plan: ColdPlan) {
    this.#world = world;
    this.#plan = plan;
    this.#stage = { world, closing: false, calm: true };
    Object.assign(world.network.faults, networkFaultsNone);
    this.#coordinator = this.#seatCoordinator();
    this.#stores = plan.topology.stores.map(({ storeId }) => this.#seatStore(storeId));
    this.#clients = new NodeSeat(this.#stage, "client", 0, (env) => {
      const { topology, electionMs } = plan;
      const limits = { attemptMs: electionMs / 8, operationMs: electionMs * 4 };
      const client = openClusterClient(env, { topology, client: limits });
      return Promise.resolve({ client, close: () => Promise.resolve(client.close()) });
    });
    this.#judge = new ClusterJudge(world, this.#stores);
    const { victim, keys, scrub, stormMs, restMs, engine } = plan;
    world.story(JSON.stringify({ victim, keys, scrub, stormMs, restMs, engine }));
  }

  async run(): Promise<void> {
    const world = this.#world;
    const seats: NodeSeat<{ close(): Promise<void> }>[] = [this.#coordinator, ...this.#stores, this.#clients];
    const running = seats.map((seat) => seat.keepRunning());
    await this.#until("the cluster begins", () => this.#judge.upToDate());
    await this.#fill();
    if (this.#plan.stormMs > 0) await this.#storm();
    await this.#until("every replica is up to date", () => this.#judge.upToDate());
    await world.sleep(this.#plan.restMs);
    this.#look();
    if (world.options.faultFree) await this.#passBy();
    else await this.#replace(seats, running);
    await this.#judge.compare();
    for (const key of this.#values.keys()) await this.#read(key);
    this.#stage.closing = true;
    for (const seat of seats) seat.stop();
    await Promise.all(running);
  }

  /** Passes begin and end, and find nothing. */
  async #passBy(): Promise<void> {
    const before = this.#stores.map(({ node }) => node?.scrubbed.passes ?? 0);
    await this.#world.sleep(2 * this.#boundMs);
    this.#look();
    for (const [at, { node, machine }] of this.#stores.entries()) {
      const passes = (node?.scrubbed.passes ?? 0) - (before[at] ?? 0);
      if (passes < 2) this.#world.fail("scrub", `${machine.name} ended ${passes} passes in the time of more than two`);
    }
  }

  /** One place rots; its store is taken out, and another one takes its place. */
  async #replace(seats: NodeSeat<{ close(): Promise<void> }>[], running: Promise<void>[]): Promise<void> {
    await this.#find(this.#rot());
    const newcomer = this.#seatStore(coldReplicas + 1);
    seats.push(newcomer);
    this.#stores.push(newcomer);
    running.push(newcomer.keepRunning());
    const removal = new StoreRemoval([this.#coordinator], this.#plan.victim, coldReplicas);
    await this.#until("the damaged store is replaced", () => removal.isDone(), () => removal.left());
    const victim = this.#seat(this.#plan.victim);
    this.#stores.splice(this.#stores.indexOf(victim), 1);
    await this.#until("every replica is up to date", () => this.#judge.upToDate());
  }

  /** Within which whatever a pass knows is read again. */
  get #boundMs(): number {
    const { passMs } = this.#plan.scrub;
    return passMs + Math.floor(passMs / 4) + slackMs;
  }

  /** Each key has one value, so that it may be written as often as it takes. */
  async #fill(): Promise<void> {
    const { keys, valueBytesMax } = this.#plan;
    const dice = this.#world.dice("values");
    for (let i = 0; i < keys; i++) {
      const value = Uint8Array.from({ length: dice.between(1, valueBytesMax) }, () => dice.below(256));
      const key = `k${dice.between(0, 3)}/${i}`;
      this.#values.set(key, value);
      await this.#write(key, value);
    }
  }

  /** The victim's process and disk fail in every way but by rot, while what it has read is merged away. */
  async #storm(): Promise<void> {
    const world = this.#world;
    const { machine } = this.#seat(this.#plan.victim);
    this.#stage.calm = false;
    world.startFaults(machine);
    const { eioRead } = machine.disk.faults;
    machine.disk.faults.eioRead = Math.max(eioRead, this.#plan.eioRead);
    const untilUs = world.nowUs + this.#plan.stormMs * 1_000;
    const dice = world.dice("storm");
    while (world.nowUs < untilUs) {
      const [key, value] = dice.pick([...this.#values]);
      await this.#write(key, value);
      await world.sleep(dice.skewed(1, 500));
    }
    machine.disk.faults.eioRead = eioRead;
    world.stopFaults();
    Object.assign(world.network.faults, networkFaultsNone);
    this.#stage.calm = true;
  }

  #rot(): AtRestDamage {
    const dice = this.#world.dice("rot");
    const { disk, name } = this.#seat(this.#plan.victim).machine;
    this.#seat(this.#plan.victim).rots = true;
    let target = dice.pick(coldTargets).file;
    for (let attempt = 1; attempt < 1_000; attempt++) {
      // There may be none, or nothing in it that is vouched for.
      if (attempt % 50 === 0) target = dice.pick(coldTargets).file;
      const found = disk.corruptAtRest(dice.pick(rotKinds), (path, offset, length) => {
        if (!target.test(path)) return false;
        return !/\.log$|MANIFEST/.test(path) || offset + length <= vouchedBytes(disk, path);
      });
      if (found === null) continue;
      const { kind, path, offset, length } = found;
      this.#world.story(`${name}: ${kind} in ${path} at ${offset}, ${length} bytes`);
      return found;
    }
    return this.#world.fail("exception", "a store holds nothing that could rot");
  }

  /** Nobody reads it but the scrubber. */
  async #find({ path, offset, length }: AtRestDamage): Promise<void> {
    const world = this.#world;
    const boundMs = this.#boundMs;
    const victim = this.#seat(this.#plan.victim);
    const beganUs = world.nowUs;
    victim.metDamage = () => void (victim.held = true);
    while (this.#note() === "") {
      if (world.nowUs - beganUs > boundMs * 1_000) {
        const { passes = 0, passDoneBytes = 0, passBytes = 0 } = victim.node?.scrubbed ?? {};
        const stands = `${passes} passes have ended, and ${passDoneBytes} of ${passBytes} bytes were read in this one`;
        world.fail("scrub", `${boundMs} ms after ${path} rotted at ${offset} nobody has found it: ${stands}`);
      }
      await world.sleep(50);
    }
    world.story(`found after ${Math.floor((world.nowUs - beganUs) / 1_000)} ms of ${boundMs}`);
    const said = Number(/: offset (\d+):/.exec(this.#note())?.[1] ?? -1);
    // A stale sector may bring back a witness that stood where a frame was written later: as good as any, to its end.
    const isThere = this.#note().startsWith(`${path}: offset `) && said < offset + length + frameHeaderBytes;
    if (!isThere) world.fail("scrub", `${path} rotted at ${offset}, and the note says: ${this.#note()}`);
    for (const { found, file } of coldTargets) if (file.test(path)) world.reach(found);
  }

  /** "": there is none. */
  #note(): string {
    const found = this.#seat(this.#plan.victim).machine.disk.inspect(`/data/${damageNoteName}`);
    return found?.entryDurable === true ? new TextDecoder().decode(found.durable) : "";
  }

  #look(): void {
    this.#judge.look();
    for (const { machine, rots } of this.#stores) {
      const isNoted = machine.disk.inspect(`/data/${damageNoteName}`) !== null;
      if (isNoted && !rots) this.#world.fail("scrub", `${machine.name} has noted damage, and nothing of it rotted`);
    }
  }

  async #write(key: string, value: Uint8Array): Promise<void> {
    await this.#served(`${key} is written`, (client, timeoutMs) => client.set(key, value, { timeoutMs }));
  }

  async #read(key: string): Promise<void> {
    let found: Uint8Array | null = null;
    await this.#served(`${key} is read`, async (client, timeoutMs) => {
      found = await client.get(key, { timeoutMs });
    });
    const is = String(found);
    if (is !== String(this.#values.get(key))) this.#world.fail("content", `${key} is ${is}`);
  }

  async #served(what: string, run: (client: ClusterClient, timeoutMs: number) => Promise<void>): Promise<void> {
    const timeoutMs = this.#plan.electionMs * 4;
    let isDone = false;
    for (let attempt = 0; !isDone; attempt++) {
      if (attempt > 30) this.#world.fail("liveness", `it takes too long until ${what}`);
      await this.#clients.work(async ({ client }) => {
        try {
          await run(client, timeoutMs);
          isDone = true;
        } catch (error) {
          if (!(error instanceof NokvError)) throw error;
        }
      });
      if (!isDone) await this.#world.sleep(200);
    }
  }

  // oxlint-disable-next-line max-params
  async #until(what: string, holds: () => boolean, why = (): string => ""): Promise<void> {
    const world = this.#world;
    const untilUs = world.nowUs + patienceMs * 1_000;
    while (!holds()) {
      if (world.nowUs > untilUs) {
        world.fail("liveness", `it takes too long until ${what} ${why()}\n${this.#judge.standing()}`);
      }
      await world.sleep(100);
      this.#look();
    }
  }

  #seat(storeId: number): NodeSeat<StoreNode> {
    const seat = this.#stores.find((each) => each.storeId === storeId);
    if (seat === undefined) throw new Error(`there is no store ${storeId}`);
    return seat;
  }

  #seatCoordinator(): NodeSeat<CoordinatorNode> {
    const { topology, coordinator } = this.#plan;
    const { clusterId, regions } = topology;
    return new NodeSeat(this.#stage, "coordinator", 0, (env, onFatal) =>
      openCoordinatorNode(env, {
        workDir: "/data", listen: { host: "0.0.0.0", port: lossPort }, clusterId,
        firstRegions: regions.map(({ region }) => region), replicas: coldReplicas, owner: "sim", diagnostics: null,
        coordinator, onFatal,
      }),
    );
  }

  #seatStore(storeId: number): NodeSeat<StoreNode> {
    const { topology, engine, scrub } = this.#plan;
    const name = `store-${storeId}`;
    const { workDir, address } = lossPlace(name);
    return new NodeSeat(this.#stage, name, storeId, (env, onFatal) =>
      openStoreNode(env, {
        storeId, topology, workDir, listen: { host: "0.0.0.0", port: lossPort }, address, diagnostics: null,
        engine, scrub, store: raftOf, heartbeatMs: 500, onFatal,
      }),
    );
  }
}
