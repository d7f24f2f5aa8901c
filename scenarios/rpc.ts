import type { Env } from "../core/env/env.ts";
import { messageClass } from "../net/rpc/wire.ts";
import type { Dice } from "../sim/dice.ts";
import type { Machine } from "../sim/machine.ts";
import type { Scenario } from "../sim/scenario.ts";
import type { World } from "../sim/world.ts";
import { RpcLedger } from "./rpc-ledger.ts";
import { RpcNode, type RpcStage } from "./rpc-node.ts";
import { drawRpcSizes } from "./rpc-sizes.ts";
import { StreamLedger } from "./rpc-streams.ts";

const faultsMsMax = 60_000;
/** What was under way when the faults stopped has so long to come to its end. */
const settleMsMax = 400_000;
/** Then every store has so long to reach every other one. */
const probeMsMax = 120_000;
const checkMs = 200;

export const rpc: Scenario = {
  name: "rpc",
  why: "A call between nodes ends once, in time and truthfully, and nothing arrives changed, twice or out of order.",
  weight: 2,
  run: (world) => new RpcRun(world).run(),
};

interface Seat {
  readonly machine: Machine;
  readonly storeId: number;
  readonly stranger: boolean;
  /** Null while nothing runs there. */
  node: RpcNode | null;
  stop: (() => void) | null;
}

class RpcRun {
  readonly #world: World;
  readonly #dice: Dice;
  readonly #stage: RpcStage;
  readonly #seats: Seat[] = [];
  #closing = false;

  constructor(world: World) {
    this.#world = world;
    this.#dice = world.dice("rpc");
    const stores = this.#dice.between(2, 4);
    this.#stage = {
      world,
      sizes: drawRpcSizes(world),
      stores,
      calls: new RpcLedger(world),
      streams: new StreamLedger(world),
      resolverFails: false,
      quiet: false,
    };
    for (let storeId = 1; storeId <= stores; storeId++) this.#seat(`store-${storeId}`, storeId, false);
    if (this.#dice.chance(1, 4)) this.#seat("stranger", stores + 1, true);
    world.story(`${stores} stores; ${JSON.stringify(this.#stage.sizes)}`);
  }

  async run(): Promise<void> {
    const world = this.#world;
    const running = Promise.all(this.#seats.map((seat) => this.#keepRunning(seat)));
    await world.sleep(this.#dice.skewed(1, 500));
    const corrupt = this.#dice.chance(1, 3) && !world.options.faultFree;
    world.startFaults();
    this.#stage.resolverFails = !world.options.faultFree && this.#dice.chance(1, 2);
    if (corrupt) world.network.faults.corrupt = this.#dice.skewed(20, 20_000);
    await world.sleep(this.#dice.skewed(1_000, faultsMsMax));
    this.#stage.quiet = true;
    this.#stage.resolverFails = false;
    world.stopFaults();
    await this.#settle();
    await this.#probe();
    await this.#overtake();
    for (const { node } of this.#seats) node?.checkIdle();
    const { calls, streams } = this.#stage;
    world.story(`${calls.summary()}; ${streams.completed} streams`);
    this.#closing = true;
    for (const { stop } of this.#seats) stop?.();
    await running;
    await world.sleep(checkMs);
    if (calls.open > 0) world.fail("leaks", `calls without an outcome: ${calls.openNames()}`);
  }

  #seat(name: string, storeId: number, stranger: boolean): void {
    this.#seats.push({ machine: this.#world.machine(name), storeId, stranger, node: null, stop: null });
  }

  /** One process after the other, until the run ends. */
  async #keepRunning(seat: Seat): Promise<void> {
    while (!this.#closing) {
      const outcome = await seat.machine.run((env) => this.#live(seat, env));
      seat.node?.dead();
      seat.node = null;
      seat.stop = null;
      if (outcome.kind === "failed") throw outcome.error;
      seat.machine.crash("process");
      if (!this.#closing) await this.#world.sleep(this.#dice.skewed(1, 2_000));
    }
  }

  async #live(seat: Seat, env: Env): Promise<void> {
    const { machine, storeId, stranger } = seat;
    const parts = { env, name: machine.name, storeId, incarnation: machine.incarnation, stranger };
    const node = new RpcNode(this.#stage, parts);
    seat.node = node;
    const ended = new Promise<void>((resolve) => {
      seat.stop = resolve;
    });
    await node.listen();
    node.act();
    // Some processes end in order: what they still wait for fails, and they hear of it.
    if (this.#dice.chance(1, 5)) env.clock.after(this.#dice.skewed(10_000, 30_000_000), () => this.#mayStop(seat));
    await ended;
    node.transport.close();
    await new Promise<void>((resolve) => void env.clock.after(10_000, resolve));
    node.checkBounds();
  }

  #mayStop(seat: Seat): void {
    if (!this.#stage.quiet) seat.stop?.();
  }

  /** Nothing new is begun and nothing is wrong: everything comes to its end. */
  async #settle(): Promise<void> {
    const world = this.#world;
    const { calls, streams } = this.#stage;
    const untilUs = world.nowUs + settleMsMax * 1_000;
    while (calls.open > 0 || streams.open > 0) {
      if (world.nowUs > untilUs) {
        const what = calls.open > 0 ? calls.openNames() : `${streams.open} streams`;
        world.fail("leaks", `no end after the faults: ${what}`);
      }
      await world.sleep(checkMs);
      for (const { node } of this.#seats) node?.checkBounds();
    }
  }

  /** Every store reaches every other one. */
  async #probe(): Promise<void> {
    const world = this.#world;
    const untilUs = world.nowUs + probeMsMax * 1_000;
    for (const seat of this.#seats) {
      for (let to = 1; to <= this.#stage.stores; to++) {
        if (to === seat.storeId || seat.stranger) continue;
        let last = "";
        while (last !== "response") {
          if (world.nowUs > untilUs) world.fail("liveness", `${seat.machine.name} to store ${to}: ${last}`);
          last = await this.#try(seat, to);
        }
      }
    }
  }

  async #try(seat: Seat, to: number): Promise<string> {
    const timeoutMs = 10 * this.#stage.sizes.calmMs;
    const { node } = seat;
    if (node === null) {
      await this.#world.sleep(checkMs);
      return "not running";
    }
    const answered = new Promise<string>((resolve) => {
      node.call(to, "echo", timeoutMs, (record) => resolve(record.outcome ?? ""));
    });
    const outcome = await Promise.race([answered, this.#world.sleep(2 * timeoutMs).then(() => "silence")]);
    if (outcome !== "response") await this.#world.sleep(checkMs);
    return outcome;
  }

  /** A control message overtakes what waits of appends; a client's request gets through before their end. */
  async #overtake(): Promise<void> {
    const [from, to] = this.#seats;
    const sender = from?.node ?? null;
    const receiver = to?.node ?? null;
    if (from === undefined || to === undefined || sender === null || receiver === null) return;
    if (!sender.transport.isConnected(to.storeId)) return;
    const lost = sender.unreachable;
    receiver.judge.log = [];
    const log = receiver.judge.log;
    const { writeBytes = 0, appendBytesMax = 0 } = this.#stage.sizes.options;
    const sizeBytes = Math.min(150, this.#stage.sizes.payloadBytesMax);
    const fits = Math.floor(appendBytesMax / (sizeBytes + 60));
    const count = Math.min(fits, 4 + Math.ceil((2 * writeBytes) / sizeBytes), 400);
    for (let i = 0; i < count; i++) sender.message(to.storeId, messageClass.append, sizeBytes);
    const last = sender.message(to.storeId, messageClass.control, 1);
    await this.#world.sleep(4 * this.#stage.sizes.calmMs + 2_000);
    if (sender !== from.node || receiver !== to.node || sender.unreachable !== lost) return;
    const at = log.findIndex(({ sequence }) => sequence === last);
    if (at < 0) this.#world.fail("messages", `control message ${last} was lost, and nobody was told`);
    // All were queued in one turn, before anything could leave.
    if (at > 0) this.#world.fail("priority", `control message ${last} came behind ${at} appends`);
    if (log.length - 1 < count) this.#world.fail("messages", `${count - log.length + 1} appends were lost in silence`);
  }
}
