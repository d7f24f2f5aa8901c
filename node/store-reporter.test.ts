// Goal: the Coordinator hears of a store again and again, and of the regions that it leads when there is something new,
// whatever becomes of words and of Coordinators; what it asks for is done only where it still fits.
// Method: a store and a Coordinator by hand, a clock by hand.
import { expect, test } from "vitest";
import type { Operator, TransferLeader } from "../coordinator/operator.ts";
import { CoordinatorError } from "../coordinator/coordinator-error.ts";
import type { HeartbeatReply, PublishReply, StoreReply } from "../coordinator/coordinator.ts";
import type { RegionHeartbeat, RegionReport } from "../coordinator/region-report.ts";
import type { RootEvent } from "../coordinator/root-event.ts";
import { ManualClock } from "../net/redis/memory-network.test-support.ts";
import type { PeerStatus, Status } from "../raft/raft.ts";
import type { RegionMeta } from "../raft/region.ts";
import { type ReportedPeer, type ReportedStore, StoreReporter } from "./store-reporter.ts";

const none = new Uint8Array(0);
const load = {
  incarnation: 1, writes: 0,
  capacityBytes: 0, availableBytes: 0, readBytesPerSecond: 0, writtenBytesPerSecond: 0, snapshotsSending: 0,
  snapshotsReceiving: 0, slowScore: 1,
};

function meta(id: number): RegionMeta {
  const peers = [1, 2, 3].map((storeId) => ({ peerId: storeId * 100 + id, storeId, role: "voter" as const }));
  return { id, start: none, end: none, epoch: { version: 1, confVer: 1 }, peers };
}

/** Peer 2 follows, peer 3 does not, and is not heard of where it `isSilent`. */
function status(id: number, isSilent: boolean): Status {
  const peer = (storeId: number, match: number): PeerStatus => ({
    id: storeId * 100 + id, state: "replicate", match, next: match + 1, pendingSnapshot: 0, inflights: 0,
    applied: match, recentlyActive: match > 0 || !isSilent,
  });
  return {
    role: "leader", leader: 100 + id, transferee: 0, id: 100 + id, term: 4, vote: 0, quiesced: false, absent: [],
    base: 0,
    applied: 900, applying: 900, committed: 900, stable: 900, last: 900, lastTerm: 4,
    conf: { voters: [], votersOutgoing: [], learners: [], learnersNext: [] },
    peers: [peer(1, 900), peer(2, 890), peer(3, 0)],
  };
}

/** Answers what it is told to, when it is told to. */
class Stage {
  readonly clock = new ManualClock();
  readonly told: string[] = [];
  readonly transfers: string[] = [];
  readonly changes: string[] = [];
  readonly reports: (RegionReport | null)[] = [];
  readonly peers = new Map<number, ReportedPeer>();
  readonly listeners: ((regionId: number, peer: ReportedPeer | null) => void)[] = [];
  readonly silent = new Set<number>();
  readonly asleep = new Set<number>();
  readonly sizes = new Map<number, number>();
  operators: readonly Operator[] = [];
  down = false;
  known = false;
  office = 1;
  /** Of answers that are on their way: what they say comes from there. */
  readonly answers: (() => void)[] = [];
  /** Answers about regions wait until they are let go. */
  isHeld = false;
  readonly reporter: StoreReporter;

  constructor() {
    const store: ReportedStore = {
      storeId: 1,
      admin: {
        transferLeader: (regionId, storeId, done) => {
          this.transfers.push(`${regionId}>${storeId}`);
          this.clock.soon(() => done({ kind: "done" }));
        },
        changePeers: (regionId, changes, done) => {
          const said = changes.map(({ op, peerId, storeId }) => `${op} ${peerId}@${storeId}`);
          this.changes.push(`${regionId}: ${said.join(", ")}`);
          this.clock.soon(() => done({ kind: "refused", reason: "a test" }));
        },
      },
      region: (regionId) => this.peers.get(regionId) ?? null,
      regions: () => [...this.peers.values()],
      takeStirred: () => [...this.peers.values()].filter(({ region }) => !this.asleep.has(region.id)),
      onRegionChange: (listener) => void this.listeners.push(listener),
    };
    this.reporter = new StoreReporter({
      clock: this.clock,
      trace: { enabled: false, emit: () => {} },
      client: {
        publish: (event, _, done) => this.#publish(event, done),
        storeHeartbeat: (heartbeat, done) => this.#store(heartbeat.leaderCount, heartbeat.regionCount, done),
        regionHeartbeat: (heartbeat, done) => this.#region(heartbeat, done),
      },
      store,
      address: "here:1",
      labels: [],
      load: () => load,
      usageOf: ({ region }) => ({ sizeBytes: this.sizes.get(region.id) ?? 0, commandsPerSecond: 0 }),
      merge: () => {},
      heartbeatMs: 1_000,
    });
  }

  peer(id: number, leadingTerm: number): void {
    const applyState = { index: 9, term: 1, high: 0, low: 0 };
    const isSilent = (): boolean => this.silent.has(id);
    const told = { region: meta(id), leadingTerm, applyState, status: () => status(id, isSilent()) };
    this.peers.set(id, { peerId: 100 + id, ...told });
  }

  changed(id: number): void {
    for (const listener of this.listeners) listener(id, this.peers.get(id) ?? null);
  }

  heard(): string[] {
    return this.told.splice(0);
  }

  #error(): CoordinatorError | null {
    return this.down ? new CoordinatorError("ROOT_UNAVAILABLE", "down") : null;
  }

  #publish(event: RootEvent, done: PublishReply): void {
    const error = this.#error();
    this.told.push(`${event.kind}${error === null ? "" : " unheard"}`);
    this.clock.soon(() => {
      this.known = this.known || error === null;
      const token = { term: 1, index: 1 };
      const assessment = {
        status: "COMPLETED", reason: "OPEN_APPLY", decision: "APPLY", accepted: true, retryClass: "NONE", detail: "",
      } as const;
      done(error, error === null ? { accepted: true, assessment, token } : null);
    });
  }

  // oxlint-disable-next-line max-params
  #store(leaders: number, regions: number, done: StoreReply): void {
    const error = this.#error() ?? (this.known ? null : new CoordinatorError("UNKNOWN_STORE", "who?"));
    this.told.push(`store ${leaders}/${regions}${error === null ? "" : ` ${error.code}`}`);
    const { office } = this;
    this.clock.soon(() => done(error, error === null ? this.operators : [], error === null ? office : 0));
  }

  #region({ region, term, report = null }: RegionHeartbeat, done: HeartbeatReply): void {
    this.reports.push(report);
    this.told.push(`region ${region.id} term ${term}`);
    const error = this.#error();
    const { office } = this;
    const answer = (): void => done(error, null, error === null ? office : 0);
    if (this.isHeld) this.answers.push(answer);
    else this.clock.after(100_000, answer);
  }
}

test("a store joins, then its heartbeats come; what it leads is told at once, and once", () => {
  const stage = new Stage();
  stage.peer(1, 4);
  stage.peer(2, 0);
  stage.reporter.start();
  stage.clock.run();
  expect(stage.heard()).toEqual(["StoreJoined", "region 1 term 4", "store 1/2"]);
  expect(stage.reporter.joined).toBe(true);
  stage.clock.advance(500);
  stage.peer(2, 7);
  stage.changed(2);
  stage.changed(2);
  stage.clock.run();
  expect(stage.heard()).toEqual(["region 2 term 7"]);
  stage.clock.advance(500);
  expect(stage.heard()).toEqual(["store 2/2"]);
  stage.clock.advance(60_000);
  expect(new Set(stage.heard())).toEqual(new Set(["store 2/2"]));
  stage.reporter.stop();
  stage.clock.advance(5_000);
  expect(stage.heard()).toEqual([]);
});

test("what changes while an answer is on its way is told when it has come", () => {
  const stage = new Stage();
  stage.peer(1, 4);
  stage.reporter.start();
  stage.clock.run();
  stage.heard();
  stage.peer(1, 5);
  stage.changed(1);
  stage.clock.run();
  expect(stage.heard()).toEqual([]);
  stage.clock.advance(100);
  expect(stage.heard()).toEqual(["region 1 term 5"]);
});

test("a Coordinator that is away is told again and again; one that forgot the store is told who it is", () => {
  const stage = new Stage();
  stage.down = true;
  stage.reporter.start();
  stage.clock.advance(2_500);
  expect(stage.heard()).toEqual(["StoreJoined unheard", "StoreJoined unheard", "StoreJoined unheard"]);
  expect(stage.reporter.joined).toBe(false);
  stage.down = false;
  stage.clock.advance(1_000);
  expect(stage.heard()).toEqual(["StoreJoined", "store 0/0"]);
  stage.known = false;
  stage.clock.advance(2_000);
  expect(stage.heard()).toEqual(["store 0/0 UNKNOWN_STORE", "StoreJoined", "store 0/0"]);
});

test("a plan for another term, peer or region than what is there is not carried out", () => {
  const stage = new Stage();
  for (const id of [1, 2, 3, 4]) stage.peer(id, 4);
  const operator = (regionId: number, change: Partial<TransferLeader> = {}): Operator => ({
    kind: "transfer-leader", regionId, term: 4, source: { storeId: 1, peerId: 100 + regionId },
    target: { storeId: 2, peerId: 200 + regionId }, ...change,
  });
  stage.operators = [
    operator(1),
    operator(2, { term: 3 }),
    operator(3, { source: { storeId: 1, peerId: 999 } }),
    operator(4, { target: { storeId: 3, peerId: 999 } }),
    operator(5),
  ];
  stage.reporter.start();
  stage.clock.run();
  expect(stage.transfers).toEqual(["1>2"]);
});

test("changes of peers are for one term and one epoch; who votes and who does not any more goes in one change", () => {
  const stage = new Stage();
  for (const id of [1, 2, 3, 4, 5]) stage.peer(id, 4);
  const forLeader = (regionId: number) => ({
    regionId, term: 4, source: { storeId: 1, peerId: 100 + regionId }, epoch: { version: 1, confVer: 1 },
  });
  const target = { storeId: 4, peerId: 900 };
  stage.operators = [
    { kind: "add-learner", ...forLeader(1), target },
    { kind: "promote", ...forLeader(2), promoted: [202], demoted: [302] },
    { kind: "remove-peer", ...forLeader(3), target: { storeId: 3, peerId: 303 } },
    { kind: "add-learner", ...forLeader(4), epoch: { version: 1, confVer: 2 }, target },
    { kind: "remove-peer", ...forLeader(5), term: 5, target },
  ];
  stage.reporter.start();
  stage.clock.run();
  expect(stage.changes).toEqual(["1: addLearner 900@4", "2: promote 202@2, demote 302@3", "3: remove 303@3"]);
});

test("a leader tells who follows it, and since when it has not heard of the others", () => {
  const stage = new Stage();
  stage.peer(1, 4);
  stage.silent.add(1);
  stage.reporter.start();
  stage.clock.advance(1_000);
  expect(stage.reports.at(-1)).toEqual({
    sizeBytes: 0,
    entriesPerSecond: 0,
    commandsPerSecond: 0,
    peers: [
      { peerId: 101, silentMs: 0, caughtUp: true },
      { peerId: 201, silentMs: 0, caughtUp: true },
      { peerId: 301, silentMs: 1_000, caughtUp: false },
    ],
  });
  // That it still is silent is no news; that it is not any more, is.
  stage.clock.advance(30_000);
  expect(stage.reports.length).toBe(2);
  stage.silent.clear();
  stage.clock.advance(1_000);
  expect(stage.reports.at(-1)?.peers[2]?.silentMs).toBe(0);
  stage.silent.add(1);
  stage.clock.advance(5_000);
  expect(stage.reports.slice(3).map((report) => report?.peers[2]?.silentMs)).toEqual([1_000]);
});

/** Two regions that are led, and were told of. */
function settled(): Stage {
  const stage = new Stage();
  for (const id of [1, 2]) stage.peer(id, 4);
  stage.reporter.start();
  stage.clock.advance(2_500);
  stage.heard();
  return stage;
}

test("what was not acknowledged is told again, with the next round", () => {
  const stage = settled();
  stage.down = true;
  stage.peer(1, 6);
  stage.changed(1);
  stage.clock.advance(2_000);
  expect(stage.heard().filter((told) => told.startsWith("region"))).toEqual(Array(3).fill("region 1 term 6"));
  stage.down = false;
  stage.clock.advance(5_000);
  expect(stage.heard().filter((told) => told.startsWith("region"))).toEqual(["region 1 term 6"]);
});

test("a region that was led, lost and led again is told of, although its leader is the same", () => {
  const stage = settled();
  stage.peer(1, 0);
  stage.changed(1);
  stage.clock.advance(3_000);
  stage.peer(1, 6);
  stage.clock.advance(2_000);
  expect(stage.heard().filter((told) => told.startsWith("region"))).toEqual(["region 1 term 6"]);
});

test("another Coordinator is told everything, at once; a late answer of the one before does not count", () => {
  const stage = settled();
  stage.isHeld = true;
  stage.sizes.set(2, 1_000_000);
  stage.clock.advance(1_000);
  expect(stage.heard()).toEqual(["store 2/2", "region 2 term 4"]);
  stage.isHeld = false;
  stage.office = 2;
  stage.clock.advance(1_000);
  expect(stage.heard()).toEqual(["store 2/2", "region 1 term 4"]);
  // Region 2 was told to the earlier one.
  for (const answer of stage.answers.splice(0)) answer();
  stage.clock.advance(1_000);
  expect(stage.heard()).toEqual(["region 2 term 4", "store 2/2"]);
  stage.clock.advance(10_000);
  expect(new Set(stage.heard())).toEqual(new Set(["store 2/2"]));
});

test("a Coordinator with a new journal, whose offices count from one again, is told everything", () => {
  const stage = settled();
  stage.office = 5;
  stage.clock.advance(2_000);
  stage.heard();
  stage.office = 1;
  stage.known = false;
  stage.clock.advance(3_000);
  expect(stage.heard().filter((told) => told.startsWith("region"))).toEqual(["region 1 term 4", "region 2 term 4"]);
});

test("of a region that rests nothing is said, but what it takes is looked at now and then", () => {
  const stage = settled();
  for (const id of [1, 2]) stage.asleep.add(id);
  stage.sizes.set(1, 5_000_000);
  stage.clock.advance(5_000);
  expect(stage.heard().filter((told) => told.startsWith("region"))).toEqual(["region 1 term 4"]);
  stage.sizes.set(1, 5_100_000);
  stage.clock.advance(5_000);
  expect(stage.heard().filter((told) => told.startsWith("region"))).toEqual([]);
});
