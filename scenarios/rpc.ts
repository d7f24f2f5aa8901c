import type { Env } from "../core/env/env.ts";
import { netOptions } from "../net/rpc/options.ts";
import { messageClass } from "../net/rpc/wire.ts";
import type { Dice } from "../sim/dice.ts";
import type { Machine } from "../sim/machine.ts";
import type { Scenario } from "../sim/scenario.ts";
import type { World } from "../sim/world.ts";
import { RpcLedger } from "./rpc-ledger.ts";
import { RpcNode, type RpcStage } from "./rpc-node.ts";
import { drawRpcSizes } from "./rpc-sizes.ts";
import { StreamLedger } from "./rpc-streams.ts";

const faultsMsMax = 25_000;
/** What was under way when the faults stopped has so long to come to its end. */
const settleMsMax = 400_000;
/** Then every store has so long to reach every other one. */
const probeMsMax = 120_000;
const checkMs = 200;
/** A dead process is late by this much. */
const lateUs = 4_000_000;

export const rpc: Scenario = {
  name: "rpc",
  why: "A call between nodes ends once, in time and truthfully, and nothing arrives changed, twice or out of order.",
  weight: 2,
  run: (world) => new RpcRun(world).run(),
};

const vacant = { node: null, stop: null, held: null, hold: null, haste: false };

interface Seat {
  readonly machine: Machine;
  readonly storeId: number;
  readonly stranger: boolean;
  /** Null while nothing runs there. */
  node: RpcNode | null;
  stop: (() => void) | null;
  /** While it is set, no process is started there. */
  held: Promise<void> | null;
  hold: (() => void) | null;
  /** The next process comes at once. */
  haste: boolean;
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
    if (corrupt) world.network.faults.corrupt = this.#dice.skewed(20, 200_000);
    await world.sleep(this.#dice.skewed(1_000, faultsMsMax));
    this.#stage.quiet = true;
    this.#stage.resolverFails = false;
    world.stopFaults();
    await this.#settle();
    await this.#probe();
    await this.#overtake();
    await this.#overflow();
    await this.#late();
    await this.#silence();
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
    this.#seats.push({ machine: this.#world.machine(name), storeId, stranger, ...vacant });
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
      if (!this.#closing && !seat.haste) await this.#world.sleep(this.#dice.skewed(1, 2_000));
      if (seat.held !== null) await seat.held;
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
    const stops = this.#dice.chance(1, 5) && !this.#world.options.faultFree;
    if (stops) env.clock.after(this.#dice.skewed(10_000, 30_000_000), () => this.#mayStop(seat));
    // The run may have ended while this process came up.
    if (!this.#closing) await ended;
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
    const { control, append } = messageClass;
    const { appendBytesMax, writeBytes } = netOptions(this.#stage.sizes.options);
    const sizeBytes = Math.min(150, this.#stage.sizes.payloadBytesMax);
    const fits = Math.floor(appendBytesMax / (sizeBytes + 60));
    const count = Math.min(fits, 20 + Math.ceil((2 * writeBytes) / sizeBytes), 600);
    for (let i = 0; i < count; i++) sender.message(to.storeId, append, sizeBytes);
    const newest = { to: to.storeId, cls: control, region: 1, type: 300, sizeBytes: 1 };
    const first = sender.tell(newest);
    const last = sender.tell(newest);
    const call = sender.call(to.storeId, "echo", 10 * this.#stage.sizes.calmMs, () => {});
    await this.#world.sleep(4 * this.#stage.sizes.calmMs + 2_000);
    if (sender !== from.node || receiver !== to.node) return;
    if (sender.unreachable !== lost) this.#world.fail("calm", "a connection broke, and nothing is wrong");
    const at = log.findIndex(({ cls, sequence }) => cls === control && sequence === last);
    if (at < 0) this.#world.fail("messages", `control message ${last} was lost, and nobody was told`);
    if (log.some(({ cls, sequence }) => cls === control && sequence === first)) {
      this.#world.fail("messages", `control message ${first} was sent although ${last} replaces it`);
    }
    // All were queued in one turn, before anything could leave.
    if (at > 0) this.#world.fail("priority", `control message ${last} came behind ${at} others`);
    const appends = log.filter(({ cls }) => cls === append).length;
    if (appends < count) this.#world.fail("messages", `${count - appends} appends were lost in silence`);
    const served = log.findIndex(({ cls, sequence }) => cls === messageClass.client && sequence === call.token);
    const hasWaited = served < 0 || log.slice(served).every(({ cls }) => cls !== append);
    if (count >= 20 && sizeBytes >= 100 && hasWaited) {
      this.#world.fail("priority", `a client's request waited for all of ${count} appends`);
    }
  }

  /** What a process has left on its way arrives after its successor has come: nobody may take it. */
  async #late(): Promise<void> {
    const world = this.#world;
    const [from, to] = this.#seats;
    const first = from?.node ?? null;
    if (world.options.faultFree || from === undefined || to === undefined || first === null) return;
    from.haste = true;
    // On half of the seeds it is the very first words of a connection that are late.
    if (this.#dice.chance(1, 2)) await this.#succeed(from, first);
    const sender = from.node;
    if (sender === null) return;
    const link = world.network.link(from.machine.name, to.machine.name);
    sender.message(to.storeId, messageClass.append, 10);
    await world.sleep(this.#dice.skewed(1, 2 * this.#stage.sizes.calmMs));
    link.slow(lateUs);
    for (let i = 0; i < 3; i++) sender.message(to.storeId, messageClass.append, 10);
    await world.sleep(this.#dice.skewed(1, 2 * this.#stage.sizes.calmMs));
    await this.#succeed(from, sender, () => link.slow(0));
    const successor = from.node;
    if (successor === null) return;
    const answers = await this.#try(from, to.storeId);
    const lost = successor.unreachable;
    successor.message(to.storeId, messageClass.append, 10);
    await world.sleep(2 * (lateUs / 1_000));
    if (answers === "response" && successor === from.node && successor.unreachable !== lost) {
      world.fail("calm", "a connection broke, and nothing is wrong but that a dead process is late");
    }
  }

  /** The process at `seat` dies, and another one is there. */
  async #succeed(seat: Seat, old: RpcNode, between: () => void = () => {}): Promise<void> {
    if (seat.node === old) seat.machine.crash("process");
    between();
    for (let i = 0; i < 1_000 && (seat.node === null || seat.node === old); i++) await this.#world.sleep(1);
  }

  /** Whoever sends more than there is room for is told, and no more is kept. */
  async #overflow(): Promise<void> {
    const [from, to] = this.#seats;
    const sender = from?.node ?? null;
    if (to === undefined || sender === null || !sender.transport.isConnected(to.storeId)) return;
    const { appendBytesMax } = netOptions(this.#stage.sizes.options);
    const sizeBytes = Math.min(150, this.#stage.sizes.payloadBytesMax);
    const count = Math.ceil((2 * appendBytesMax) / sizeBytes);
    if (count > 1_000) return;
    const before = sender.unreachable;
    for (let i = 0; i < count; i++) sender.message(to.storeId, messageClass.append, sizeBytes);
    sender.checkBounds();
    await this.#world.sleep(checkMs);
    if (sender === from?.node && sender.unreachable === before) {
      this.#world.fail("messages", `${count} appends were more than there is room for, and nobody was told`);
    }
  }

  /** A machine that lost its power says nothing: the others find out by themselves. */
  async #silence(): Promise<void> {
    const world = this.#world;
    const victim = this.#seats[1];
    const witness = this.#seats[0];
    const node = witness?.node ?? null;
    if (world.options.faultFree || victim === undefined || node === null) return;
    if (!node.transport.isConnected(victim.storeId)) return;
    world.network.faults.halfOpen = true;
    const before = node.unreachable;
    const powerless = new Promise<void>((resolve) => {
      victim.hold = resolve;
    });
    victim.held = powerless;
    victim.machine.crash("power");
    const { pingMs, silenceMs } = netOptions(this.#stage.sizes.options);
    await world.sleep(2 * silenceMs + 2 * pingMs);
    if (node === witness?.node) {
      if (node.transport.isConnected(victim.storeId)) {
        world.fail("liveness", `store ${victim.storeId} has no power, and ${witness.machine.name} does not notice`);
      }
      if (node.unreachable === before) world.fail("messages", "a store was lost, and nobody was told");
      const others = this.#seats.filter((seat) => seat !== victim && seat !== witness).length;
      const { connections } = node.transport.state();
      if (connections > 2 * others) {
        world.fail("leaks", `${connections} connections from ${others} stores besides the one without power`);
      }
    }
    victim.held = null;
    victim.hold?.();
  }
}
