import { encode } from "../core/bytes/layout.ts";
import { type RegionMeta, describeRegion, regionLayout } from "../raft/region.ts";
import type { PeerView } from "../raft/store/peer-view.ts";

/** What stores say of their regions: epochs only grow, one epoch is one descriptor, one place one history. */
export class RegionViews {
  readonly #fail: (oracle: string, message: string) => never;
  /** By process and region. */
  readonly #seen = new Map<object, Map<number, RegionMeta>>();
  /** By region and epoch: the descriptor, as its first holder had it. */
  readonly #descriptors = new Map<string, string>();
  readonly #hashes = new Map<string, string>();

  constructor(fail: (oracle: string, message: string) => never) {
    this.#fail = fail;
  }

  /** `process` is the same object while one process lasts. */
  look(name: string, process: object, view: Pick<PeerView, "region" | "applyState">): void {
    this.#descriptor(name, process, view.region);
    const { index, high, low } = view.applyState;
    this.#agree("history-hash", this.#hashes, `${view.region.id}/${index}`, `${high}.${low}`, name);
  }

  // oxlint-disable-next-line max-params
  #agree(oracle: string, all: Map<string, string>, key: string, own: string, name: string): void {
    const known = all.get(key);
    if (known === undefined) all.set(key, own);
    else if (known !== own) this.#fail(oracle, `at ${key} ${name} has ${own}, others ${known}`);
  }

  #descriptor(name: string, process: object, region: RegionMeta): void {
    const seen = this.#seen.get(process) ?? new Map<number, RegionMeta>();
    this.#seen.set(process, seen);
    const known = seen.get(region.id);
    seen.set(region.id, region);
    if (known !== undefined) {
      const { version, confVer } = known.epoch;
      if (region.epoch.version < version || region.epoch.confVer < confVer) {
        this.#fail("region", `${name} has ${describeRegion(region)} after ${describeRegion(known)}`);
      }
    }
    const key = `${region.id}/${region.epoch.version}/${region.epoch.confVer}`;
    this.#agree("region", this.#descriptors, key, [...encode(regionLayout, region)].join(","), name);
  }
}
