import type { CommittedEntry } from "../raft/store/region-machine.ts";
import type { HistoryHash } from "../raft/store/history-hash.ts";
import type { World } from "../sim/world.ts";

/** What an oracle needs of a run. */
export type Court = Pick<World, "nowUs" | "fail">;

/** The place of an entry among those of the region's machine, from 1. */
interface Placed {
  readonly index: number;
  readonly term: number;
  readonly operation: number;
  readonly stale: boolean;
}

/** How an operation looks from the outside: where it stands, and when any replica applied it first. */
export interface Applied {
  readonly region: number;
  readonly index: number;
  readonly firstUs: number;
  readonly stale: boolean;
}

/**
 * Sees what every replica applies, which no replica can. One history per region: the n-th entry is the same everywhere,
 * each operation stands in it once, and equal places have equal hashes.
 */
export class StoreWitness {
  readonly #world: Court;
  readonly #histories = new Map<number, Placed[]>();
  readonly #hashes = new Map<string, string>();
  readonly #applied = new Map<number, Applied>();
  readonly #refused = new Map<number, string>();
  /** By region: the place of the last acknowledged entry, and its term. */
  readonly #acknowledged = new Map<number, { count: number; term: number }[]>();

  constructor(world: Court) {
    this.#world = world;
  }

  get appliedCount(): number {
    return this.#applied.size;
  }

  find(operation: number): Applied | null {
    return this.#applied.get(operation) ?? null;
  }

  /** `store` applies `entry` as the region's `count`-th. */
  // oxlint-disable-next-line max-params -- who, where, and what
  applies(store: string, region: number, count: number, entry: CommittedEntry & { readonly operation: number }): void {
    const { index, term, operation, stale } = entry;
    const history = this.#histories.get(region) ?? [];
    this.#histories.set(region, history);
    const refused = this.#refused.get(operation);
    if (refused !== undefined) {
      this.#world.fail("definite", `${store} applies ${operation}, which was refused (${refused})`);
    }
    const known = history[count - 1];
    if (known === undefined) {
      if (count !== history.length + 1) {
        this.#world.fail("history", `${store} applies entry ${count} of region ${region}; nobody had ${count - 1}`);
      }
      history.push({ index, term, operation, stale });
      const before = this.#applied.get(operation);
      if (before !== undefined) {
        this.#world.fail("twice", `operation ${operation} stands at ${before.index} and ${index} of region ${region}`);
      }
      this.#applied.set(operation, { region, index, firstUs: this.#world.nowUs, stale });
      return;
    }
    if (known.index === index && known.term === term && known.operation === operation && known.stale === stale) return;
    const [own, other] = [describe({ index, term, operation, stale }), describe(known)];
    this.#world.fail("history", `${store} applies ${own} as entry ${count} of region ${region}, others ${other}`);
  }

  /** The hash of a replica whose last applied entry is at `index`. */
  // oxlint-disable-next-line max-params -- who, where, and what
  hashed(store: string, region: number, index: number, hash: HistoryHash): void {
    const key = `${region}/${index}`;
    const own = `${hash.high}.${hash.low}`;
    const known = this.#hashes.get(key);
    if (known === undefined) this.#hashes.set(key, own);
    else if (known !== own) {
      this.#world.fail("history-hash", `at ${index} of region ${region} ${store} has ${own}, others ${known}`);
    }
  }

  refused(operation: number, why: string): void {
    if (this.#applied.has(operation)) {
      this.#world.fail("definite", `operation ${operation} was refused (${why}), and is applied`);
    }
    this.#refused.set(operation, why);
  }

  acknowledged(region: number, count: number, term: number): void {
    const all = this.#acknowledged.get(region) ?? [];
    this.#acknowledged.set(region, all);
    const last = all.at(-1);
    if (last?.term === term) last.count = Math.max(last.count, count);
    else all.push({ count, term });
  }

  /** Who leads `term` has everything that was acknowledged in earlier ones. */
  // oxlint-disable-next-line max-params -- who, where, and what
  leads(store: string, region: number, term: number, count: number): void {
    for (const acknowledged of this.#acknowledged.get(region) ?? []) {
      if (acknowledged.term >= term || acknowledged.count <= count) continue;
      const lack = `entry ${acknowledged.count}, acknowledged in ${acknowledged.term}`;
      this.#world.fail("lead", `${store} leads region ${region} in ${term} with ${count} entries: it lacks ${lack}`);
    }
  }
}

function describe({ index, term, operation, stale }: Placed): string {
  return `${operation} at ${index}/${term}${stale ? " (stale)" : ""}`;
}
