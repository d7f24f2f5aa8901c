import { type RegionMeta, describeRegion, isBeforeEnd } from "../raft/region.ts";
import { compareKeys } from "../core/bytes/record.ts";
import type { SplitItem } from "../raft/store/admin-entry.ts";
import type { Dice } from "../sim/dice.ts";
import type { World } from "../sim/world.ts";
import { type Office, type RegionSeat, type StoreNemesis, leaderOf } from "./raft-store-nemesis.ts";
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
  #stopped = false;
  asked = 0;
  done = 0;

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
  }

  start(): void {
    const gapMs = this.#dice.between(1, this.#plan.stormGapMsMax);
    this.#world.after(gapMs * 1_000, () => {
      if (this.#stopped || this.asked >= this.#plan.splitsMax) return;
      this.#do();
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
