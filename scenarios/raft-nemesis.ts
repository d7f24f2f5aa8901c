import type { Dice } from "../sim/dice.ts";
import type { World } from "../sim/world.ts";
import type { RaftNetwork } from "./raft-network.ts";
import type { RaftPeer } from "./raft-peer.ts";
import type { FaultName, FaultPlan } from "./raft-plan.ts";

/** Crashes, pauses and partitions, drawn one after the other until it is stopped. */
export class RaftNemesis {
  readonly #world: World;
  readonly #plan: FaultPlan;
  readonly #network: RaftNetwork;
  readonly #peers: readonly RaftPeer[];
  readonly #dice: Dice;
  #stopped = false;

  constructor(world: World, plan: FaultPlan, network: RaftNetwork, peers: readonly RaftPeer[]) {
    this.#world = world;
    this.#plan = plan;
    this.#network = network;
    this.#peers = peers;
    this.#dice = world.dice("faults");
  }

  start(): void {
    if (this.#plan.gapMsMax > 0) this.#later();
  }

  /** Everything is healed; who is down comes back. */
  stop(): void {
    this.#stopped = true;
    this.#network.heal();
    for (const peer of this.#peers) {
      peer.machine.unpause();
      if (peer.raft === null) peer.boot();
    }
  }

  #later(): void {
    this.#world.after(this.#dice.skewed(1, this.#plan.gapMsMax) * 1_000, () => {
      if (this.#stopped) return;
      this.#strike(this.#dice.pick(this.#plan.kinds));
      this.#later();
    });
  }

  #strike(fault: FaultName): void {
    const victim = this.#dice.pick(this.#peers);
    const leader = this.#leader() ?? victim;
    switch (fault) {
      case "crash":
        return this.#crash(victim);
      case "crashLeader":
        return this.#crash(leader);
      case "crashAll":
        for (const peer of this.#peers) this.#crash(peer);
        return;
      case "isolate":
        return this.#isolate(victim);
      case "isolateLeader":
        return this.#isolate(leader);
      case "split":
        return this.#split();
      case "oneWay":
        return this.#oneWay(victim);
      case "pause":
        return this.#pause(this.#dice.chance(1, 2) ? victim : leader);
      case "heal":
        return this.#network.heal();
      default:
        return;
    }
  }

  /** Of the highest term. */
  #leader(): RaftPeer | null {
    let found: RaftPeer | null = null;
    let term = 0;
    for (const peer of this.#peers) {
      const status = peer.raft?.status();
      if (status?.role !== "leader" || status.term < term) continue;
      found = peer;
      term = status.term;
    }
    return found;
  }

  #crash(peer: RaftPeer): void {
    if (peer.raft === null) return;
    this.#world.story(`crash ${peer.id}`);
    peer.crash();
    this.#world.after(this.#lengthUs(), () => {
      if (peer.raft === null) peer.boot();
    });
  }

  #isolate(victim: RaftPeer): void {
    this.#world.story(`isolate ${victim.id}`);
    this.#cut((from, to) => from === victim || to === victim);
  }

  #split(): void {
    const left = this.#peers.filter(() => this.#dice.chance(1, 2));
    this.#world.story(`split ${left.map(({ id }) => id).join(",")} from the others`);
    this.#cut((from, to) => left.includes(from) !== left.includes(to));
  }

  #oneWay(victim: RaftPeer): void {
    const deaf = this.#dice.chance(1, 2);
    this.#world.count("net.one-way-loss");
    this.#world.story(`${victim.id} is ${deaf ? "deaf" : "mute"}`);
    this.#cut((from, to) => (deaf ? to : from) === victim);
  }

  #cut(separated: (from: RaftPeer, to: RaftPeer) => boolean): void {
    for (const from of this.#peers) {
      for (const to of this.#peers) if (from !== to && separated(from, to)) this.#network.cut(from.id, to.id);
    }
    this.#world.after(this.#lengthUs(), () => {
      if (!this.#stopped) this.#network.heal();
    });
  }

  #pause(peer: RaftPeer): void {
    const ms = this.#dice.skewed(1, this.#plan.lengthMsMax);
    this.#world.story(`pause ${peer.id} for ${ms} ms`);
    peer.machine.pause(ms);
  }

  #lengthUs(): number {
    return this.#dice.skewed(1, this.#plan.lengthMsMax) * 1_000;
  }
}
