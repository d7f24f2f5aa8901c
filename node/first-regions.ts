import type { Clock, Timer } from "../core/env/clock.ts";
import { DiskError } from "../core/env/disk.ts";
import { NokvError } from "../core/errors.ts";
import type { CoordinatorClient } from "../coordinator/service/client.ts";
import type { StoreStatus } from "../coordinator/store-view.ts";
import { peerOnStore, type RegionMeta } from "../raft/region.ts";
import type { SeedPromotion } from "./seed-promotion.ts";
import type { FirstRegion } from "./topology.ts";

/** The part of a store that begins regions. */
export interface BeginningStore {
  readonly storeId: number;
  readonly admin: { campaign(regionId: number): void };
  regions(): readonly { readonly region: RegionMeta }[];
  bootstrap(region: RegionMeta): Promise<void>;
}

export interface FirstRegionsParts {
  readonly clock: Clock;
  readonly client: Pick<CoordinatorClient, "stores">;
  readonly store: BeginningStore;
  readonly regions: readonly FirstRegion[];
  /** The directory is a seed that was never served: it has its regions, and the Coordinator is to know. */
  readonly promotion: Pick<SeedPromotion, "begin" | "stop"> | null;
  /** No life of this directory has ever joined: if the store is known, it was another directory's. */
  readonly isNew: boolean;
  /** Notes in the directory that the store joins now. Rejects with `NokvError`. */
  readonly noteJoined: () => Promise<void>;
  /** Between two attempts to ask the Coordinator. */
  readonly retryMs: number;
  /** What is to be there is there, durably: the store may join. */
  readonly begun: () => void;
  readonly failed: (error: Error) => void;
}

/** So many begin together: their logs and records share syncs. */
const atATime = 64;

/**
 * The regions of the first day, on a store that has none. A store that joined the cluster before and comes with an
 * empty directory has lost votes that it gave and entries that it acknowledged: it must not begin them again, under the
 * same peers. So the Coordinator is asked first, and a store joins only after its regions have begun.
 */
export class FirstRegions {
  readonly #parts: FirstRegionsParts;
  #timer: Timer | null = null;
  #takesPart = false;
  #stopped = false;
  #noting: Promise<void> | null = null;

  constructor(parts: FirstRegionsParts) {
    this.#parts = parts;
  }

  /** Others may rely on what this store says: it votes, and it acknowledges. */
  get takesPart(): boolean {
    return this.#takesPart;
  }

  begin(): void {
    const { promotion, store, failed } = this.#parts;
    if (promotion !== null) {
      promotion.begin((error) => (error === null ? this.#finish() : failed(error)));
      return;
    }
    // Another life has begun some: what that one promised is here, and may be relied on.
    const isBegun = store.regions().length > 0;
    if (isBegun) this.#takesPart = true;
    // That life may have ended before the last of them; or they were moved away, and then the store is known.
    if (isBegun && this.#missing().length === 0) this.#finish();
    else this.#ask();
  }

  /** Resolves when a promotion that is under way has written what it writes. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#parts.promotion?.stop();
    await this.#noting;
  }

  #ask(): void {
    const { clock, client, retryMs } = this.#parts;
    client.stores((error, stores) => {
      if (this.#stopped) return;
      if (error === null && stores !== null) this.#judge(stores);
      else this.#timer = clock.after(retryMs * 1_000, () => this.#ask());
    });
  }

  #judge(stores: readonly StoreStatus[]): void {
    const { store, isNew, failed } = this.#parts;
    const known = stores.some(({ storeId }) => storeId === store.storeId);
    // Regions are of this directory's own life, which ended before it was noted.
    if (known && isNew && store.regions().length === 0) {
      const what = `store ${store.storeId} has joined before, and its directory is empty: what it promised is lost`;
      const order = `nokv stores decommission ${store.storeId}`;
      const remedy = `bring the directory back, or run "${order}" and start the store under a new id`;
      failed(new NokvError("NOKV_FOREIGN_DIRECTORY", `${what}; ${remedy}`));
    } else if (known) {
      this.#finish();
    } else {
      void this.#bootstrap();
    }
  }

  async #bootstrap(): Promise<void> {
    const { store, failed } = this.#parts;
    const missing = this.#missing();
    try {
      for (let at = 0; at < missing.length; at += atATime) {
        await Promise.all(missing.slice(at, at + atATime).map(({ region }) => store.bootstrap(region)));
      }
    } catch (error) {
      if (!(error instanceof NokvError) && !(error instanceof DiskError)) throw error;
      if (!this.#stopped) failed(error);
      return;
    }
    if (this.#stopped) return;
    // Not before: a store that does not take part hears no answer.
    this.#takesPart = true;
    for (const { region, leaderStoreId } of missing) {
      if (leaderStoreId === store.storeId) store.admin.campaign(region.id);
    }
    this.#finish();
  }

  /** Of the regions that are to be here on the first day, those that are not. */
  #missing(): readonly FirstRegion[] {
    const { store, regions } = this.#parts;
    const held = new Set(store.regions().map(({ region }) => region.id));
    return regions.filter(({ region }) => !held.has(region.id) && peerOnStore(region, store.storeId) !== null);
  }

  #finish(): void {
    const { isNew, promotion } = this.#parts;
    if (this.#stopped) return;
    if (isNew && promotion === null) this.#noting = this.#noteJoined();
    else this.#takePart();
  }

  /** Durable before anybody hears of the store: if it is known at its next start, it was this directory's. */
  async #noteJoined(): Promise<void> {
    const { noteJoined, failed } = this.#parts;
    try {
      await noteJoined();
    } catch (error) {
      if (!(error instanceof NokvError)) throw error;
      if (!this.#stopped) failed(error);
      return;
    }
    if (!this.#stopped) this.#takePart();
  }

  #takePart(): void {
    this.#takesPart = true;
    this.#parts.begun();
  }
}
