import { assert } from "../../core/assert.ts";
import { type ContentSum, contentText } from "../../core/bytes/content-hash.ts";
import type { Env } from "../../core/env/env.ts";
import { NokvError } from "../../core/errors.ts";
import {
  expandAfterAdd,
  expandAfterJournal,
  expandAfterPromote,
  expandAfterReserve,
  expandAfterSettle,
  expandAfterVerify,
  expandBeforeAdd,
} from "../../failpoints/catalog.ts";
import { describeRpcError } from "../../net/rpc/rpc-error.ts";
import { type RegionMeta, describeRegion, peerById, peerOnStore, rangesOverlap } from "../../raft/region.ts";
import type { PeerChange } from "../../raft/store/peer-change.ts";
import type { ReplicaProgress } from "../../raft/store/admin-messages.ts";
import type { SnapshotProgress } from "../../raft/store/snapshot-senders.ts";
import {
  type LedRegion, type Survey, ledProblem, ledRegion, ledRegions, replicaOn, silentStores,
} from "../survey.ts";
import type { ClusterAdmin } from "./cluster-admin.ts";
import { contentOfRegion, differing, differingKeys, sleep } from "./content-check.ts";
import type { ExpandJournal } from "./expand-journal.ts";
import { type ExpandStep, type ExpandWish, nextExpandStep } from "./expand-step.ts";
import { compareHistory, learnersBehind } from "./learner-check.ts";
import { Patience } from "./patience.ts";

/** How patient an operator's process is. */
export interface ExpandPace {
  readonly pollMs: number;
  /** When nothing at all has changed for so long, it gives up; the same command goes on later. */
  readonly stallMs: number;
}

export const expandPaceDefault: ExpandPace = { pollMs: 200, stallMs: 60_000 };

/** What is told while it works: for people, in the order in which it happens. */
export type ExpandEvent =
  | { readonly kind: "step"; readonly regionId: number; readonly text: string }
  /** It takes long, and this is why. */
  | { readonly kind: "wait"; readonly text: string }
  | {
      readonly kind: "snapshot";
      readonly regionId: number;
      readonly storeId: number;
      readonly sentBytes: number;
      readonly totalBytes: number;
    };

/** What those need who read a cluster patiently. */
export interface ExpandReach {
  readonly env: Env;
  readonly admin: ClusterAdmin;
  readonly pace: ExpandPace;
  readonly report: (event: ExpandEvent) => void;
}

export interface ExpandWorld extends ExpandReach {
  readonly journal: ExpandJournal;
}

export interface ExpandedRegion {
  readonly region: RegionMeta;
  readonly leaderStore: number;
  readonly applied: number;
  /** As it was on all replicas before the promotion; null: there was nothing to promote. */
  readonly content: ContentSum | null;
}

/** The way of one region to the voters of the wish, step by step; each is chosen by what is there now. */
export class RegionExpansion {
  readonly #world: ExpandWorld;
  readonly #wish: ExpandWish;
  readonly #regionId: number;
  #verified: readonly number[] = [];
  #content: ContentSum | null = null;
  #settledAt = 0;
  /** Whatever tells that the region, or what is to be done with it, has moved. */
  #signature = "";
  /** Of each learner: how far it followed at most. */
  readonly #furthest = new Map<number, { readonly match: number; readonly sentBytes: number }>();
  readonly #patience: Patience;
  #told = "";

  constructor(world: ExpandWorld, wish: ExpandWish, regionId: number) {
    this.#world = world;
    this.#wish = wish;
    this.#regionId = regionId;
    const { env, pace, report } = world;
    this.#patience = new Patience(env.clock, pace.stallMs, (text) => report({ kind: "wait", text }));
  }

  /** Null: the region is there no more, another one has its keys. */
  async run(): Promise<ExpandedRegion | null> {
    const { env, admin, pace } = this.#world;
    for (;;) {
      const survey = await admin.survey(this.#wish.stores);
      const led = ledRegion(survey, this.#regionId);
      if (led === null && ledProblem(ledRegions(survey)) === null) return null;
      if (led === null) {
        this.#wait(["nobody leads it", ...silentStores(survey)].join("; "));
      } else {
        const journal = this.#world.journal.targets;
        const step = nextExpandStep(led.region, this.#wish, { journal, verified: this.#verified });
        if (await this.#perform(step, led, survey)) {
          const { region, leaderStore, applied } = led;
          return { region, leaderStore, applied, content: this.#content };
        }
        this.#look(JSON.stringify([led.region.epoch, led.term, step.kind, this.#verified]));
      }
      await sleep(env.clock, pace.pollMs);
    }
  }

  /** True: there is nothing left to do. */
  async #perform(step: ExpandStep, led: LedRegion, survey: Survey): Promise<boolean> {
    switch (step.kind) {
      case "refuse":
        throw new NokvError("NOKV_INVALID_ARGUMENT", step.why);
      case "wait":
        this.#wait(step.why);
        return false;
      case "note":
        await this.#world.journal.put(step.entries);
        return false;
      case "reserve":
        await this.#reserve(step.stores);
        return false;
      case "add":
        await this.#add(step.change, led, survey);
        return false;
      case "verify":
        await this.#verify(step.peers, led);
        return false;
      case "promote":
        await this.#promote(step.changes, led);
        return false;
      case "settle":
        return await this.#settle(led, survey);
    }
  }

  /** E1: an id is burnt when this process ends before the journal has it, and nothing worse. */
  async #reserve(stores: readonly number[]): Promise<void> {
    const { admin, env, journal } = this.#world;
    const known = await admin.stores();
    if (known.error !== null) return this.#wait(`the Coordinator: ${known.error.message}`);
    const unknown = stores.find((storeId) => !known.value.some((store) => store.storeId === storeId));
    // Of a number that was mistyped nothing is to be left in the journal.
    if (unknown !== undefined) return this.#wait(`store ${unknown} has not joined the cluster`);
    const told = await admin.allocateIds(stores.length);
    if (told.error !== null) return this.#wait(`no ids: ${told.error.message}`);
    env.failpoints.hit(expandAfterReserve);
    const regionId = this.#regionId;
    const entries = stores.map((storeId, at) => {
      return { regionId, storeId, peerId: told.value + at, step: "reserved" as const };
    });
    await journal.put(entries);
    env.failpoints.hit(expandAfterJournal);
    for (const { storeId, peerId } of entries) this.#tell(`peer ${peerId} is reserved for store ${storeId}`);
  }

  /** E2, E3. Whether it took effect, the region says: the answer may be lost. */
  async #add(change: PeerChange, { region, leaderStore }: LedRegion, survey: Survey): Promise<void> {
    const { storeId, peerId } = change;
    const { admin, env } = this.#world;
    const replicas = survey.get(storeId) ?? "it was not asked";
    if (typeof replicas === "string") return this.#wait(`store ${storeId} does not answer: ${replicas}`);
    const other = replicas.find((at) => at.region.id !== region.id && rangesOverlap(at.region, region));
    if (other !== undefined) {
      const what = `store ${storeId} holds region ${describeRegion(other.region)}, which overlaps`;
      throw new NokvError("NOKV_INVALID_ARGUMENT", `${what} region ${describeRegion(region)}`);
    }
    const known = await admin.stores();
    if (known.error !== null) return this.#wait(`the Coordinator: ${known.error.message}`);
    const status = known.value.find((store) => store.storeId === storeId);
    if (status?.liveness !== "up") return this.#wait(`store ${storeId} has not joined the cluster, or is down`);
    env.failpoints.hit(expandBeforeAdd);
    const told = await admin.changePeers(leaderStore, region, [change]);
    env.failpoints.hit(expandAfterAdd);
    if (told.error !== null) return this.#wait(`adding learner ${peerId}: ${describeRpcError(told.error)}`);
    this.#tell(`store ${storeId} has learner ${peerId}`);
  }

  /** E4, E5: only what has all of the log, and the same records, may vote. */
  async #verify(
    peers: readonly { readonly peerId: number; readonly storeId: number }[],
    led: LedRegion,
  ): Promise<void> {
    const { admin, env, pace } = this.#world;
    const { region, leaderStore } = led;
    const told = await admin.progress(leaderStore, region);
    if (told.error !== null) return this.#wait(`its leader: ${describeRpcError(told.error)}`);
    this.#tellSnapshots(told.value.snapshots, region);
    const behind = learnersBehind(told.value, peers);
    if (behind !== null) {
      this.#follow(told.value, peers);
      return this.#wait(behind);
    }
    const history = await compareHistory(admin, led, peers);
    if (history.kind === "unknown") return this.#wait(history.why);
    if (history.kind === "differs") {
      throw this.#mismatch(`its history at entry ${history.index} is another one`, history);
    }
    this.#tell("learners have caught up; their content is compared");
    const content = { admin, clock: env.clock, pollMs: pace.pollMs, waitMs: pace.stallMs };
    const stores = [leaderStore, ...peers.map(({ storeId }) => storeId)];
    const found = await contentOfRegion(content, region, stores);
    if (typeof found === "string") return this.#wait(found);
    const other = differing(found);
    if (other !== null) {
      const storeId = other.by === "scan" ? leaderStore : other.by;
      const terms = { readTs: found.readTs, appliedMin: 0, max: 10 };
      const keys = await differingKeys(content, region, [leaderStore, storeId], terms);
      const where = typeof keys === "string" ? keys : `keys ${keys.join(", ")}`;
      throw this.#mismatch(`its content differs: ${where}`, { storeId });
    }
    this.#content = found.readings[0]?.content ?? null;
    this.#verified = peers.map(({ peerId }) => peerId);
    if (this.#content !== null) {
      this.#tell(`${this.#content.count} entries, ${contentText(this.#content)} on ${stores.length} stores`);
    }
    env.failpoints.hit(expandAfterVerify);
  }

  /** E6. */
  async #promote(changes: readonly PeerChange[], { region, leaderStore }: LedRegion): Promise<void> {
    const { admin, env } = this.#world;
    const told = await admin.changePeers(leaderStore, region, changes);
    env.failpoints.hit(expandAfterPromote);
    if (told.error !== null) return this.#wait(`promoting: ${describeRpcError(told.error)}`);
    this.#tell(`${changes.map(({ peerId }) => peerId).join(" and ")} vote`);
  }

  /** E7, E8. */
  async #settle({ region, leaderStore, applied }: LedRegion, survey: Survey): Promise<boolean> {
    const { admin, env, journal } = this.#world;
    if (this.#settledAt === 0) this.#settledAt = applied;
    for (const storeId of [leaderStore, ...this.#wish.stores]) {
      const replica = replicaOn(survey, storeId, region.id);
      const isThere = replica !== null && replica.region.epoch.confVer >= region.epoch.confVer;
      if (!isThere || replica.applied < this.#settledAt) {
        this.#wait(`store ${storeId} applies the change`);
        return false;
      }
    }
    const route = await admin.route(region.start);
    const published = route.value?.region ?? null;
    if (published === null || published.epoch.confVer < region.epoch.confVer) {
      this.#wait(`the Coordinator hears of it${route.error === null ? "" : `: ${route.error.message}`}`);
      return false;
    }
    env.failpoints.hit(expandAfterSettle);
    const entries = this.#wish.stores.map((storeId) => {
      const peer = peerOnStore(region, storeId);
      assert(peer !== null && peer.role === "voter", "a region that has settled has voters where they were asked for");
      return { regionId: region.id, storeId, peerId: peer.peerId, step: "done" as const };
    });
    const isNew = entries.some(({ storeId }) => journal.target(region.id, storeId)?.step !== "done");
    if (isNew) await journal.put(entries);
    this.#tell(`${region.peers.length} voters: ${describeRegion(region)}`);
    return true;
  }

  #mismatch(what: string, { storeId }: { readonly storeId: number }): NokvError {
    const remedy = "nothing was promoted; --abort removes the learners, and the store's disk wants a look";
    return new NokvError("NOKV_CORRUPTION", `region ${this.#regionId} on store ${storeId}: ${what}`, { remedy });
  }

  #tellSnapshots(snapshots: readonly SnapshotProgress[], region: RegionMeta): void {
    for (const { peerId, sentBytes, totalBytes } of snapshots) {
      const storeId = peerById(region, peerId)?.storeId ?? 0;
      this.#world.report({ kind: "snapshot", regionId: region.id, storeId, sentBytes, totalBytes });
    }
  }

  #wait(why: string): void {
    this.#patience.wait(`region ${this.#regionId}: ${why}`);
  }

  #look(signature: string): void {
    if (signature === this.#signature) return;
    this.#signature = signature;
    this.#patience.moved();
  }

  /** Whoever is dead is probed and sent snapshots again and again: only what goes further than ever has moved. */
  #follow({ members, snapshots }: ReplicaProgress, peers: readonly { readonly peerId: number }[]): void {
    for (const { peerId } of peers) {
      const match = members.find((member) => member.peerId === peerId)?.match ?? 0;
      const sentBytes = snapshots.find((snapshot) => snapshot.peerId === peerId)?.sentBytes ?? 0;
      const known = this.#furthest.get(peerId) ?? { match: 0, sentBytes: 0 };
      if (match <= known.match && sentBytes <= known.sentBytes) continue;
      const furthest = { match: Math.max(match, known.match), sentBytes: Math.max(sentBytes, known.sentBytes) };
      this.#furthest.set(peerId, furthest);
      this.#patience.moved();
    }
  }

  #tell(text: string): void {
    if (text === this.#told) return;
    this.#patience.moved();
    this.#told = text;
    this.#world.report({ kind: "step", regionId: this.#regionId, text });
  }
}
