import { compareKeys } from "../core/bytes/record.ts";
import type { TimestampModel } from "../sim/checkers/timestamp-model.ts";
import type { Dice } from "../sim/dice.ts";
import type { World } from "../sim/world.ts";
import type { RegionError } from "../txn/client/exchange.ts";
import type { Region } from "../txn/client/region-cache.ts";
import type { Command, KeyRange, Response } from "../txn/percolator/command.ts";
import { execute } from "../txn/percolator/execute.ts";
import { MemoryStore } from "../txn/percolator/memory-store.ts";
import { contains, covers } from "../txn/percolator/read.ts";
import { type Reads, readsOf } from "../txn/percolator/reads.ts";
import { timestampsPerMs } from "../txn/percolator/timestamp.ts";
import type { View, Write } from "../txn/percolator/view.ts";
import { type LeaderOutput, RegionLeader } from "../txn/region-leader.ts";

export type RegionAnswer =
  | { readonly kind: "response"; readonly response: Response }
  | { readonly kind: "region-error"; readonly error: RegionError };
type Reply = (answer: RegionAnswer) => void;

export interface ClusterPlan {
  /** From a proposal to its application. */
  readonly applyUsMax: number;
  /** Of a timestamp's journey, each way. */
  readonly timestampUsMax: number;
}

interface Entry {
  readonly peer: RegionLeader;
  readonly token: number;
  readonly command: Command;
  readonly version: number;
  readonly dueUs: number;
}

/** Milliseconds since the epoch of timestamps at which runs begin. */
const firstMs = 1_000_000;

/**
 * A region of two peers that share one log and one state; what differs between them is what each of them has in memory.
 * Leadership moves, and comes back; what was proposed and not applied is then applied at once or gone.
 */
class SimRegion {
  readonly id: number;
  range: KeyRange;
  version: number;
  readonly peers: readonly RegionLeader[];
  leader = 0;
  term = 1;
  gcFloor = 0;
  gcSafePoint = 0;
  log: Entry[] = [];
  readonly waiting = new Map<number, { readonly command: Command; readonly version: number; readonly reply: Reply }>();

  constructor(region: Region, store: MemoryStore) {
    this.id = region.id;
    this.range = region.range;
    this.version = region.version;
    this.peers = [new RegionLeader(viewOf(this, store)), new RegionLeader(viewOf(this, store))];
    for (const { table } of this.peers) table.load(store.locksIn(this.range, Infinity));
    this.peers[0]?.lead(this.term);
  }

  get leading(): RegionLeader | null {
    return this.peers[this.leader] ?? null;
  }

  get info(): Region {
    return { id: this.id, range: this.range, version: this.version };
  }
}

function viewOf(region: SimRegion, store: MemoryStore): View {
  return {
    get gcFloor() {
      return region.gcFloor;
    },
    get gcSafePoint() {
      return region.gcSafePoint;
    },
    data: (key, versionMax) => store.data(key, versionMax),
    dataIn: (range, versionMax, limit) => store.dataIn(range, versionMax, limit),
    lock: (key) => store.lock(key),
    locksIn: (range, limit) => store.locksIn(range, limit),
    prewritten: (key) => store.prewritten(key),
    record: (key, startTs) => store.record(key, startTs),
    recordBefore: (key, startTs) => store.recordBefore(key, startTs),
    recordsIn: (range, limit) => store.recordsIn(range, limit),
  };
}

/** Regions over one store in memory, and the oracle of timestamps. No disk, no consensus: transactions alone. */
export class TxnCluster {
  readonly store = new MemoryStore();
  readonly #world: World;
  readonly #plan: ClusterPlan;
  readonly #dice: Dice;
  readonly #model: TimestampModel;
  readonly #regions: SimRegion[] = [];
  /** What regions were before they were split, the oldest first. */
  readonly #former: Region[] = [];
  #lastTs = firstMs * timestampsPerMs;
  #lastToken = 0;
  #lastRegion = 0;
  leaderChanges = 0;
  splits = 0;

  constructor(world: World, plan: ClusterPlan, model: TimestampModel) {
    this.#world = world;
    this.#plan = plan;
    this.#dice = world.dice("cluster");
    this.#model = model;
    this.#add({ id: ++this.#lastRegion, range: { start: new Uint8Array(0), end: null }, version: 1 });
  }

  get regionCount(): number {
    return this.#regions.length;
  }

  /** Unique, growing, and following the clock: what the Coordinator gives. */
  timestamp(): number {
    const ms = firstMs + Math.floor(this.#world.nowUs / 1_000);
    this.#lastTs = Math.max(this.#lastTs + 1, ms * timestampsPerMs);
    return this.#lastTs;
  }

  /** The region of `key`; `isStale`: as it was before its last split, if there was one. */
  locate(key: Uint8Array, isStale: boolean): Region {
    const former = isStale ? this.#former.findLast(({ range }) => contains(range, key)) : undefined;
    return former ?? this.#regionOf(key).info;
  }

  request(asked: Region, command: Command, reply: Reply): void {
    const region = this.#regions.find(({ id }) => id === asked.id);
    if (region === undefined) return reply({ kind: "region-error", error: { kind: "region-not-found" } });
    if (region.version !== asked.version || !isInside(region.range, readsOf(command))) {
      return reply(this.#staleEpoch(asked.range));
    }
    const peer = region.leading;
    if (peer === null) return reply({ kind: "region-error", error: { kind: "not-leader" } });
    const token = ++this.#lastToken;
    region.waiting.set(token, { command, version: region.version, reply });
    peer.request(token, command);
    this.#drain(region, peer);
  }

  /** Splits the region of `key` there, through its log. */
  split(key: Uint8Array): void {
    const region = this.#regionOf(key);
    if (compareKeys(region.range.start, key) === 0) return;
    this.splits++;
    this.#former.push(region.info);
    this.#applyDue(region, Infinity);
    const right = { start: key, end: region.range.end };
    region.range = { start: region.range.start, end: key };
    region.version++;
    const child = this.#add({ id: ++this.#lastRegion, range: right, version: region.version });
    child.gcFloor = region.gcFloor;
    child.gcSafePoint = region.gcSafePoint;
  }

  /** The leader of a region falls; another rises after a while, or the same again. */
  changeLeader(): void {
    const region = this.#dice.pick(this.#regions);
    const peer = region.leading;
    if (peer === null) return;
    this.leaderChanges++;
    const kept = this.#dice.below(region.log.length + 1);
    const dropped = region.log.splice(kept);
    this.#applyDue(region, Infinity);
    for (const { peer: proposer, token } of dropped) {
      if (this.#dice.chance(1, 2)) region.waiting.delete(token);
      this.#drop(region, proposer, token);
    }
    peer.stepDown();
    this.#drain(region, peer);
    region.leader = -1;
    const heirs = [region.peers.indexOf(peer), this.#dice.below(2), this.#dice.below(2)];
    let delayUs = 0;
    for (const heir of heirs.slice(0, this.#dice.between(1, 3))) {
      delayUs += this.#dice.skewed(10, 20_000);
      this.#world.after(delayUs, () => this.#lead(region, heir));
    }
    this.#world.after(delayUs + 1, () => this.#lead(region, this.#dice.below(2)));
  }

  /** What merges do, at any time: forget what is below the safe point of each region. */
  compact(): void {
    for (const { range, gcSafePoint } of this.#regions) this.store.compact(range, gcSafePoint);
  }

  /** What differs between the locks that leaders have in memory and those in the store; null: nothing. */
  mirrorDefect(): string | null {
    for (const region of this.#regions) {
      const expected = JSON.stringify(this.store.locksIn(region.range, Infinity));
      for (const { table } of region.peers) {
        const mirrored = JSON.stringify(table.over(viewOf(region, this.store)).locksIn(region.range, Infinity));
        if (mirrored !== expected) return `region ${region.id} has ${mirrored} in memory and ${expected} in its store`;
      }
    }
    return null;
  }

  #lead(region: SimRegion, heir: number): void {
    region.leading?.stepDown();
    const former = region.leading;
    if (former !== null) this.#drain(region, former);
    this.#applyDue(region, Infinity);
    region.term++;
    region.leader = heir;
    const peer = region.peers[heir];
    if (peer === undefined) return;
    peer.lead(region.term);
    this.#drain(region, peer);
  }

  #add(info: Region): SimRegion {
    const region = new SimRegion(info, this.store);
    this.#regions.push(region);
    return region;
  }

  #regionOf(key: Uint8Array): SimRegion {
    const region = this.#regions.find(({ range }) => contains(range, key));
    if (region === undefined) this.#world.fail("region-map", "a key has no region");
    return region;
  }

  #staleEpoch({ start, end }: KeyRange): RegionAnswer {
    const regions = this.#regions
      .filter(({ range }) => overlap(range, { start, end }))
      .map(({ info }) => info)
      .sort((a, b) => compareKeys(a.range.start, b.range.start));
    return { kind: "region-error", error: { kind: "epoch-not-match", regions } };
  }

  #drop(region: SimRegion, peer: RegionLeader, token: number): void {
    peer.drop(token);
    this.#answer(region, token, { kind: "region-error", error: { kind: "not-leader" } });
  }

  #drain(region: SimRegion, peer: RegionLeader): void {
    peer.settle();
    for (const output of peer.outputs.splice(0)) this.#perform(region, peer, output);
  }

  #perform(region: SimRegion, peer: RegionLeader, output: LeaderOutput): void {
    const { token } = output;
    switch (output.kind) {
      case "timestamp":
        return this.#fetch(region, peer, token);
      case "propose":
        return this.#propose(region, peer, output);
      case "respond":
        return this.#answer(region, token, { kind: "response", response: output.response });
      case "not-leader":
        return this.#answer(region, token, { kind: "region-error", error: { kind: "not-leader" } });
    }
  }

  #answer(region: SimRegion, token: number, answer: RegionAnswer): void {
    const waiting = region.waiting.get(token);
    if (waiting === undefined) return;
    region.waiting.delete(token);
    // Reads are checked once more when they are answered: the region may have been split while they waited.
    if (answer.kind === "response" && !isInside(region.range, readsOf(waiting.command))) {
      if (waiting.version !== region.version && isRead(waiting.command)) {
        return waiting.reply(this.#staleEpoch(region.range));
      }
    }
    waiting.reply(answer);
  }

  #fetch(region: SimRegion, peer: RegionLeader, token: number): void {
    const [thereUs, backUs] = [this.#journeyUs(), this.#journeyUs()];
    this.#world.after(thereUs, () => {
      const ts = this.timestamp();
      this.#world.after(backUs, () => {
        peer.timestamp(token, ts);
        this.#drain(region, peer);
      });
    });
  }

  #journeyUs(): number {
    return this.#dice.skewed(1, this.#plan.timestampUsMax);
  }

  #propose(region: SimRegion, peer: RegionLeader, { token, command }: LeaderOutput & { kind: "propose" }): void {
    if (region.leading !== peer) {
      this.#drop(region, peer, token);
      return this.#drain(region, peer);
    }
    const last = region.log.at(-1)?.dueUs ?? 0;
    const dueUs = Math.max(last, this.#world.nowUs + this.#dice.skewed(1, this.#plan.applyUsMax));
    const version = region.waiting.get(token)?.version ?? region.version;
    region.log.push({ peer, token, command, version, dueUs });
    this.#world.after(dueUs - this.#world.nowUs, () => this.#applyDue(region, this.#world.nowUs));
  }

  #applyDue(region: SimRegion, nowUs: number): void {
    for (let entry = region.log[0]; entry !== undefined && entry.dueUs <= nowUs; entry = region.log[0]) {
      region.log.shift();
      this.#apply(region, entry);
    }
  }

  #apply(region: SimRegion, { peer, token, command, version }: Entry): void {
    if (version !== region.version) {
      this.#answer(region, token, this.#staleEpoch(region.range));
      peer.drop(token);
      return this.#drain(region, peer);
    }
    const { response, writes } = execute(viewOf(region, this.store), command);
    for (const write of writes) this.#observe(region, write);
    this.store.apply(writes.filter(({ kind }) => kind !== "gc-floor" && kind !== "gc-safe-point"));
    if (command.kind === "atomic" && response.kind === "decided") {
      this.#model.observeAtomic(command.opId, response.commitTs);
    }
    for (const each of region.peers) each.appliedWrites(writes);
    peer.applied(token, response);
    this.#drain(region, peer);
  }

  #observe(region: SimRegion, write: Write): void {
    if (write.kind === "gc-floor") region.gcFloor = write.ts;
    if (write.kind === "gc-safe-point") region.gcSafePoint = write.ts;
    if (write.kind !== "data") return;
    const { key, version, value, expiresAtMs } = write;
    this.#model.observe({ key: text(key), version, value: value === null ? null : text(value), expiresAtMs });
  }
}

function isRead({ kind }: Command): boolean {
  return kind === "get" || kind === "scan" || kind === "refresh" || kind === "scan-locks";
}

function isInside(range: KeyRange, { keys, ranges }: Reads): boolean {
  return keys.every((key) => contains(range, key)) && ranges.every((inner) => covers(range, inner));
}

function overlap(a: KeyRange, b: KeyRange): boolean {
  if (a.end !== null && compareKeys(a.end, b.start) <= 0) return false;
  return b.end === null || compareKeys(a.start, b.end) < 0;
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
