import type { StoreNode } from "../node/store-node.ts";
import { describeRegion, type RegionMeta } from "../raft/region.ts";
import { isJointRegion, voterConfiguration } from "../raft/voter-configuration.ts";
import type { World } from "../sim/world.ts";
import { tilingProblem } from "../coordinator/region-map.ts";
import type { NodeSeat } from "./cluster-seat.ts";
import { RegionViews } from "./region-views.ts";
import { wantedReplicas } from "./store-loss-plan.ts";

/** What the stores say of their regions while replicas come and go: each step must leave a region as safe as it was. */
export class LossWatch {
  readonly #world: World;
  readonly #seats: readonly NodeSeat<StoreNode>[];
  readonly #views: RegionViews;
  /** By region: the newest descriptor that any store has applied. */
  readonly #newest = new Map<number, RegionMeta>();
  readonly #known = new Set<string>();
  readonly #peers = new Set<number>();
  /** Stores that do not answer, as the scenario knows. */
  readonly away = new Set<number>();
  changedUs = 0;
  /** Replicas that were added since the beginning. */
  additions = 0;

  constructor(world: World, seats: readonly NodeSeat<StoreNode>[], first: readonly RegionMeta[]) {
    this.#world = world;
    this.#seats = seats;
    this.#views = new RegionViews((oracle, message) => world.fail(oracle, message));
    for (const region of first) {
      this.#newest.set(region.id, region);
      for (const { peerId } of region.peers) this.#peers.add(peerId);
    }
  }

  regions(): RegionMeta[] {
    return [...this.#newest.values()].toSorted((a, b) => a.id - b.id);
  }

  /** Where a learner is, with its records; 0: there is none. */
  learnerStore(): number {
    for (const { id, peers } of this.#newest.values()) {
      const learner = peers.find(({ role }) => role === "learner");
      const held = learner === undefined ? null : this.#seat(learner.storeId)?.node?.store.region(id);
      if (learner !== undefined && held?.peerId === learner.peerId) return learner.storeId;
    }
    return 0;
  }

  look(): void {
    for (const { node, machine } of this.#seats) {
      if (node === null || !machine.up) continue;
      for (const view of node.store.regions()) {
        this.#views.look(machine.name, node, view);
        this.#descriptor(view.region);
      }
    }
  }

  #descriptor(region: RegionMeta): void {
    const { id, epoch, peers } = region;
    const name = `${id}/${epoch.version}/${epoch.confVer}`;
    if (this.#known.has(name)) return;
    this.#known.add(name);
    const newest = this.#newest.get(id);
    if (newest !== undefined && newest.epoch.confVer >= epoch.confVer) return;
    this.#newest.set(id, region);
    this.changedUs = this.#world.nowUs;
    const text = peers.map(({ peerId, storeId, role }) => `${peerId}@${storeId} ${role}`).join(", ");
    this.#world.story(`region ${describeRegion(region)}: ${text}`);
    if (peers.length > wantedReplicas + 1) {
      this.#world.fail("economy", `region ${describeRegion(region)} has ${peers.length} replicas: ${text}`);
    }
    for (const { peerId, role } of peers) {
      if (this.#peers.has(peerId)) continue;
      this.#peers.add(peerId);
      this.additions++;
      if (role !== "learner") this.#world.fail("learner-first", `peer ${peerId} of region ${id} votes from the first`);
    }
    this.#judgeVoters(region);
  }

  /** Whoever decides, in each half, is as many as were wanted, and can do without one of them: that which is away. */
  #judgeVoters(region: RegionMeta): void {
    const { voters, votersOutgoing } = voterConfiguration(region);
    for (const half of [voters, votersOutgoing]) {
      if (half.length === 0) continue;
      const answering = region.peers.filter(({ peerId, storeId }) => half.includes(peerId) && !this.away.has(storeId));
      const text = `region ${describeRegion(region)} has voters ${half.join(", ")}`;
      if (half.length < wantedReplicas) this.#world.fail("voters", `${text}: fewer than ${wantedReplicas}`);
      if (answering.length * 2 <= half.length) this.#world.fail("quorum", `${text}, and most of them are away`);
    }
  }

  /** Null: every region has what it is to have, on stores that serve, and nobody else has anything of it. */
  wanting(mayHold: (storeId: number) => boolean): string | null {
    this.look();
    for (const region of this.regions()) {
      const name = describeRegion(region);
      const { length } = region.peers;
      if (isJointRegion(region) || length !== wantedReplicas) return `${name} has ${length} peers`;
      for (const { storeId, role } of region.peers) {
        if (role !== "voter") return `${name} has a ${role}`;
        if (!mayHold(storeId)) return `${name} has a voter on store ${storeId}`;
        const held = this.#seat(storeId)?.node?.store.region(region.id)?.region;
        if (held?.epoch.confVer !== region.epoch.confVer) return `store ${storeId} is behind in ${name}`;
      }
    }
    return this.#orphan();
  }

  /** Null: nothing is on its way, and no store has two replicas more than another one that could take one of them. */
  moving(): string | null {
    const wanting = this.wanting(() => true);
    if (wanting !== null) return wanting;
    const regions = this.regions();
    const held = (id: number): number => regions.filter(({ peers }) => peers.some((p) => p.storeId === id)).length;
    for (const region of regions) {
      for (const { storeId } of region.peers) {
        for (const seat of this.#seats) {
          const has = region.peers.some((peer) => peer.storeId === seat.storeId);
          const gap = held(storeId) - held(seat.storeId);
          if (gap >= 2 && !has) return `region ${region.id} is on store ${storeId}, ${gap} fuller than ${seat.storeId}`;
        }
      }
    }
    return null;
  }

  #orphan(): string | null {
    for (const { storeId, node } of this.#seats) {
      for (const { region, peerId } of node?.store.regions() ?? []) {
        const peers = this.#newest.get(region.id)?.peers ?? [];
        const isThere = peers.some((peer) => peer.peerId === peerId);
        if (!isThere) return `store ${storeId} has peer ${peerId} of region ${region.id}, which has none such`;
      }
    }
    return null;
  }

  /** What the Coordinator has in the end is what is true. Null: it has. */
  mapProblem(map: readonly RegionMeta[]): string | null {
    const problem = tilingProblem(map);
    if (problem !== null) return problem;
    for (const region of this.regions()) {
      const known = map.find(({ id }) => id === region.id);
      const same = known?.epoch.confVer === region.epoch.confVer && known.epoch.version === region.epoch.version;
      if (!same) return `the Coordinator does not know ${describeRegion(region)}`;
    }
    return null;
  }

  #seat(storeId: number): NodeSeat<StoreNode> | null {
    return this.#seats.find((seat) => seat.storeId === storeId) ?? null;
  }
}
