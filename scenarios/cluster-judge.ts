import { columnFamily, versionMax } from "../core/bytes/record.ts";
import type { Engine } from "../core/engine/engine.ts";
import type { StoreNode } from "../node/store-node.ts";
import type { RegionMeta } from "../raft/region.ts";
import type { TimestampModel } from "../sim/checkers/timestamp-model.ts";
import type { World } from "../sim/world.ts";
import { decodeLock } from "../txn/percolator/lock.ts";
import type { NodeSeat } from "./cluster-seat.ts";
import { leaderOf } from "./region-seat.ts";
import { StormMap } from "./region-storm-map.ts";
import { RegionViews } from "./region-views.ts";
import { isOfGateways } from "./cluster-user.ts";
import { textOf } from "./txn-user.ts";

const recordsMax = 100_000;

/** What the stores of a cluster hold, now and in the end. */
export class ClusterJudge {
  readonly #world: World;
  readonly #seats: readonly NodeSeat<StoreNode>[];
  readonly #views: RegionViews;
  readonly map: StormMap;

  constructor(world: World, seats: readonly NodeSeat<StoreNode>[]) {
    this.#world = world;
    this.#seats = seats;
    this.map = new StormMap(world, seats, []);
    this.#views = new RegionViews((oracle, message) => world.fail(oracle, message));
  }

  /** The regions that there are, by start key. */
  regions(): readonly RegionMeta[] {
    return this.map.current();
  }

  /** Of the regions that there are, in no order that matters. */
  regionIds(): readonly number[] {
    this.map.look();
    return this.map.ids();
  }

  look(): void {
    this.map.look();
    for (const { node, machine } of this.#seats) {
      if (node === null || !machine.up) continue;
      for (const view of node.store.regions()) this.#views.look(machine.name, node, view);
      const { malformed } = node.transport.statistics;
      if (malformed > 0 && this.#world.faultCount("net.corrupt") === 0) {
        this.#world.fail("protocol", `${machine.name} was sent ${malformed} frames that make no sense`);
      }
      const overslept = node.store.overslept();
      if (overslept !== null) this.#world.fail("asleep", `${machine.name}: ${overslept}`);
    }
  }

  /** Every member of every region has applied what its leader has. */
  upToDate(): boolean {
    this.map.look();
    if (this.map.gap() !== null) return false;
    for (const region of this.map.ids()) {
      const office = leaderOf(this.#seats, region);
      if (office === null) return false;
      if (!office.region.peers.every(({ role }) => role === "voter" || role === "learner")) return false;
      const index = office.store.region(region)?.applyState.index;
      for (const { storeId, node, condemned } of this.#seats) {
        if (condemned) continue;
        if (node === null) return false;
        if (!office.region.peers.some((peer) => peer.storeId === storeId)) continue;
        if (node.store.region(region)?.applyState.index !== index) return false;
      }
    }
    return true;
  }

  /**
   * Locks that nobody resolved, and values under them, on the stores that lead. `promotions`: also those that only
   * keep writers off, which no reader meets.
   */
  async locksLeft(promotions: boolean): Promise<number> {
    let left = 0;
    await this.#eachLeader((engine, { start, end }) => {
      for (const family of [columnFamily.lock, columnFamily.prewrite]) {
        const wish = { family, start, end: end.length === 0 ? null : end, versionMax, limit: recordsMax, live: true };
        left += engine.scan(wish).filter(({ value }) => {
          return promotions || family !== columnFamily.lock || value === null || decodeLock(value).kind !== "lock";
        }).length;
      }
    });
    return left;
  }

  /** Every version of the transactions' keys, as the leaders have them. */
  async observe(model: TimestampModel): Promise<void> {
    await this.#eachLeader((engine, { start, end }) => {
      const family = columnFamily.data;
      const wish = { family, start, end: end.length === 0 ? null : end, versionMax, limit: recordsMax, live: false };
      for (const { key } of engine.scan(wish)) {
        const name = textOf(key);
        if (!isOfGateways(name)) observeKey(model, engine, name, key);
      }
    });
  }

  /** The newest records of all replicas, byte for byte. */
  async compare(): Promise<void> {
    for (const region of this.map.ids()) {
      const meta = leaderOf(this.#seats, region)?.region;
      if (meta === undefined) continue;
      let first: { name: string; records: string } | null = null;
      for (const seat of this.#seats) {
        if (!meta.peers.some(({ storeId }) => storeId === seat.storeId)) continue;
        let records = "";
        await seat.enter(({ engine }) => {
          records = recordsOf(engine, meta);
        });
        if (first === null) first = { name: seat.machine.name, records };
        else if (first.records !== records) {
          const both = `${first.name}: ${first.records}\n${seat.machine.name}: ${records}`;
          this.#world.fail("replicas", `region ${region} is not the same everywhere\n${both}`);
        }
      }
    }
  }

  standing(): string {
    return this.#seats
      .map(({ machine, node }) => {
        if (node === null) return `${machine.name} is ${machine.up ? "starting" : "down"}`;
        const regions = node.store.regions().map(({ region, leadingTerm, leaderStore, applyState }) => {
          const role = leadingTerm > 0 ? `leads ${leadingTerm}` : `follows ${leaderStore}`;
          const peers = region.peers.map(({ storeId, role: as }) => `${storeId} ${as}`).join(", ");
          return `${region.id} ${role} at ${applyState.index} (${peers})`;
        });
        return `${machine.name} [${node.waitingFor().join(", ")}]: ${regions.join("; ")}`;
      })
      .join("\n");
  }

  /** Leaders, and where there is none just now who has applied the most: all are up to date when this is asked. */
  async #eachLeader(look: (engine: Engine, region: RegionMeta) => void): Promise<void> {
    for (const region of this.map.ids()) {
      const storeId = leaderOf(this.#seats, region)?.seat.storeId ?? this.#furthest(region);
      const seat = this.#seats.find((candidate) => candidate.storeId === storeId);
      await seat?.enter(({ engine, store }) => {
        const view = store.region(region);
        if (view !== null) look(engine, view.region);
      });
    }
  }

  /** 0: no store has the region. */
  #furthest(region: number): number {
    let best = { storeId: 0, index: -1 };
    for (const { node, storeId } of this.#seats) {
      const index = node?.store.region(region)?.applyState.index ?? -1;
      if (index > best.index) best = { storeId, index };
    }
    return best.storeId;
  }
}

// oxlint-disable-next-line max-params
function observeKey(model: TimestampModel, engine: Engine, name: string, key: Uint8Array): void {
  let upTo = versionMax;
  for (;;) {
    const record = engine.newest(columnFamily.data, key, upTo);
    if (record === null) return;
    const { version, value, expiresAtMs } = record;
    model.observe({ key: name, version, value: value === null ? null : textOf(value), expiresAtMs });
    upTo = version - 1;
  }
}

function recordsOf(engine: Engine, { start, end }: RegionMeta): string {
  const { data, lock, prewrite } = columnFamily;
  return [data, lock, prewrite]
    .flatMap((family) => {
      const wish = { family, start, end: end.length === 0 ? null : end, versionMax, limit: recordsMax, live: true };
      return engine.scan(wish).map(({ key, value }) => `${family} ${textOf(key)}=${[...(value ?? [])].join(",")}`);
    })
    .join("; ");
}
