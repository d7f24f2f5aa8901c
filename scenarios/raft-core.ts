import { noBytes } from "../raft/entry.ts";
import type { ConfOp } from "../raft/conf-change.ts";
import { type ConfState, isJoint, membersOf } from "../raft/conf-state.ts";
import { RaftObserver } from "../sim/checkers/raft-observer.ts";
import type { Dice } from "../sim/dice.ts";
import type { Scenario } from "../sim/scenario.ts";
import type { World } from "../sim/world.ts";
import { RaftActs } from "./raft-acts.ts";
import { RaftCalm } from "./raft-calm.ts";
import { RaftNemesis } from "./raft-nemesis.ts";
import { RaftNetwork } from "./raft-network.ts";
import { type AppliedState, type RaftGroup, RaftPeer } from "./raft-peer.ts";
import {
  type ActName,
  type RaftPlan,
  type RequestKind,
  actNames,
  drawActPlan,
  drawElectionsPlan,
  drawMembersPlan,
  drawPlan,
  requestKinds,
} from "./raft-plan.ts";
import { RaftRequests } from "./raft-requests.ts";

/** The group begins behind a snapshot, so that who joins later needs one. */
const origin = 1;
/** Ticks within which a healed group elects a leader, answers, and brings everyone up to date. */
const recoveryTicksMax = 2_000;
const pollsPerElection = 2;

export const raftCore: Scenario = {
  name: "raft-core",
  why: "Replicas must never disagree on what was committed, whatever crashes, is cut off, or joins meanwhile.",
  weight: 2,
  run: (world) => new RaftCoreRun(world, drawPlan(world)).run(),
};

export const raftMembers: Scenario = {
  name: "raft-members",
  why: "While members change, no two groups of peers may decide apart from each other.",
  weight: 1,
  run: (world) => new RaftCoreRun(world, drawMembersPlan(world)).run(),
};

export const raftElections: Scenario = {
  name: "raft-elections",
  why: "What a majority has acknowledged stays, however fast leaders follow each other.",
  weight: 1,
  run: (world) => new RaftCoreRun(world, drawElectionsPlan(world)).run(),
};

export const raftActs: Scenario = {
  name: "raft-acts",
  why: "The few orders of events that undo a consensus protocol must not undo this one.",
  weight: 1,
  run: (world) => {
    const act = world.dice("act").pick(actNames);
    return new RaftCoreRun(world, drawActPlan(world, act), act).run();
  },
};

type ConfOps = readonly { readonly op: ConfOp; readonly peer: number }[];

class RaftCoreRun {
  readonly #world: World;
  readonly #plan: RaftPlan;
  readonly #act: ActName | null;
  readonly #dice: Dice;
  readonly #network: RaftNetwork;
  readonly #observer: RaftObserver;
  readonly #requests: RaftRequests;
  readonly #peers: readonly RaftPeer[];
  readonly #nemesis: RaftNemesis;
  readonly #kinds: readonly RequestKind[];

  /** `act`: is played; null: what the plan's weights ask for is done. */
  constructor(world: World, plan: RaftPlan, act: ActName | null = null) {
    this.#world = world;
    this.#act = act;
    this.#plan = plan;
    this.#dice = world.dice("requests");
    this.#network = new RaftNetwork(world, this.#plan.network);
    this.#observer = new RaftObserver(origin, (oracle, message) => world.fail(oracle, message));
    this.#requests = new RaftRequests(world, this.#observer);
    const { voters, learners, peers, weights } = this.#plan;
    const conf: ConfState = { voters, votersOutgoing: [], learners, learnersNext: [] };
    const group: RaftGroup = {
      plan: this.#plan,
      network: this.#network,
      observer: this.#observer,
      requests: this.#requests,
      isUp: (id) => this.#peers.some((peer) => peer.id === id && peer.raft !== null),
    };
    this.#peers = peers.map((id) => {
      const first = membersOf(conf).includes(id) ? memberState(conf) : strangerState;
      const peer = new RaftPeer(id, world, group, first);
      this.#network.join(peer);
      this.#observer.join(peer);
      return peer;
    });
    this.#nemesis = new RaftNemesis(world, this.#plan.faults, this.#network, this.#peers);
    this.#kinds = requestKinds.flatMap((kind) => Array.from({ length: weights[kind] }, () => kind));
    world.story(JSON.stringify(this.#plan));
  }

  async run(): Promise<void> {
    const world = this.#world;
    for (const peer of this.#peers) peer.boot();
    this.#nemesis.start();
    if (this.#act === null) await this.#requestAll();
    else await this.#play(this.#act);
    this.#nemesis.stop();
    this.#network.calm = true;
    for (const peer of this.#peers) peer.relax();
    // A timer that was due in a pause comes at the end that the pause would have had.
    if (this.#plan.faults.gapMsMax > 0) await world.sleep(this.#plan.faults.lengthMsMax);
    await this.#recover();
    const leader = this.#leader();
    if (leader !== null) await new RaftCalm(world, this.#plan, this.#network, this.#peers).disturb(leader);
    const { elections, committed } = this.#observer;
    const { appliedCount, reads } = this.#requests;
    world.story(`${elections} elections, ${committed} committed, ${appliedCount} proposals applied, ${reads} reads`);
  }

  async #requestAll(): Promise<void> {
    for (let step = 0; step < this.#plan.steps; step++) {
      await this.#world.sleep(this.#dice.skewed(1, Math.floor(this.#plan.stepGapMsMax) + 1) - 1);
      this.#request(this.#dice.pick(this.#kinds));
    }
  }

  #play(act: ActName): Promise<void> {
    const parts = { world: this.#world, plan: this.#plan, network: this.#network, peers: this.#peers };
    return new RaftActs({ ...parts, requests: this.#requests }).play(act);
  }

  /** The leader of the highest term that is up. */
  #leader(): RaftPeer | null {
    let found: RaftPeer | null = null;
    let term = -1;
    for (const peer of this.#peers) {
      const status = peer.raft?.status();
      if (status?.role !== "leader" || status.term <= term) continue;
      found = peer;
      term = status.term;
    }
    return found;
  }

  #request(kind: RequestKind): void {
    const dice = this.#dice;
    const anyone = dice.pick(this.#peers);
    // Whoever believes that it leads is asked: a leader of the past takes what will never be committed.
    const leaders = this.#peers.filter(({ raft }) => raft?.status().role === "leader");
    const peer = leaders.length > 0 && dice.chance(4, 5) ? dice.pick(leaders) : anyone;
    const other = dice.pick(this.#peers);
    switch (kind) {
      case "propose":
        for (let left = dice.pick([1, 1, 2, 6]); left > 0; left--) {
          peer.input({ kind: "propose", ...this.#requests.proposal(dice.pick([0, 10, 60])) });
        }
        return;
      case "read":
        return this.#read(peer);
      case "conf":
        return this.#changeConf(peer);
      case "transfer":
        return peer.input({ kind: "transfer", to: other.id });
      case "compact":
        return this.#compact(other);
      case "flush":
        return other.flush();
      case "campaign":
        return other.input({ kind: "campaign", force: dice.chance(1, 2) });
      case "quiesce":
        return peer.input({ kind: "quiesce", absent: [] });
      case "unreachable":
        return peer.input({ kind: "unreachable", peer: other.id });
      default:
        return;
    }
  }

  #read(peer: RaftPeer): void {
    // The read begins when the peer takes it: until then it may see less.
    peer.soon(() => peer.input({ kind: "readIndex", token: this.#requests.readToken() }));
  }

  #compact(peer: RaftPeer): void {
    if (peer.raft === null) return;
    if (this.#dice.chance(1, 2)) peer.flush();
    const { base } = peer.image;
    const last = peer.durableApplied;
    if (last > base) peer.compact(this.#dice.between(base + 1, last));
  }

  #changeConf(peer: RaftPeer): void {
    const ops = this.#dice.chance(1, 3) ? this.#newVoters(peer.state.conf) : this.#someOps(peer.state.conf);
    peer.input({ kind: "conf", token: 0, change: { ops, leaveJoint: false, context: noBytes } });
  }

  /** Other voters altogether, perhaps: the halves of the joint configuration share nobody. */
  #newVoters({ voters, learners }: ConfState): ConfOps {
    const target = this.#plan.peers.filter(() => this.#dice.chance(1, 2));
    const gone = voters.filter((peer) => !target.includes(peer));
    const come = target.filter((peer) => !voters.includes(peer));
    return [
      ...gone.map((peer) => ({ op: this.#dice.pick<ConfOp>(["remove", "demote"]), peer })),
      ...come.map((peer) => ({ op: learners.includes(peer) ? ("promote" as const) : ("addVoter" as const), peer })),
    ];
  }

  #someOps({ voters, learners }: ConfState): ConfOps {
    const dice = this.#dice;
    const others = this.#plan.peers.filter((id) => !voters.includes(id) && !learners.includes(id));
    const ops: { op: ConfOp; peer: number }[] = [];
    const add = (op: ConfOp, from: readonly number[]): void => {
      if (from.length > 0) ops.push({ op, peer: dice.pick(from) });
    };
    for (let left = dice.pick([1, 1, 1, 2, 3]); left > 0; left--) {
      const op = dice.pick<ConfOp>(["addVoter", "addLearner", "remove", "promote", "promote", "demote"]);
      if (op === "promote") add(op, learners);
      else if (op === "addVoter" || op === "addLearner") add(op, others);
      else if (voters.length > 1) add(op, voters);
    }
    return ops;
  }

  /** No more faults: a leader, an answer, everyone up to date, and no change of members half done. */
  async #recover(): Promise<void> {
    const { tickUs, limits } = this.#plan;
    const pollMs = Math.max(1, Math.floor((tickUs * limits.electionTicks) / pollsPerElection / 1_000));
    const deadlineUs = this.#world.nowUs + recoveryTicksMax * tickUs + this.#plan.disk.slowUsMax;
    let proposal = 0;
    let read = 0;
    while (!(this.#requests.wasApplied(proposal) && read > 0 && this.#requests.wasRead(read) && this.#upToDate())) {
      if (this.#world.nowUs > deadlineUs) this.#world.fail("liveness", this.#standing());
      await this.#world.sleep(pollMs);
      const leader = this.#leader();
      if (leader === null) continue;
      if (!this.#requests.wasApplied(proposal)) {
        const asked = this.#requests.proposal(0);
        proposal = asked.token;
        leader.input({ kind: "propose", ...asked });
      } else if (read === 0 || !this.#requests.wasRead(read)) {
        read = this.#requests.readToken();
        leader.input({ kind: "readIndex", token: read });
      }
    }
  }

  #upToDate(): boolean {
    const leader = this.#leader();
    if (leader === null || isJoint(leader.state.conf)) return false;
    const members = membersOf(leader.state.conf);
    return this.#peers.every(
      ({ id, state }) => !members.includes(id) || state.applied === this.#observer.committed,
    );
  }

  #standing(): string {
    const peers = this.#peers.map(({ raft, state }) => {
      if (raft === null) return "down";
      const { id, role, term, leader, committed, last, base, stable, applying } = raft.status();
      const marks = `${base}..${applying}..${stable}..${committed}..${last}`;
      const { voters, votersOutgoing } = raft.status().conf;
      const conf = `voters ${voters.join(",")}${votersOutgoing.length > 0 ? ` and ${votersOutgoing.join(",")}` : ""}`;
      return `${id} ${role} of ${leader} in ${term}, log ${marks}, applied ${state.applied}, ${conf}`;
    });
    return `no progress after the faults: ${peers.join("; ")}`;
  }
}

function memberState(conf: ConfState): AppliedState {
  return { applied: origin, hash: [1, 1], conf };
}

/** Of a peer that knows nothing of its group yet. */
const strangerState: AppliedState = {
  applied: 0,
  hash: [0, 0],
  conf: { voters: [], votersOutgoing: [], learners: [], learnersNext: [] },
};
