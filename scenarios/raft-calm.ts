import type { World } from "../sim/world.ts";
import type { RaftNetwork } from "./raft-network.ts";
import type { RaftPeer } from "./raft-peer.ts";
import type { RaftPlan } from "./raft-plan.ts";

interface Office {
  readonly leader: RaftPeer;
  readonly term: number;
  /** A voter that is not the leader. */
  readonly follower: RaftPeer;
}

/**
 * One small disturbance of a healthy group, and nothing else: what has to happen then is certain, which it
 * never is while faults come from all sides.
 */
export class RaftCalm {
  readonly #world: World;
  readonly #plan: RaftPlan;
  readonly #network: RaftNetwork;
  readonly #peers: readonly RaftPeer[];

  constructor(world: World, plan: RaftPlan, network: RaftNetwork, peers: readonly RaftPeer[]) {
    this.#world = world;
    this.#plan = plan;
    this.#network = network;
    this.#peers = peers;
  }

  async disturb(leader: RaftPeer): Promise<void> {
    const office = this.#office(leader);
    if (office === null) return;
    const kind = this.#world.dice("calm").pick(["stall", "deaf", "cut-off"]);
    if (kind === "stall") await this.#stall(office);
    else if (kind === "deaf") await this.#deafen(office);
    else await this.#cutOff(office);
  }

  /** Null: without one of its voters this group has no majority, or it sleeps. */
  #office(leader: RaftPeer): Office | null {
    const status = leader.raft?.status();
    if (status === undefined || status.role !== "leader" || status.quiesced) return null;
    const { voters } = status.conf;
    const follower = this.#peers.find(({ id }) => id !== leader.id && voters.includes(id));
    if (voters.length < 3 || !voters.includes(leader.id) || follower === undefined) return null;
    return { leader, term: status.term, follower };
  }

  /** A follower that was stopped finds its leader's heartbeats when it goes on: no reason to stand. */
  async #stall({ follower }: Office): Promise<void> {
    follower.machine.pause((this.#plan.tickUs / 1_000) * this.#plan.limits.electionTicks * 3);
    await this.#watch(5, () => {
      const role = follower.raft?.status().role;
      if (role !== "follower") this.#world.fail("spurious-election", `${follower.id} was stopped, and is ${role}`);
    });
  }

  /** A follower that does not hear its leader, while all others do, deposes nobody; neither when it hears again. */
  async #deafen({ leader, term, follower }: Office): Promise<void> {
    const inOffice = (): void => {
      const now = leader.raft?.status();
      if (now?.role === "leader" && now.term === term) return;
      const why = `${leader.id} led term ${term}, ${follower.id} did not hear it, and now it is ${now?.term}`;
      this.#world.fail("disturbed-leader", why);
    };
    this.#network.cut(leader.id, follower.id);
    await this.#watch(6, inOffice);
    this.#network.heal();
    await this.#watch(3, inOffice);
  }

  /** A leader that reaches nobody knows after two election timeouts that it may not be one any more. */
  async #cutOff({ leader, term }: Office): Promise<void> {
    for (const { id } of this.#peers) {
      if (id === leader.id) continue;
      this.#network.cut(leader.id, id);
      this.#network.cut(id, leader.id);
    }
    await this.#watch(3, () => {});
    const now = leader.raft?.status();
    if (now?.role === "leader") this.#world.fail("deposed", `${leader.id} is cut off and still leads term ${term}`);
    this.#network.heal();
  }

  /** For so many election timeouts, a few times per tick. */
  async #watch(timeouts: number, look: () => void): Promise<void> {
    const { tickUs, limits } = this.#plan;
    const polls = timeouts * limits.electionTicks * 4;
    for (let poll = 0; poll < polls; poll++) {
      await this.#world.sleep(Math.floor(tickUs / 4_000) + 1);
      look();
    }
  }
}
