import { noBytes } from "../raft/entry.ts";
import type { Message } from "../raft/message.ts";
import type { ConfOp } from "../raft/conf-change.ts";
import { isJoint } from "../raft/conf-state.ts";
import type { Dice } from "../sim/dice.ts";
import type { World } from "../sim/world.ts";
import type { RaftNetwork } from "./raft-network.ts";
import type { RaftPeer } from "./raft-peer.ts";
import type { ActName, RaftPlan } from "./raft-plan.ts";
import type { RaftRequests } from "./raft-requests.ts";

export interface ActParts {
  readonly world: World;
  readonly plan: RaftPlan;
  readonly network: RaftNetwork;
  readonly peers: readonly RaftPeer[];
  readonly requests: RaftRequests;
}

/** What an act waits for has not come: it is given up, and proves nothing. */
class GivenUp extends Error {
  override readonly name = "GivenUp";
}

/** Polls per tick: an act has to strike between two messages. */
const pollsPerTick = 50;

/**
 * Dangerous situations that chance finds once in thousands of seeds, played on purpose: which peers, how long
 * and what else goes on is drawn, the order of events is not. A sound group comes out of each unharmed.
 */
export class RaftActs {
  readonly #parts: ActParts;
  readonly #dice: Dice;

  constructor(parts: ActParts) {
    this.#parts = parts;
    this.#dice = parts.world.dice("acts");
  }

  async play(name: ActName): Promise<void> {
    const { world, network, peers } = this.#parts;
    try {
      world.story(`act ${name}`);
      if (name === "figure-8") await this.#figure8();
      else if (name === "halves") await this.#halves();
      else if (name === "removals") await this.#removals();
      else if (name === "inherited") await this.#inherited();
      else if (name === "overwritten") await this.#overwritten();
      else if (name === "self-removal") await this.#selfRemoval();
      else await this.#staleRead();
    } catch (error) {
      if (!(error instanceof GivenUp)) throw error;
      world.story(`given up: ${error.message}`);
    }
    network.filter = null;
    network.heal();
    for (const peer of peers) {
      peer.release();
      peer.releaseDisk();
      if (peer.raft === null) peer.boot();
    }
  }

  /**
   * Figure 8 of the paper: an old entry that is on a majority, under a leader whose own entry is not, is
   * overwritten by a leader of a term between.
   */
  async #figure8(): Promise<void> {
    const { network, peers } = this.#parts;
    const first = await this.#leader();
    const others = this.#shuffled(peers.filter((peer) => peer !== first));
    const [second, rival, ...rest] = others;
    if (second === undefined || rival === undefined || rest.length < 2) throw new GivenUp("too few peers");
    // An entry of the first leader on one other peer.
    this.#part([first, second], others.filter((peer) => peer !== second));
    const old = await this.#propose(first);
    await this.#until("the entry is on two", () => second.image.last >= old);
    first.crash();
    second.crash();
    // The rival is elected by the rest, and writes its first entry to itself alone.
    network.filter = ({ from, kind }) => from !== rival.id || kind !== "append";
    await this.#elect(rival);
    await this.#until("its entry is durable", () => rival.image.last >= old);
    rival.crash();
    // The first comes back, and gets the old entry to the rest, but none of its own.
    network.heal();
    const has = (id: number): boolean => rest.some((peer) => peer.id === id && peer.image.last >= old);
    network.filter = ({ kind, entries, to }) =>
      kind !== "append" || !has(to) || entries.every(({ index }) => index <= old);
    first.boot();
    await this.#elect(first);
    await this.#until("the entry is on a majority", () => rest.every(({ id }) => has(id)));
    await this.#pause(2);
    first.crash();
    // The rival has the later term.
    network.filter = null;
    rival.boot();
    await this.#elect(rival);
    await this.#pause(4);
  }

  /**
   * The leader has not applied the joint configuration and goes on with the old voters; the new ones have, and
   * are cut off from it. They must not elect anyone without the old ones.
   */
  async #halves(): Promise<void> {
    const leader = await this.#leader();
    const { voters, learners } = leader.state.conf;
    if (learners.length === 0) throw new GivenUp("nobody to promote");
    leader.hold();
    const ops = [
      ...voters.map((peer) => ({ op: "remove" as ConfOp, peer })),
      ...learners.map((peer) => ({ op: "promote" as ConfOp, peer })),
    ];
    this.#conf(leader, ops);
    const incoming = this.#of(learners);
    await this.#until("the new voters know", () => incoming.every(({ state }) => isJoint(state.conf)));
    this.#part(this.#of(voters), incoming);
    await this.#workOn(leader);
  }

  /**
   * Two voters are removed, one after the other. The second one has not applied the first removal: with the
   * other removed peer it would be a majority of the past.
   */
  async #removals(): Promise<void> {
    const leader = await this.#leader();
    const [held, gone] = this.#others(leader);
    held.hold();
    this.#conf(leader, [{ op: "remove", peer: gone.id }]);
    await this.#until("one is removed", () => !leader.state.conf.voters.includes(gone.id));
    this.#conf(leader, [{ op: "remove", peer: held.id }]);
    await this.#until("both are", () => !leader.state.conf.voters.includes(held.id));
    this.#part([leader], this.#parts.peers.filter((peer) => peer !== leader));
    await this.#workOn(leader, held);
  }

  /**
   * A new leader inherits a removal that is not committed, and is asked for another one at once. Were it taken,
   * a peer could have both in its log and know of neither that it is committed: with the other one that is
   * removed it is in a majority of five, while the leader has a majority of three elsewhere.
   */
  async #inherited(): Promise<void> {
    const { network, peers } = this.#parts;
    const before = await this.#leader();
    const [heir, loyal, gone] = this.#shuffled(peers.filter((peer) => peer !== before));
    if (heir === undefined || loyal === undefined || gone === undefined) throw new GivenUp("too few peers");
    const last = before.raft?.status().last ?? 0;
    heir.hold();
    network.filter = ({ kind }) => kind !== "appendReply";
    this.#conf(before, [{ op: "remove", peer: gone.id }]);
    await this.#until("the removal reaches the heir", () => heir.image.last > last);
    heir.input({ kind: "campaign", force: true });
    await this.#until("the heir leads", () => heir.raft?.status().role === "leader");
    const own = heir.raft?.status().last ?? 0;
    // First to the old leader alone: nothing can be committed yet, so nothing of that kind is told.
    network.filter = ({ kind, from, to }) => kind !== "append" || from !== heir.id || to === before.id;
    this.#conf(heir, [{ op: "remove", peer: before.id }]);
    await this.#until("the old leader has both removals", () => before.image.last > own);
    network.filter = null;
    this.#part([heir, loyal], peers.filter((peer) => peer !== heir && peer !== loyal));
    await this.#until("both are committed", () => (heir.raft?.status().committed ?? 0) > own);
    heir.release();
    await this.#workOn(heir, before);
  }

  /**
   * A leader removes itself and is the only one to know that this is committed. It may not stand, its log is the
   * longest, and the other one of two needs its vote until it knows better.
   */
  async #selfRemoval(): Promise<void> {
    const { network, requests } = this.#parts;
    const leader = await this.#leader();
    const index = (leader.raft?.status().last ?? 0) + 1;
    const last = (): number => leader.raft?.status().last ?? 0;
    network.filter = ({ kind }) => kind !== "appendReply";
    this.#conf(leader, [{ op: "remove", peer: leader.id }]);
    await this.#until("the removal is in its log", () => last() >= index);
    leader.input({ kind: "propose", ...requests.proposal(0) });
    await this.#until("and something behind it", () => last() > index);
    network.filter = ({ from, commit, entries }) =>
      from !== leader.id || (commit < index && entries.every((entry) => entry.index <= index));
    await this.#until("the leader has left", () => !leader.state.conf.voters.includes(leader.id));
  }

  /**
   * On one peer's slow disk an entry is overwritten by the next leader's while both writes are on their way. The
   * second one is committed. That the first write is done says nothing about it.
   */
  async #overwritten(): Promise<void> {
    const { network, peers } = this.#parts;
    const first = await this.#leader();
    const [slow, heir, ...rest] = this.#shuffled(peers.filter((peer) => peer !== first));
    if (slow === undefined || heir === undefined || rest.length < 2) throw new GivenUp("too few peers");
    slow.holdDisk();
    network.filter = ({ kind, to }) => kind !== "append" || to === slow.id;
    const index = await this.#propose(first);
    await this.#until("the slow peer has it", () => (slow.raft?.status().last ?? 0) >= index);
    first.crash();
    network.filter = ({ kind, to }) => kind !== "append" || to !== slow.id;
    await this.#elect(heir);
    await this.#until("the next entry is committed", () => (heir.raft?.status().committed ?? 0) >= index);
    network.filter = null;
    const term = heir.raft?.status().term ?? 0;
    await this.#until("the slow peer has that one", () => slow.raft?.termAt(index) === term);
    slow.releaseWrite();
    await this.#pause(3);
  }

  /**
   * A leader that was deposed gets acknowledgements of heartbeats that it sent before: late, but of its own
   * term. They say nothing about a read that came since.
   */
  async #staleRead(): Promise<void> {
    const { network, peers, requests } = this.#parts;
    const leader = await this.#leader();
    const others = peers.filter((peer) => peer !== leader);
    const late: Message[] = [];
    network.filter = (message) => {
      const isLate = message.kind === "heartbeatReply" && message.to === leader.id;
      if (isLate) late.push(message);
      return !isLate;
    };
    await this.#until("all have answered a heartbeat", () => late.length >= others.length);
    network.filter = null;
    this.#part([leader], others);
    const [heir] = this.#shuffled(others);
    if (heir === undefined) throw new GivenUp("nobody else");
    await this.#elect(heir);
    const index = await this.#propose(heir);
    await this.#until("a write is committed elsewhere", () => (heir.raft?.status().committed ?? 0) >= index);
    leader.input({ kind: "readIndex", token: requests.readToken() });
    await this.#pause(1);
    for (const message of late) network.force(message);
    await this.#pause(1);
  }

  // What acts are made of.

  /** Proposals to `leader` for a few election timeouts; `rival` stands meanwhile. */
  async #workOn(leader: RaftPeer, rival: RaftPeer | null = null): Promise<void> {
    for (let timeouts = this.#dice.between(3, 6); timeouts > 0; timeouts--) {
      leader.input({ kind: "propose", ...this.#parts.requests.proposal(0) });
      if (rival !== null) rival.input({ kind: "campaign", force: this.#dice.chance(1, 2) });
      await this.#pause(this.#parts.plan.limits.electionTicks);
    }
  }

  /** When nothing is under way any more. */
  async #leader(): Promise<RaftPeer> {
    const { peers } = this.#parts;
    const leader = (): RaftPeer | undefined =>
      peers.find(({ raft, state }) => {
        const status = raft?.status();
        if (status?.role !== "leader" || isJoint(state.conf)) return false;
        return peers.every((peer) => peer.state.applied === status.last);
      });
    await this.#until("somebody leads", () => leader() !== undefined);
    const found = leader();
    if (found === undefined) throw new GivenUp("nobody leads");
    return found;
  }

  /** Two voters beside `leader`, which are all there are. */
  #others(leader: RaftPeer): readonly [RaftPeer, RaftPeer] {
    const { voters } = leader.state.conf;
    const [a, b, ...rest] = this.#shuffled(this.#of(voters.filter((id) => id !== leader.id)));
    if (a === undefined || b === undefined || rest.length > 0) throw new GivenUp("not three voters");
    return [a, b];
  }

  async #elect(peer: RaftPeer): Promise<void> {
    for (let attempts = 4; attempts > 0; attempts--) {
      peer.input({ kind: "campaign", force: true });
      await this.#pause(1);
      if (peer.raft?.status().role === "leader") return;
    }
    throw new GivenUp(`${peer.id} is not elected`);
  }

  /** Where the entry will be. */
  async #propose(leader: RaftPeer): Promise<number> {
    const last = leader.raft?.status().last ?? 0;
    leader.input({ kind: "propose", ...this.#parts.requests.proposal(0) });
    await this.#until("the leader has the proposal", () => (leader.raft?.status().last ?? 0) > last);
    return last + 1;
  }

  #conf(leader: RaftPeer, ops: readonly { readonly op: ConfOp; readonly peer: number }[]): void {
    leader.input({ kind: "conf", token: 0, change: { ops, leaveJoint: false, context: noBytes } });
  }

  #of(ids: readonly number[]): readonly RaftPeer[] {
    return this.#parts.peers.filter(({ id }) => ids.includes(id));
  }

  #part(left: readonly RaftPeer[], right: readonly RaftPeer[]): void {
    for (const a of left) {
      for (const b of right) {
        this.#parts.network.cut(a.id, b.id);
        this.#parts.network.cut(b.id, a.id);
      }
    }
  }

  #shuffled(peers: readonly RaftPeer[]): readonly RaftPeer[] {
    const keyed = peers.map((peer) => ({ peer, key: this.#dice.u32() }));
    return keyed.toSorted((a, b) => a.key - b.key).map(({ peer }) => peer);
  }

  #pause(ticks: number): Promise<void> {
    return this.#parts.world.sleep((ticks * this.#parts.plan.tickUs) / 1_000);
  }

  async #until(what: string, holds: () => boolean): Promise<void> {
    const { world, plan } = this.#parts;
    const polls = pollsPerTick * plan.limits.electionTicks * 8;
    for (let poll = 0; poll < polls; poll++) {
      if (holds()) return;
      await world.sleep(Math.ceil(plan.tickUs / pollsPerTick) / 1_000);
    }
    throw new GivenUp(`not so: ${what}`);
  }
}
