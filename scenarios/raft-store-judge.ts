import { versionMax } from "../core/bytes/record.ts";
import { encode } from "../core/bytes/layout.ts";
import { type RegionMeta, describeRegion, peerOnStore, regionLayout } from "../raft/region.ts";
import type { RegionHost } from "../raft/store/region-machine.ts";
import type { World } from "../sim/world.ts";
import { toyAt } from "./raft-store-clients.ts";
import { leaderOf } from "./raft-store-nemesis.ts";
import type { StoreNode, StoreSeat, StoreStage } from "./raft-store-seat.ts";

/** Families that a region's records are in. */
const families = [0, 1, 2];
const recordsMax = 10_000;

/** Looks at all stores at once, now and then, and at what they hold in the end. */
export class StoreJudge {
  readonly #stage: StoreStage;
  readonly #world: World;
  readonly #seats: readonly StoreSeat[];
  /** By process and region. */
  readonly #seen = new Map<StoreNode, Map<number, RegionMeta>>();
  /** By region and epoch: the descriptor, as its first holder had it. */
  readonly #descriptors = new Map<string, string>();
  readonly #hashes = new Map<string, string>();

  constructor(stage: StoreStage, seats: readonly StoreSeat[]) {
    this.#stage = stage;
    this.#world = stage.world;
    this.#seats = seats;
  }

  look(): void {
    for (const { node, machine } of this.#seats) {
      if (node === null || !machine.up) continue;
      for (const view of node.store.regions()) {
        this.#descriptor(machine.name, node, view.region);
        const { index, high, low } = view.applyState;
        this.#hash(machine.name, view.region.id, index, `${high}.${low}`);
      }
      this.#bounds(machine.name, node);
    }
  }

  /** Every member of every region has what its leader has, and nobody else is there. */
  upToDate(): boolean {
    for (let region = 1; region <= this.#stage.plan.regions; region++) {
      const office = leaderOf(this.#seats, region);
      if (office === null) return false;
      const index = office.node.store.region(region)?.applyState.index;
      for (const { storeId, node, machine } of this.#seats) {
        const isMember = office.region.peers.some((peer) => peer.storeId === storeId);
        if (node === null || !machine.up) return false;
        const toy = toyAt(node, region);
        if (!isMember && toy !== null && !isForgotten(toy.host, storeId)) return false;
        if (isMember && toy === null) return false;
        if (toy === null || !isMember) continue;
        if (node.store.region(region)?.applyState.index !== index || toy.waitingCount > 0) return false;
      }
    }
    return true;
  }

  /** The records of all replicas, byte for byte. */
  async compare(): Promise<void> {
    for (let region = 1; region <= this.#stage.plan.regions; region++) {
      let first: { name: string; records: string } | null = null;
      for (const seat of this.#seats) {
        const { machine } = seat;
        let records = "";
        const looked = await seat.enter((node) => {
          const view = node.store.region(region);
          if (view === null || isForgotten(view, seat.storeId)) return;
          records = recordsOf(node, view.region);
        });
        if (!looked || records === "") continue;
        if (first === null) first = { name: machine.name, records };
        else if (first.records !== records) {
          const both = `${first.name}: ${first.records}\n${machine.name}: ${records}`;
          this.#world.fail("replicas", `region ${region} is not the same everywhere\n${both}`);
        }
      }
    }
  }

  standing(): string {
    const lines: string[] = [];
    for (const { node, machine } of this.#seats) {
      if (node === null) lines.push(`${machine.name} is ${machine.up ? "starting" : "down"}`);
      for (const { region, leadingTerm, leaderStore, applyState, machine: toy } of node?.store.regions() ?? []) {
        const role = leadingTerm > 0 ? `leads ${leadingTerm}` : `follows ${leaderStore}`;
        const peers = region.peers.map(({ peerId, storeId, role: as }) => `${peerId}@${storeId} ${as}`).join(", ");
        const waiting = "waitingCount" in toy ? Number(toy.waitingCount) : 0;
        const where = `${describeRegion(region)}, applied ${applyState.index}`;
        lines.push(`${machine.name} ${role} in ${where}, ${waiting} wait (${peers})`);
      }
    }
    return `no progress after the faults:\n${lines.join("\n")}`;
  }

  #descriptor(name: string, node: StoreNode, region: RegionMeta): void {
    const seen = this.#seen.get(node) ?? new Map<number, RegionMeta>();
    this.#seen.set(node, seen);
    const known = seen.get(region.id);
    seen.set(region.id, region);
    if (known !== undefined) {
      const { version, confVer } = known.epoch;
      if (region.epoch.version < version || region.epoch.confVer < confVer) {
        this.#world.fail("region", `${name} has ${describeRegion(region)} after ${describeRegion(known)}`);
      }
    }
    const key = `${region.id}/${region.epoch.version}/${region.epoch.confVer}`;
    const own = [...encode(regionLayout, region)].join(",");
    const other = this.#descriptors.get(key);
    if (other === undefined) this.#descriptors.set(key, own);
    else if (other !== own) this.#world.fail("region", `${name}: two descriptors are ${describeRegion(region)}`);
  }

  // oxlint-disable-next-line max-params -- who, where, and what
  #hash(name: string, region: number, index: number, hash: string): void {
    const key = `${region}/${index}`;
    const known = this.#hashes.get(key);
    if (known === undefined) this.#hashes.set(key, hash);
    else if (known !== hash) {
      this.#world.fail("history-hash", `at ${index} of region ${region} ${name} has ${hash}, others ${known}`);
    }
  }

  #bounds(_name: string, _node: StoreNode): void {}
}

/** A learner that was removed while it heard of nobody: it asks for no votes, so nobody tells it. */
function isForgotten({ region, leaderStore }: Pick<RegionHost, "region" | "leaderStore">, storeId: number): boolean {
  return leaderStore === 0 && peerOnStore(region, storeId)?.role === "learner";
}

const decoder = new TextDecoder();

function recordsOf(node: StoreNode, { start, end }: RegionMeta): string {
  const lines = families.flatMap((family) => {
    const wish = { family, start, end, versionMax, limit: recordsMax, live: true };
    return node.engine
      .scan(wish)
      .map(({ key, value }) => `${family} ${decoder.decode(key)}=${value === null ? "-" : decoder.decode(value)}`);
  });
  return lines.join("; ");
}
