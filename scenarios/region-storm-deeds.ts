import { type RegionMeta, describeRegion, isBeforeEnd } from "../raft/region.ts";
import { compareKeys } from "../core/bytes/record.ts";
import type { SplitItem } from "../raft/store/admin-entry.ts";
import type { Dice } from "../sim/dice.ts";
import type { World } from "../sim/world.ts";
import type { StoreNemesis } from "./raft-store-nemesis.ts";
import { type Office, type RegionSeat, leaderOf } from "./region-seat.ts";
import type { StormPlan } from "./region-storm-plan.ts";
import type { StormMap } from "./region-storm-map.ts";

const encoder = new TextEncoder();

/** What is done to the regions themselves, at any moment. How it ends is nobody's promise. */
export class StormDeeds {
  readonly #world: World;
  readonly #plan: StormPlan;
  readonly #seats: readonly RegionSeat[];
  readonly #map: StormMap;
  readonly #ids: Pick<StoreNemesis, "newId">;
  readonly #dice: Dice;
  readonly #merges: Dice;
  #stopped = false;
  asked = 0;
  done = 0;
  /** Merges, and how many of them are known to have happened, or to have been taken back. */
  merges = 0;
  merged = 0;
  takenBack = 0;

  // oxlint-disable-next-line max-params -- what it works with
  constructor(
    world: World,
    plan: StormPlan,
    seats: readonly RegionSeat[],
    map: StormMap,
    ids: Pick<StoreNemesis, "newId">,
  ) {
    this.#world = world;
    this.#plan = plan;
    this.#seats = seats;
    this.#map = map;
    this.#ids = ids;
    this.#dice = world.dice("storm");
    this.#merges = world.dice("storm-merge");
  }

  start(): void {
    const gapMs = this.#dice.between(1, this.#plan.stormGapMsMax);
    this.#world.after(gapMs * 1_000, () => {
      const isOver = this.asked >= this.#plan.splitsMax && this.merges >= this.#plan.mergesMax;
      if (this.#stopped || isOver) return;
      if (this.merges < this.#plan.mergesMax && this.#merges.chance(1, 2)) this.#merge();
      else if (this.asked < this.#plan.splitsMax) this.#do();
      this.start();
    });
  }

  stop(): void {
    this.#stopped = true;
  }

  #do(): void {
    const region = this.#dice.pick(this.#map.ids());
    const office = leaderOf(this.#seats, region);
    if (office === null) return;
    const keys = this.#keysIn(office);
    if (keys.length === 0) return;
    const count = this.#dice.chance(1, 5) ? 2 : 1;
    const chosen = new Set(Array.from({ length: count }, () => this.#dice.pick(keys)));
    this.#split(office, [...chosen].toSorted());
    // Two who want the same, or not quite: one of them comes too late.
    if (this.#dice.chance(1, 6)) this.#split(office, [this.#dice.pick(keys)]);
  }

  /** Into its right neighbour, or, now and then, into whatever comes to mind. */
  #merge(): void {
    const ids = this.#map.ids();
    const at = this.#merges.between(0, ids.length - 1);
    const source = ids[at] ?? 0;
    const isSound = !this.#merges.chance(1, 10);
    const target = isSound ? (ids[at + 1] ?? 0) : this.#merges.pick(ids);
    const office = leaderOf(this.#seats, source);
    if (office === null || target === 0) return;
    this.merges++;
    void office.seat.enter(({ store }) => {
      this.#world.story(`region ${source} is to be merged into ${target}`);
      store.admin.merge(source, target, (outcome) => {
        this.#world.story(`region ${source} into ${target}: ${outcome.kind === "done" ? "merged" : outcome.reason}`);
        if (outcome.kind === "done") this.merged++;
        else if (outcome.reason.startsWith("the freeze was taken back")) this.takenBack++;
      });
    });
  }

  #split({ seat, region: { id } }: Office, keys: readonly string[]): void {
    this.asked++;
    void seat.enter(({ store }) => {
      const region = store.region(id)?.region;
      if (region === undefined) return;
      const items: SplitItem[] = keys.map((key) => ({
        key: encoder.encode(key),
        regionId: this.#ids.newId(),
        peerIds: region.peers.map(() => this.#ids.newId()),
      }));
      this.#world.story(`region ${id} is to be divided at ${keys.join(", ")}`);
      store.admin.split(id, items, (outcome) => {
        if (outcome.kind !== "done") return;
        this.done++;
        for (const child of outcome.children) this.#compare(outcome.region, child);
      });
    });
  }

  /** Where the parent has a peer its child has one, and in its role. */
  #compare(parent: RegionMeta, child: RegionMeta): void {
    const places = ({ peers }: RegionMeta): string => peers.map(({ storeId, role }) => `${role}@${storeId}`).join();
    const [ours, theirs] = [places(parent), places(child)];
    if (ours === theirs) return;
    this.#world.fail("region-map", `${describeRegion(child)} has ${theirs}, its parent ${ours}`);
  }

  /** At a key that is used, or right behind one. */
  #keysIn({ region }: Office): string[] {
    return this.#plan.keys
      .flatMap((key) => [key, `${key}!`])
      .filter((key) => {
        const bytes = encoder.encode(key);
        return compareKeys(region.start, bytes) < 0 && isBeforeEnd(bytes, region.end);
      });
  }
}
