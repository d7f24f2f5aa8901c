import type { StoreNode } from "../node/store-node.ts";
import { type RegionMeta, describeRegion, peerById } from "../raft/region.ts";
import type { World } from "../sim/world.ts";
import type { NodeSeat } from "./cluster-seat.ts";

const voting = ["voter", "incoming-voter"];

/** What may be seen of an expansion at any moment, by whoever applies a change of peers. */
export class ExpandJudge {
  readonly #world: World;
  readonly #seats: readonly NodeSeat<StoreNode>[];
  /** By peer: the store, and whether it is gone. */
  readonly #peers = new Map<number, { storeId: number; regionId: number; gone: boolean }>();
  readonly #confVers = new Map<number, number>();
  /** Peers whose records are not what they should be: they may not vote. */
  readonly rotten = new Set<number>();
  /** Somebody who takes peers away says so. */
  allowsTwo = false;

  constructor(world: World, seats: readonly NodeSeat<StoreNode>[]) {
    this.#world = world;
    this.#seats = seats;
  }

  /** `region` as somebody has applied it. */
  saw(region: RegionMeta): void {
    if (region.epoch.confVer <= (this.#confVers.get(region.id) ?? 0)) return;
    this.#confVers.set(region.id, region.epoch.confVer);
    this.#voters(region);
    for (const { peerId, storeId, role } of region.peers) {
      const known = this.#peers.get(peerId);
      if (known === undefined) this.#peers.set(peerId, { storeId, regionId: region.id, gone: false });
      else if (known.gone || known.storeId !== storeId || known.regionId !== region.id) {
        this.#world.fail("peer-ids", `peer ${peerId} is used twice: ${describeRegion(region)}`);
      }
      if (voting.includes(role)) this.#hasData(region, peerId, storeId);
    }
    for (const [peerId, known] of this.#peers) {
      if (known.regionId === region.id && peerById(region, peerId) === null) known.gone = true;
    }
  }

  /** Three voters, each where it is said to be, and nothing anywhere else. */
  finally(ids: readonly number[]): string | null {
    for (const id of ids) {
      const found = this.#seats.map((seat) => seat.node?.store.region(id) ?? null);
      for (const [at, view] of found.entries()) {
        if (view === null) return `store ${at + 1} has no replica of region ${id}`;
        const roles = view.region.peers.map(({ storeId, role }) => `${storeId} ${role}`).join(", ");
        if (roles.replaceAll(/\d /g, "") !== "voter, voter, voter") return `store ${at + 1}: region ${id} has ${roles}`;
        if (peerById(view.region, view.peerId)?.storeId !== at + 1) return `peer ${view.peerId} is nobody's`;
      }
    }
    for (const { node, storeId } of this.#seats) {
      const count = node?.store.regions().length;
      if (count !== ids.length) return `store ${storeId} has ${count} replicas`;
    }
    return null;
  }

  #voters(region: RegionMeta): void {
    const isJoint = region.peers.some(({ role }) => role === "incoming-voter" || role === "demoting-voter");
    const voters = region.peers.filter(({ role }) => voting.includes(role)).length;
    if (isJoint || voters !== 2 || this.allowsTwo) return;
    this.#world.fail("two-voters", `${describeRegion(region)} has two voters: one store's end stops it`);
  }

  /** Whoever votes has the region's records: its store says so, unless it is down. */
  #hasData({ id }: RegionMeta, peerId: number, storeId: number): void {
    if (this.rotten.has(peerId)) {
      this.#world.fail("content", `peer ${peerId} on store ${storeId} votes, and has other records than its leader`);
    }
    const seat = this.#seats.find((at) => at.storeId === storeId);
    if (seat === undefined || seat.node === null || !seat.machine.up) return;
    const replica = seat.node.store.region(id);
    if (replica === null || replica.peerId === peerId) return;
    this.#world.fail("early-voter", `peer ${peerId} on store ${storeId} votes, and there is peer ${replica.peerId}`);
  }
}
