import { compareTokens, noToken, type RootToken } from "../coordinator/journal.ts";
import type { RootEvent } from "../coordinator/root-event.ts";
import { type CoordinatorState, settledTransitionsMax } from "../coordinator/state.ts";
import { type RegionChange, RegionHistory } from "../sim/checkers/region-history.ts";
import { RegionViewChecker } from "../sim/checkers/region-view.ts";
import { SequenceLedger } from "../sim/checkers/sequence.ts";
import type { Machine } from "../sim/machine.ts";
import type { World } from "../sim/world.ts";

/** Ids that a topology file would give to the first stores, regions and peers. */
const firstIds = 5;
export const stores: readonly number[] = [1, 2, 3, 4, 5];

/** What the stores know, what the Coordinator has acknowledged, and what follows from both. Outlives every crash. */
export class CoordinatorTruth {
  readonly world: World;
  readonly machine: Machine;
  readonly history: RegionHistory;
  readonly timestamps = new SequenceLedger("timestamp");
  readonly ids = new SequenceLedger("id");
  readonly map = new RegionViewChecker();
  /** Terminal events that are not acknowledged yet: a store keeps them until they are. */
  readonly owed: RootEvent[] = [];
  /** Transitions that were planned, or were about to be, and will not be carried out. */
  readonly givenUp: string[] = [];
  /** Given out by the Coordinator, to be used by new regions and peers. */
  readonly idPool: number[] = [];
  readonly #configs = new Map<string, number>();
  readonly #planned = new Set<string>();
  readonly #ended = new Set<string>();
  #token: RootToken = noToken;
  #tick = 0;
  #nextFirstId = 0;

  constructor(world: World, machine: Machine) {
    this.world = world;
    this.machine = machine;
    const dice = world.dice("truth");
    const newId = (): number => this.idPool.shift() ?? ++this.#nextFirstId;
    this.history = new RegionHistory({ below: (n) => dice.below(n), newId }, stores);
    const tick = this.tick();
    this.ids.give({ first: 1, count: firstIds, calledUs: tick, returnedUs: tick });
  }

  /** Everything here happens one after the other: a count orders it better than virtual time. */
  tick(): number {
    return ++this.#tick;
  }

  /** Enough ids for any one change. */
  get canChange(): boolean {
    return this.idPool.length >= 16;
  }

  acknowledgeConfig(name: string, value: number): void {
    this.#configs.set(name, Math.max(value, this.#configs.get(name) ?? 0));
  }

  acknowledgePlan(transitionId: string): void {
    this.#planned.add(transitionId);
  }

  acknowledgeEnd(transitionId: string): void {
    this.#ended.add(transitionId);
  }

  acknowledgeToken(token: RootToken, before: RootToken): void {
    if (compareTokens(token, before) < 0) {
      this.world.fail("root-token", `${token.term}/${token.index} after ${before.term}/${before.index}`);
    }
    if (compareTokens(token, this.#token) > 0) this.#token = token;
  }

  get token(): RootToken {
    return this.#token;
  }

  /** What was acknowledged before the crash is there after it. */
  judgeRecovered(state: CoordinatorState, token: RootToken): void {
    const { world } = this;
    if (compareTokens(token, this.#token) < 0) {
      world.fail("root-token", `the journal opened at ${token.term}/${token.index} after ${this.#token.index}`);
    }
    if (state.tsoFence < this.timestamps.last) {
      world.fail("timestamps", `the fence is ${state.tsoFence}, and ${this.timestamps.last} was given out`);
    }
    this.judgeState(state);
    for (const [name, value] of this.#configs) {
      const found = state.config.find((entry) => entry.name === name);
      if (found === undefined || Number(found.value) < value) {
        world.fail("durability", `config ${name} is ${found?.value ?? "gone"}, acknowledged was ${value}`);
      }
    }
  }

  /** At any time. */
  judgeState(state: CoordinatorState): void {
    const { world } = this;
    const wrong = this.map.judge(state.regions);
    if (wrong !== null) world.fail("region-map", wrong);
    const open = [...state.pendingPeerChanges, ...state.pendingRangeChanges].map(({ transitionId }) => transitionId);
    const settled = state.settled.map(({ transitionId }) => transitionId);
    const again = open.find((transitionId) => this.#ended.has(transitionId));
    if (again !== undefined) world.fail("transitions", `${again} is open although its end was acknowledged`);
    // Older ones are forgotten.
    if (settled.length >= settledTransitionsMax) return;
    for (const transitionId of this.#planned) {
      if (open.includes(transitionId) || settled.includes(transitionId)) continue;
      world.fail("transitions", `${transitionId} was acknowledged, and is neither open nor settled`);
    }
  }

  judgeNumbers(): void {
    const wrong = this.timestamps.judge();
    if (wrong !== null) this.world.fail("timestamps", wrong);
    const twice = this.ids.judge();
    if (twice !== null) this.world.fail("ids", twice);
  }
}

/** What the leader of a region publishes before and after `change`; null: nothing. */
export function eventsOf(change: RegionChange): { readonly planned: RootEvent; readonly terminal: RootEvent } | null {
  switch (change.kind) {
    case "leader":
      return null;
    case "split": {
      const { before, after } = change;
      const transitionId = nameOf("split", before);
      const children = after.slice(1);
      const otherIds = children.map(({ id }) => id);
      const splitKeys = children.map(({ start }) => start);
      return {
        planned: {
          kind: "RegionSplitPlanned", transitionId, regionId: before.id, base: before.epoch, otherIds, splitKeys,
        },
        terminal: { kind: "RegionSplitCommitted", transitionId, regions: after },
      };
    }
    case "merge": {
      const { source, target, after } = change;
      const transitionId = nameOf("merge", source);
      const { id: regionId, epoch: base } = source;
      return {
        planned: { kind: "RegionMergePlanned", transitionId, regionId, base, otherIds: [target.id], splitKeys: [] },
        terminal: { kind: "RegionMerged", transitionId, region: after, sourceId: regionId },
      };
    }
    case "add-peer":
    case "remove-peer": {
      const { before, after, peer, kind } = change;
      const transitionId = nameOf(kind, before);
      const plan = { transitionId, regionId: before.id, base: before.epoch, peer };
      const adding = kind === "add-peer";
      return {
        planned: { kind: adding ? "PeerAdditionPlanned" : "PeerRemovalPlanned", ...plan },
        terminal: { kind: adding ? "PeerAdded" : "PeerRemoved", transitionId, region: after },
      };
    }
  }
}

interface Named {
  readonly id: number;
  readonly epoch: { readonly version: number; readonly confVer: number };
}

export function nameOf(what: string, { id, epoch }: Named): string {
  return `${what}/${id}/v${epoch.version}c${epoch.confVer}`;
}
