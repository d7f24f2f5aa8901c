import {
  mergeAfterCommit,
  mergeAfterFreeze,
  mergeAfterRollback,
  mergeBeforeCommit,
  snapshotAfterDone,
  snapshotAfterIntent,
  snapshotAfterReplace,
  snapshotBeforeIntent,
  splitAfterApply,
  splitAfterLog,
  splitBeforePublish,
  tombstoneBeforeLog,
} from "../failpoints/catalog.ts";
import type { Failpoint } from "../failpoints/failpoints.ts";
import type { PeerChange } from "../raft/store/peer-change.ts";
import { type RegionMeta, peerOnStore } from "../raft/region.ts";
import type { Dice } from "../sim/dice.ts";
import type { CrashKind } from "../sim/incarnation.ts";
import type { World } from "../sim/world.ts";
import { Forsaking } from "./raft-store-forsake.ts";
import { type Moments, momentNames } from "./raft-store-moments.ts";
import type { DeedName } from "./raft-store-plan.ts";
import { type Office, type RegionSeat, leaderOf } from "./region-seat.ts";

/** Between two writes that belong together. */
const storePoints: readonly Failpoint[] = [
  snapshotBeforeIntent,
  snapshotAfterIntent,
  snapshotAfterReplace,
  snapshotAfterReplace,
  snapshotAfterDone,
  tombstoneBeforeLog,
];

const idGap = 1_000_000;
/** Between stores that could not reach each other, at most, on most seeds. */
const reconnectMs = 3_000;
const splitPoints: readonly Failpoint[] = [splitAfterApply, splitAfterLog, splitBeforePublish];

const mergePoints: readonly Failpoint[] = [mergeAfterFreeze, mergeBeforeCommit, mergeAfterCommit, mergeAfterRollback];

const everyPoint: readonly Failpoint[] = [...mergePoints, ...splitPoints, ...storePoints];

export interface DeedPlan {
  readonly deeds: readonly DeedName[];
  readonly deedGapMsMax: number;
  readonly deedLengthMsMax: number;
  readonly electionMs: number;
  readonly regions: number;
  /** Those that there are, where they come and go; else the first ones, by number. */
  readonly regionIds?: () => readonly number[];
  /** Regions are merged, and processes end in the middle of that, too. */
  readonly endsInMerges?: boolean;
}

/** What operators do at the worst of times, and misfortunes that hit several machines, besides what the swarm does. */
export class StoreNemesis {
  readonly #plan: DeedPlan;
  readonly #world: World;
  readonly #seats: readonly RegionSeat[];
  readonly #dice: Dice;
  #stopped = false;
  #starts = 0;
  #lastId = 1_000_000;
  changes = 0;
  transfers = 0;

  readonly #moments: Moments | null;
  readonly #forsaking: Forsaking;

  // oxlint-disable-next-line max-params -- to whom, what, and when
  constructor(world: World, plan: DeedPlan, seats: readonly RegionSeat[], moments: Moments | null = null) {
    this.#moments = moments;
    this.#plan = plan;
    this.#world = world;
    this.#seats = seats;
    this.#dice = world.dice("deeds");
    this.#forsaking = new Forsaking({
      world,
      seats,
      dice: world.dice("forsake"),
      electionMs: Math.ceil(plan.electionMs),
      newId: () => this.newId(),
      changePeers: (office, changes) => this.changePeers(office, changes),
      deafen: (from, to, lengthMs) => {
        this.#cut(`${to.machine.name} does not hear ${from.machine.name}`, lengthMs, (a, b) => a === from && b === to);
      },
      crash: (seat, lengthMs) => this.#crash([seat], "process", lengthMs),
      stopped: () => this.#stopped,
    });
  }

  /** Given out once. Where a Coordinator gives out ids too, far above those that it has given. */
  newId(): number {
    const regions = this.#seats.flatMap(({ node }) => node?.store.regions() ?? []);
    const ids = regions.flatMap(({ region }) => [region.id, ...region.peers.map(({ peerId }) => peerId)]);
    const highest = Math.max(0, ...ids);
    this.#lastId = highest > this.#lastId ? highest + idGap : this.#lastId + 1;
    return this.#lastId;
  }

  /** Again after `stop`. */
  start(): void {
    this.#starts++;
    this.#stopped = false;
    if (this.#plan.deeds.length > 0) this.#later(this.#starts);
  }

  /** One deed and no more; it ends by itself, or with `stop`. */
  once(deed: DeedName): void {
    this.#do(deed);
  }

  stop(): void {
    this.#stopped = true;
    this.#moments?.disarm();
    for (const seat of this.#seats) {
      seat.held = false;
      seat.loosen?.();
      if (seat.machine.up) for (const point of everyPoint) seat.machine.failpoints.disarm(point);
    }
    this.#heal();
  }

  #later(start: number): void {
    const { deeds, deedGapMsMax } = this.#plan;
    this.#world.after(this.#dice.between(Math.ceil(deedGapMsMax / 8), Math.ceil(deedGapMsMax)) * 1_000, () => {
      if (this.#stopped || start !== this.#starts) return;
      this.#do(this.#dice.pick(deeds));
      this.#later(start);
    });
  }

  // oxlint-disable-next-line max-lines-per-function -- one case per deed
  #do(deed: DeedName): void {
    const dice = this.#dice;
    const { regions, regionIds } = this.#plan;
    const region = regionIds === undefined ? dice.between(1, regions) : dice.pick(regionIds());
    const victim = dice.pick(this.#seats);
    const office = leaderOf(this.#seats, region);
    const leader = office?.seat ?? victim;
    const kind = dice.pick<CrashKind>(["process", "power"]);
    const lengthMs = this.#lengthMs();
    switch (deed) {
      case "transfer":
        if (office !== null) this.#transfer(office, region);
        return;
      case "change-peers":
        if (office !== null) this.changePeers(office, this.#draw(office.region));
        return;
      case "campaign":
        void victim.enter(({ store }) => store.admin.campaign(region));
        return;
      case "isolate-leader":
        return this.#cut(`isolate ${leader.machine.name}`, lengthMs, (a, b) => a === leader || b === leader);
      case "isolate":
        return this.#cut(`isolate ${victim.machine.name}`, lengthMs, (a, b) => a === victim || b === victim);
      case "ring":
        return this.#cut("ring", lengthMs, (a, b) => !this.#areNeighbours(a, b));
      case "one-way": {
        const deaf = dice.chance(1, 2);
        const what = `${leader.machine.name} is ${deaf ? "deaf" : "mute"}`;
        return this.#cut(what, lengthMs, (a, b) => (deaf ? b : a) === leader);
      }
      case "split": {
        const left = this.#seats.filter(() => dice.chance(1, 2));
        const names = left.map(({ machine }) => machine.name).join(",");
        return this.#cut(`split ${names} from the others`, lengthMs, (a, b) => left.includes(a) !== left.includes(b));
      }
      case "crash-leader":
        return this.#crash([leader], kind, lengthMs);
      case "crash-all":
        return this.#crash(this.#seats, "process", 0);
      case "power-off-all":
        return this.#crash(this.#seats, "power", 0);
      case "lag":
        return this.#crash([victim], kind, 4 * lengthMs);
      case "pause-leader":
        this.#world.story(`pause ${leader.machine.name} for ${lengthMs} ms`);
        return leader.machine.pause(lengthMs);
      case "cramp":
        return this.#cramp(dice.chance(1, 2) ? leader : victim, lengthMs);
      case "strand":
        return this.#strand(leader);
      case "forsake":
        if (office !== null) this.#forsaking.begin(office);
        return;
      case "restart":
        return (dice.chance(1, 2) ? leader : victim).restart?.();
      case "at-moment":
        return this.#atMoment(kind);
      case "at-failpoint":
        return this.#atFailpoint(kind);
      case "heal":
        return this.#heal();
      default:
        return;
    }
  }

  #cramp(seat: RegionSeat, lengthMs: number): void {
    this.#world.story(`${seat.machine.name} has no room for ${lengthMs} ms`);
    seat.cramp?.(lengthMs);
  }

  /**
   * Long enough for clients to give up and go to the next leader, and for that one to cut its log: what this one did
   * not apply comes as a snapshot, and finds it still without room.
   */
  #strand(seat: RegionSeat): void {
    const electionMs = Math.ceil(this.#plan.electionMs);
    const cutMs = this.#dice.between(7, 10) * electionMs;
    const firstMs = Math.ceil(electionMs / 2) + this.#dice.between(1, electionMs);
    this.#cramp(seat, firstMs + cutMs + 4 * electionMs + reconnectMs);
    this.#world.after(firstMs * 1_000, () => {
      if (this.#stopped) return;
      this.#cut(`strand ${seat.machine.name}`, cutMs, (a, b) => a === seat || b === seat);
    });
  }

  /** The process that comes to such a moment next ends there, or soon after. */
  #atMoment(kind: CrashKind): void {
    const dice = this.#dice;
    const moment = dice.pick(momentNames);
    const delayUs = dice.chance(1, 2) ? 0 : dice.skewed(1, 50_000);
    this.#moments?.arm(moment, (machine) => {
      this.#world.after(delayUs, () => {
        if (this.#stopped) return;
        this.#world.story(`${kind} of ${machine.name}, ${delayUs} us after "${moment}"`);
        machine.crash(kind);
      });
    });
  }

  /** Whoever comes to such a place next ends there; processes that begin later do not. */
  #atFailpoint(crashKind: CrashKind): void {
    const point = this.#dice.pick(this.#points());
    for (const { machine } of this.#seats) {
      if (!machine.up) continue;
      machine.failpoints.crashKind = crashKind;
      machine.failpoints.arm(point, { kind: "crash", percent: 100, count: 1 });
    }
  }

  #points(): readonly Failpoint[] {
    const { regionIds, endsInMerges = false } = this.#plan;
    const split = regionIds === undefined ? storePoints : [...splitPoints, ...storePoints];
    return endsInMerges ? [...mergePoints, ...mergePoints, ...split] : split;
  }

  /** Of any scale, or long enough for an election. */
  #lengthMs(): number {
    const { deedLengthMsMax, electionMs } = this.#plan;
    const longest = Math.ceil(deedLengthMsMax);
    const drawn = this.#dice.skewed(1, longest);
    return this.#dice.chance(1, 2) ? drawn : Math.max(drawn, Math.min(longest, electionMs));
  }

  /** Asks the leader; how it ends is nobody's promise. */
  changePeers({ region, seat }: Office, changes: readonly PeerChange[]): void {
    if (changes.length === 0) return;
    const text = changes.map(({ op, peerId, storeId }) => `${op} ${peerId}@${storeId}`).join(", ");
    this.#world.story(`region ${region.id}: ${text}, asked of ${seat.machine.name}`);
    void seat.enter(({ store }) => {
      store.admin.changePeers(region.id, changes, ({ kind }) => {
        if (kind === "done") this.changes++;
      });
    });
  }

  #transfer({ region, seat }: Office, id: number): void {
    const others = region.peers.filter(({ storeId }) => storeId !== seat.storeId);
    if (others.length === 0) return;
    const to = this.#dice.pick(others).storeId;
    void seat.enter(({ store }) => {
      store.admin.transferLeader(id, to, ({ kind }) => {
        if (kind === "done") this.transfers++;
      });
    });
  }

  /** A new peer on a store that has none, as learner first; or one goes; or roles change. */
  #draw(region: RegionMeta): PeerChange[] {
    const dice = this.#dice;
    const voters = region.peers.filter(({ role }) => role === "voter");
    const learners = region.peers.filter(({ role }) => role === "learner");
    const free = this.#seats.filter(({ storeId }) => peerOnStore(region, storeId) === null);
    const promoted = learners.map(({ peerId, storeId }): PeerChange => ({ op: "promote", peerId, storeId }));
    if (promoted.length > 0 && dice.chance(1, 2)) {
      const demoted = voters.length > 2 && dice.chance(1, 3) ? voters.slice(0, 1) : [];
      return [...promoted, ...demoted.map((peer): PeerChange => ({ op: "demote", ...peer }))];
    }
    if (free.length > 0 && region.peers.length < 4 && dice.chance(2, 3)) {
      return [{ op: "addLearner", peerId: this.newId(), storeId: dice.pick(free).storeId }];
    }
    const mayGo = [...learners, ...(voters.length > 1 ? voters : [])];
    if (mayGo.length === 0) return [];
    const { peerId, storeId } = dice.pick(mayGo);
    return [{ op: "remove", peerId, storeId }];
  }

  #crash(seats: readonly RegionSeat[], kind: CrashKind, heldMs: number): void {
    const names = seats.map(({ machine }) => machine.name).join(", ");
    this.#world.story(`${kind} of ${names}${heldMs > 0 ? `, down for ${heldMs} ms` : ""}`);
    for (const seat of seats) {
      if (heldMs > 0) seat.held = true;
      seat.machine.crash(kind);
    }
    if (heldMs === 0) return;
    this.#world.after(heldMs * 1_000, () => {
      for (const seat of seats) seat.held = false;
    });
  }

  #areNeighbours(a: RegionSeat, b: RegionSeat): boolean {
    const distance = Math.abs(this.#seats.indexOf(a) - this.#seats.indexOf(b));
    return distance === 1 || distance === this.#seats.length - 1;
  }

  // oxlint-disable-next-line max-params -- what, how long, and between whom
  #cut(what: string, lengthMs: number, separated: (from: RegionSeat, to: RegionSeat) => boolean): void {
    this.#world.story(`${what} for ${lengthMs} ms`);
    for (const from of this.#seats) {
      for (const to of this.#seats) {
        if (from === to || !separated(from, to)) continue;
        const link = this.#world.network.link(from.machine.name, to.machine.name);
        link.block();
        this.#world.count("net.one-way-loss");
        this.#world.after(lengthMs * 1_000, () => link.unblock());
      }
    }
  }

  #heal(): void {
    for (const from of this.#seats) {
      for (const to of this.#seats) {
        if (from !== to) this.#world.network.link(from.machine.name, to.machine.name).unblock();
      }
    }
  }
}
