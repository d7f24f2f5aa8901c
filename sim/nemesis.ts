import { assert } from "../core/assert.ts";
import { failpoints } from "../failpoints/catalog.ts";
import { Dice } from "./dice.ts";
import { type AtRestKind, type DiskFaults, type MayCorrupt, diskFaultsNone } from "./disk/disk-faults.ts";
import type { EventLoop } from "./event-loop.ts";
import type { Machine, MachineWatcher } from "./machine.ts";
import type { NetworkFaults } from "./network/network-faults.ts";
import { networkFaultsNone } from "./network/network-faults.ts";
import type { SimNetwork } from "./network/sim-network.ts";
import type { RunRecord } from "./run-record.ts";
import type { SwarmOptions } from "./swarm.ts";

export interface NemesisParts {
  readonly options: SwarmOptions;
  readonly loop: EventLoop;
  readonly record: RunRecord;
  readonly network: SimNetwork;
  readonly machines: () => readonly Machine[];
}

const perMillion = 1_000_000;

/** A crash after a sync comes within so many calls. */
const afterSyncCallsMax = 8;
/** Each plan acts so often at most, drawn per machine: what never ends would starve every scenario. */
const actsMin = 4;
const actsMax = 400;
/** A disk that fills up has at most this much room left. */
const fullRoomBytesMax = 65_536;

const atRestKinds: readonly AtRestKind[] = ["bit-rot", "misdirected-write", "stale-sector"];

const tablesOnly: MayCorrupt = (path) => path.endsWith(".sst");

/** Carries out what the swarm drew, between `start` and `stop`. Its events do not keep a run going. */
export class Nemesis implements MachineWatcher {
  readonly #parts: NemesisParts;
  readonly #targets = new Set<Machine>();
  readonly #atlas = new Map<Machine, MayCorrupt>();
  readonly #plans = new Map<string, Dice>();
  /** Events planned before the last `stop` are void. */
  #epoch = 0;

  constructor(parts: NemesisParts) {
    this.#parts = parts;
    Object.assign(parts.network.faults, calmNetwork(parts.options.network.faults));
  }

  /** How a new machine's disk behaves while nobody harms it: hardware as drawn, no errors. */
  calmDisk(): DiskFaults {
    return calmDisk(this.#parts.options.disk.faults);
  }

  setAtlas(machine: Machine, atlas: MayCorrupt): void {
    this.#atlas.set(machine, atlas);
  }

  start(machines: readonly Machine[]): void {
    const { options, network, record } = this.#parts;
    if (options.faultFree) return;
    record.trace(`faults on: ${machines.map((machine) => machine.name).join(" ")}`);
    Object.assign(network.faults, options.network.faults);
    for (const machine of machines) {
      if (this.#targets.has(machine)) continue;
      this.#targets.add(machine);
      Object.assign(machine.disk.faults, options.disk.faults);
      machine.watch(this);
      if (machine.up) this.booted(machine);
      this.#setClock(machine);
      this.#planMachine(machine);
      this.#planLinks(machine);
    }
  }

  stop(): void {
    const { network, options, record } = this.#parts;
    this.#epoch++;
    record.trace("faults off");
    Object.assign(network.faults, calmNetwork(options.network.faults));
    network.heal();
    for (const machine of this.#targets) this.#heal(machine);
    this.#targets.clear();
  }

  // What machines tell.

  /** Every so many incarnations one is spared crash points, so that a storm ends. */
  booted(machine: Machine): void {
    const { crash, failpoints: chosen } = this.#parts.options;
    if (this.#spared(machine)) return;
    const dice = this.#dice(`boot/${machine.name}`, machine.incarnation);
    const kind = dice.pick(crash.kinds);
    if (crash.callsMax > 0) machine.crashAtCall(dice.skewed(1, crash.callsMax), kind);
    const registry = machine.failpoints;
    registry.crashKind = kind;
    for (const { name, action, percent } of chosen) {
      const point = failpoints.find((candidate) => candidate.name === name);
      assert(point !== undefined, "the swarm chose from the catalog");
      registry.arm(point, { kind: action, percent, count: 0 });
    }
  }

  syncReported(machine: Machine): void {
    const { crash } = this.#parts.options;
    if (crash.afterSync === 0 || !machine.up || this.#spared(machine)) return;
    const dice = this.#kept(`after-sync/${machine.name}`);
    const calls = dice.between(1, afterSyncCallsMax);
    const kind = dice.pick(crash.kinds);
    if (dice.chance(crash.afterSync, perMillion)) machine.crashAtCall(calls, kind);
  }

  #spared(machine: Machine): boolean {
    return machine.incarnation % (this.#parts.options.crash.stormMax + 1) === 0;
  }

  #planMachine(machine: Machine): void {
    const { loop, record } = this.#parts;
    const { crash, pause, clock, disk } = this.#parts.options;
    this.#plan("crash", machine, crash.gapMs, (dice) => {
      const kind = dice.pick(crash.kinds);
      if (machine.up) this.#story(`${machine.name} crashes (${kind})`);
      machine.crash(kind);
      return 0;
    });
    this.#plan("pause", machine, pause.gapMs, (dice) => {
      const lengthMs = dice.skewed(1, pause.lengthMsMax);
      machine.pause(lengthMs);
      return lengthMs;
    });
    this.#plan("clock-jump", machine, clock.jumpGapMs, (dice) => {
      const deltaMs = dice.between(-clock.jumpMsMax, clock.jumpMsMax);
      record.count("clock.jump");
      this.#story(`${machine.name}: wall clock jumps by ${deltaMs} ms`);
      machine.clock.jumpWall(deltaMs);
      return 0;
    });
    this.#plan("clock-freeze", machine, clock.freezeGapMs, (dice) => {
      const lengthMs = dice.skewed(1, clock.freezeMsMax);
      record.count("clock.freeze");
      machine.clock.freeze(loop.nowUs);
      this.#later(lengthMs, () => machine.clock.thaw(loop.nowUs));
      return lengthMs;
    });
    this.#plan("disk-full", machine, disk.fullGapMs, (dice) => {
      const lengthMs = dice.skewed(1, disk.fullMsMax);
      this.#story(`${machine.name}: disk full for ${lengthMs} ms`);
      machine.disk.faults.quotaBytes = machine.disk.usedBytes + dice.below(fullRoomBytesMax);
      this.#later(lengthMs, () => freeSpace(machine));
      return lengthMs;
    });
    this.#plan("corrupt", machine, disk.corruptGapMs, (dice) => {
      this.#corrupt(machine, dice.pick(atRestKinds));
      return 0;
    });
  }

  #planLinks(machine: Machine): void {
    const { record, network: net } = this.#parts;
    const { network } = this.#parts.options;
    this.#plan("net-reset", machine, network.resetGapMs, () => {
      net.resetConnections(machine.name);
      return 0;
    });
    this.#plan("net-block", machine, network.blockGapMs, (dice) => {
      const lengthMs = dice.skewed(1, network.blockMsMax);
      for (const link of this.#directions(machine, dice)) {
        this.#story(`${link.from} > ${link.to}: nothing gets through for ${lengthMs} ms`);
        link.block();
        this.#later(lengthMs, () => link.unblock());
      }
      return lengthMs;
    });
    this.#plan("net-slow", machine, network.slowGapMs, (dice) => {
      const lengthMs = dice.skewed(1, network.blockMsMax);
      const extraUs = dice.skewed(10, network.slowUsMax);
      for (const link of this.#directions(machine, dice)) {
        record.count("net.latency");
        link.slow(extraUs);
        this.#later(lengthMs, () => link.slow(0));
      }
      return lengthMs;
    });
  }

  /** One direction between `machine` and a peer, or both; none when it is alone. */
  #directions(machine: Machine, dice: Dice): readonly ReturnType<SimNetwork["link"]>[] {
    const { network, machines } = this.#parts;
    const peers = machines().filter((other) => other !== machine);
    const which = dice.below(3);
    const chosen = dice.u32();
    const peer = peers[chosen % Math.max(1, peers.length)];
    if (peer === undefined) return [];
    const there = network.link(machine.name, peer.name);
    const back = network.link(peer.name, machine.name);
    return which === 0 ? [there] : which === 1 ? [back] : [there, back];
  }

  #setClock(machine: Machine): void {
    const { loop, record } = this.#parts;
    const { clock } = this.#parts.options;
    const dice = this.#kept(`clock/${machine.name}`);
    const offsetMs = dice.between(-clock.offsetMsMax, clock.offsetMsMax);
    const driftPpm = dice.between(-clock.driftPpmMax, clock.driftPpmMax);
    if (offsetMs !== 0) record.count("clock.offset");
    if (driftPpm !== 0) record.count("clock.drift");
    if (offsetMs !== 0) machine.clock.setWall(loop.nowUs, offsetMs);
    machine.clock.drift(loop.nowUs, driftPpm);
  }

  #corrupt(machine: Machine, kind: AtRestKind): void {
    const damage = machine.disk.corruptAtRest(kind, this.#atlas.get(machine) ?? tablesOnly);
    if (damage === null) return;
    this.#story(`${machine.name}: ${kind} in ${damage.path} at ${damage.offset}, ${damage.length} bytes`);
  }

  #heal(machine: Machine): void {
    const { loop } = this.#parts;
    machine.watch(null);
    machine.spare();
    machine.unpause();
    machine.clock.thaw(loop.nowUs);
    machine.clock.drift(loop.nowUs, 0);
    machine.clock.setWall(loop.nowUs, 0);
    Object.assign(machine.disk.faults, this.calmDisk());
    machine.disk.heal();
    if (!machine.up) return;
    for (const point of failpoints) machine.failpoints.disarm(point);
  }

  /**
   * Does `act` again and again until `stop`, `gapMs` of rest in between; it returns how long it takes, in ms.
   */
  #plan(kind: string, machine: Machine, gapMs: number, act: (dice: Dice) => number): void {
    if (gapMs === 0) return;
    const dice = this.#kept(`${kind}/${machine.name}`);
    let actsLeft = dice.skewed(actsMin, actsMax);
    const next = (lengthMs: number): void => {
      if (actsLeft-- === 0) return;
      this.#laterUs(lengthMs * 1_000 + dice.skewed(gapMs * 100, gapMs * 3_000), () => next(act(dice)));
    };
    next(0);
  }

  #later(delayMs: number, run: () => void): void {
    this.#laterUs(delayMs * 1_000, run);
  }

  #laterUs(delayUs: number, run: () => void): void {
    const { loop } = this.#parts;
    const epoch = this.#epoch;
    loop.after(delayUs, loop.nemesisLife, () => {
      if (epoch === this.#epoch) run();
    });
  }

  #story(line: string): void {
    this.#parts.record.story(line);
  }

  #dice(stream: string, entity: number): Dice {
    return new Dice(this.#parts.loop.random.stream(`sim/nemesis/${stream}`), entity);
  }

  /** Dice that go on where they were when faults are started a second time. */
  #kept(stream: string): Dice {
    const known = this.#plans.get(stream);
    if (known !== undefined) return known;
    const dice = this.#dice(stream, 0);
    this.#plans.set(stream, dice);
    return dice;
  }
}

function freeSpace(machine: Machine): void {
  machine.disk.faults.quotaBytes = diskFaultsNone.quotaBytes;
}

/** The hardware as drawn, without what counts as an error. */
function calmDisk(faults: DiskFaults): DiskFaults {
  const { personality, lostWrite, tornWrite, garbageGap, entryLost } = faults;
  const { operationUs, syncUsMin, syncUsMax } = faults;
  const loss = { personality, lostWrite, tornWrite, garbageGap, entryLost };
  return { ...diskFaultsNone, ...loss, operationUs, syncUsMin, syncUsMax };
}

function calmNetwork(faults: NetworkFaults): NetworkFaults {
  const { latencyUsMin, latencyUsMax, jitterUsMax, windowBytes, segmentBytesMax, halfOpen } = faults;
  const kept = { latencyUsMin, latencyUsMax, jitterUsMax, windowBytes, segmentBytesMax, halfOpen };
  return { ...networkFaultsNone, ...kept };
}
