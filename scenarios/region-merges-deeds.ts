import { compareKeys } from "../core/bytes/record.ts";
import type { StoreNode } from "../node/store-node.ts";
import { type RegionMeta, isBeforeEnd } from "../raft/region.ts";
import type { ChangeOutcome } from "../raft/store/requests.ts";
import type { Dice } from "../sim/dice.ts";
import type { World } from "../sim/world.ts";
import { clusterKeys } from "./cluster-plan.ts";
import type { NodeSeat } from "./cluster-seat.ts";
import { leaderOf } from "./region-seat.ts";
import type { MergesPlan } from "./region-merges-plan.ts";

const encoder = new TextEncoder();

/** What an operator does to regions by hand, at any moment. How it ends is nobody's promise. */
export class MergesDeeds {
  readonly #world: World;
  readonly #plan: MergesPlan;
  readonly #seats: readonly NodeSeat<StoreNode>[];
  readonly #regions: () => readonly RegionMeta[];
  readonly #dice: Dice;
  #starts = 0;
  #stopped = true;
  asked = 0;
  done = 0;

  // oxlint-disable-next-line max-params
  constructor(
    world: World,
    plan: MergesPlan,
    seats: readonly NodeSeat<StoreNode>[],
    regions: () => readonly RegionMeta[],
  ) {
    this.#world = world;
    this.#plan = plan;
    this.#seats = seats;
    this.#regions = regions;
    this.#dice = world.dice("merges-by-hand");
  }

  /** Again after `stop`. */
  start(): void {
    this.#stopped = false;
    this.#later(++this.#starts);
  }

  stop(): void {
    this.#stopped = true;
  }

  #later(start: number): void {
    this.#world.after(this.#dice.between(1, this.#plan.gapMsMax) * 1_000, () => {
      if (this.#stopped || start !== this.#starts || this.asked >= this.#plan.byHandMax) return;
      if (this.#dice.chance(1, 2)) this.#merge();
      else this.#split();
      this.#later(start);
    });
  }

  /** Into its right neighbour, or, now and then, into whatever comes to mind. */
  #merge(): void {
    const regions = this.#regions();
    const at = this.#dice.between(0, regions.length - 1);
    const source = regions[at]?.id ?? 0;
    const isSound = !this.#dice.chance(1, 10);
    const target = (isSound ? regions[at + 1]?.id : this.#dice.pick(regions).id) ?? 0;
    if (target === 0) return;
    this.#ask(source, `region ${source} is to go into ${target}`, (node, done) => {
      node.ranges.merge(source, target, done);
    });
  }

  #split(): void {
    const { id, start, end } = this.#dice.pick(this.#regions());
    const keys = clusterKeys.map((key) => encoder.encode(key)).filter((key) => {
      return compareKeys(start, key) < 0 && isBeforeEnd(key, end);
    });
    if (keys.length === 0) return;
    const key = this.#dice.pick(keys);
    this.#ask(id, `region ${id} is to be divided`, (node, done) => node.ranges.split(id, [key], done));
  }

  #ask(region: number, what: string, run: (node: StoreNode, done: (outcome: ChangeOutcome) => void) => void): void {
    const storeId = leaderOf(this.#seats, region)?.seat.storeId;
    const seat = this.#seats.find((each) => each.storeId === storeId);
    if (seat === undefined) return;
    this.asked++;
    this.#world.story(what);
    void seat.enter((node) => {
      run(node, (outcome) => {
        this.#world.story(`${what}: ${outcome.kind === "done" ? "done" : outcome.reason}`);
        if (outcome.kind === "done") this.done++;
      });
    });
  }
}
