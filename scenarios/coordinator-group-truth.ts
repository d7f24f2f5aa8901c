import { encode } from "../core/bytes/layout.ts";
import type { CoordinatorError, CoordinatorErrorCode } from "../coordinator/coordinator-error.ts";
import type { CoordinatorClient } from "../coordinator/service/client.ts";
import { compareTokens, noToken, type RootToken } from "../coordinator/journal.ts";
import type { RouteAnswer } from "../coordinator/route.ts";
import { type CoordinatorState, stateLayout } from "../coordinator/state.ts";
import type { RegionMeta } from "../raft/region.ts";
import type { Dice } from "../sim/dice.ts";
import type { World } from "../sim/world.ts";
import { firstRegions } from "./coordinator-callers.ts";

/** Asks once, and judges how it ends. True: it was served. */
type Ask = (oracle: string, timeoutMs: number, ask: (done: Done) => void) => Promise<boolean>;
type Done = (error: CoordinatorError | null) => void;

/** Stores that join have ids from here on: nobody else's. */
const firstStoreId = 10_000;
const storesMax = 150;
const requestMs = 2_000;
const didNotHappen: readonly CoordinatorErrorCode[] = ["ROOT_UNAVAILABLE", "EPOCH_MISMATCH", "BUSY"];

/** What a group was told and has acknowledged, over all of its members and lives. */
export class GroupTruth {
  readonly #world: World;
  /** In the order in which it was acknowledged that they joined. */
  readonly joined: number[] = [];
  /** Of these it was said that nothing happened. */
  readonly #refused: number[] = [];
  #stores = 0;
  #attemptedVersion = 1;
  #version = 1;
  #token: RootToken = noToken;
  /** A digest of the state by its token, whoever had it. */
  readonly #states = new Map<string, string>();

  constructor(world: World) {
    this.#world = world;
  }

  /** One thing that a process does with `client`; true: it was served. */
  step(client: CoordinatorClient, dice: Dice, ask: Ask): Promise<boolean> {
    const kind = dice.below(10);
    if (kind < 3) return this.#join(client, dice, ask);
    if (kind < 5) return this.#list(client, ask);
    if (kind < 7) return this.#beat(client, ask);
    if (kind < 9) return this.#strong(client, ask);
    return this.#weak(client, dice, ask);
  }

  /** Of a member that is up. */
  look(name: string, token: RootToken, state: CoordinatorState): void {
    const place = `${token.term}/${token.index}`;
    const digest = digestOf(state);
    const known = this.#states.get(place);
    if (known === undefined) this.#states.set(place, digest);
    else if (known !== digest) this.#world.fail("states", `${name} has another state at ${place} than others had`);
  }

  /** In the end, of every member. */
  judgeEnd(name: string, { stores, regions }: CoordinatorState): void {
    const known = new Set(stores.map(({ storeId }) => storeId));
    const lost = this.joined.filter((storeId) => !known.has(storeId));
    const risen = this.#refused.find((storeId) => known.has(storeId));
    if (risen !== undefined) {
      this.#world.fail("answers", `${name} knows store ${risen}, of which it was said that nothing happened`);
    }
    if (lost.length > 0) this.#world.fail("durability", `${name} has lost store ${lost[0]}, which joined`);
    const version = regions[0]?.epoch.version ?? 0;
    if (version < this.#version) {
      this.#world.fail("durability", `${name} knows version ${version} of region 1, and ${this.#version} was accepted`);
    }
  }

  get acknowledged(): number {
    return this.joined.length + this.#version - 1;
  }

  #join(client: CoordinatorClient, dice: Dice, ask: Ask): Promise<boolean> {
    if (this.#stores >= storesMax) return this.#list(client, ask);
    const storeId = firstStoreId + this.#stores++;
    const event = { kind: "StoreJoined", storeId, address: `s${storeId}:1`, labels: [] } as const;
    return ask("answers", requestMs, (done) =>
      client.publish(event, dice.chance(1, 8) ? 1 : 0, (error, published) => {
        if (error !== null && didNotHappen.includes(error.code)) this.#refused.push(storeId);
        if (error?.code === "EPOCH_MISMATCH") return done(null);
        if (published?.accepted === false) {
          this.#world.fail("answers", `a store that joins is refused: ${published.assessment.detail}`);
        }
        if (published?.accepted === true) {
          this.joined.push(storeId);
          if (compareTokens(published.token, this.#token) > 0) this.#token = published.token;
        }
        done(error);
      }),
    );
  }

  /** Everybody who had joined when it was asked is in the list. */
  #list(client: CoordinatorClient, ask: Ask): Promise<boolean> {
    const must = this.joined.length;
    return ask("answers", requestMs, (done) =>
      client.stores((error, stores) => {
        const told = new Set((stores ?? []).map(({ storeId }) => storeId));
        const missing = stores === null ? undefined : this.joined.slice(0, must).find((storeId) => !told.has(storeId));
        if (missing !== undefined) {
          this.#world.fail("freshness", `store ${missing} joined before the stores were asked for, and is not told`);
        }
        done(error);
      }),
    );
  }

  /** The first region's range moves on by a version: its leader says so. */
  #beat(client: CoordinatorClient, ask: Ask): Promise<boolean> {
    const version = ++this.#attemptedVersion;
    const [first] = firstRegions;
    const region: RegionMeta = { ...(first as RegionMeta), epoch: { version, confVer: 1 } };
    const leaderPeerId = region.peers[0]?.peerId ?? 0;
    return ask("answers", requestMs, (done) =>
      client.regionHeartbeat({ region, leaderPeerId, term: version }, (error) => {
        if (error === null) this.#version = Math.max(this.#version, version);
        // Others may have said more meanwhile.
        const isOld = error?.code === "STALE_HEARTBEAT" && version < this.#attemptedVersion;
        done(isOld ? null : error);
      }),
    );
  }

  #strong(client: CoordinatorClient, ask: Ask): Promise<boolean> {
    const must = this.#version;
    return ask("freshness", requestMs, (done) =>
      client.route({ key: Uint8Array.of(1) }, (error, answer) => {
        if (answer !== null) {
          const version = answer.region?.epoch.version ?? 0;
          if (version < must) {
            const what = `a strong route tells version ${version}, and ${must} was accepted before it was asked for`;
            this.#world.fail("freshness", what);
          }
          if (answer.servedFreshness !== "STRONG" || !answer.servedByLeader || answer.rootLag > 0) {
            this.#world.fail("freshness", `a strong route is served as ${answer.servedFreshness}`);
          }
        }
        done(error);
      }),
    );
  }

  #weak(client: CoordinatorClient, dice: Dice, ask: Ask): Promise<boolean> {
    const freshness = dice.pick(["BOUNDED", "BEST_EFFORT"] as const);
    const maxRootLag = dice.pick([0, 3, 100]);
    const requiredToken = dice.chance(1, 2) ? this.#token : noToken;
    return ask("freshness", requestMs, (done) =>
      client.route({ key: Uint8Array.of(1), freshness, maxRootLag, requiredToken }, (error, answer) => {
        const wrong = answer === null ? null : downgrade(answer, freshness, maxRootLag, requiredToken);
        if (wrong !== null) this.#world.fail("freshness", wrong);
        done(error);
      }),
    );
  }
}

/** What an answer keeps back of how old it is; null: nothing. */
// oxlint-disable-next-line max-params
function downgrade(
  answer: RouteAnswer,
  freshness: "BOUNDED" | "BEST_EFFORT",
  maxRootLag: number,
  requiredToken: RootToken,
): string | null {
  const { servedFreshness, rootLag, servedToken, degradedMode } = answer;
  if (servedFreshness !== freshness) return `a ${freshness} route is served as ${servedFreshness}`;
  if (rootLag > 0 && degradedMode === "HEALTHY") return `a route that is ${rootLag} events behind is called healthy`;
  if (freshness === "BEST_EFFORT") return null;
  if (rootLag > maxRootLag) return `a route is ${rootLag} events behind, and ${maxRootLag} were allowed`;
  if (compareTokens(servedToken, requiredToken) >= 0) return null;
  return `a route is of ${servedToken.term}/${servedToken.index}, before what was asked for`;
}

function digestOf(state: CoordinatorState): string {
  const bytes = encode(stateLayout, state);
  let high = 0x811c_9dc5;
  let low = 0x01000193;
  for (let i = 0; i < bytes.length; i++) {
    high = Math.imul(high ^ (bytes[i] as number), 0x0100_0193) >>> 0;
    low = (Math.imul(low, 31) + (bytes[i] as number)) >>> 0;
  }
  return `${bytes.length}-${high}-${low}`;
}
