import { CoordinatorError } from "../coordinator/coordinator-error.ts";
import { ByteWriter } from "../core/bytes/byte-writer.ts";
import { columnFamily, compareKeys } from "../core/bytes/record.ts";
import type { Clock } from "../core/env/clock.ts";
import type { RegionHint, RpcError } from "../net/rpc/rpc-error.ts";
import { type RegionMeta, isBeforeEnd, rangeContains } from "../raft/region.ts";
import type { TimestampModel } from "../sim/checkers/timestamp-model.ts";
import type { Dice } from "../sim/dice.ts";
import type { World } from "../sim/world.ts";
import type { RegionError } from "../txn/client/exchange.ts";
import type { Region } from "../txn/client/region-cache.ts";
import type { Command, Response } from "../txn/percolator/command.ts";
import { contains } from "../txn/percolator/read.ts";
import { timestampsPerMs } from "../txn/percolator/timestamp.ts";
import { decodeTxnRecord, decodeTxnRecordKey } from "../txn/percolator/txn-record.ts";
import { writeCommands } from "../txn/server/command-codec.ts";
import { GcDriver } from "../txn/server/gc-driver.ts";
import { MemoryVersionedStore } from "../txn/server/memory-versioned-store.ts";
import { type RegionDirectory, RegionService, type TxnCall } from "../txn/server/region-service.ts";
import { readAnswers } from "../txn/server/response-codec.ts";
import type { TimestampSource } from "../txn/server/txn-region.ts";
import { ModelGroup } from "./txn-group.ts";
import type { EvaluatedRun, ModelNode, ModelReplica } from "./txn-replica.ts";

export type RegionAnswer =
  | { readonly kind: "response"; readonly response: Response }
  | { readonly kind: "region-error"; readonly error: RegionError };
type Reply = (answer: RegionAnswer) => void;

export interface ClusterPlan {
  /** From a proposal to its application. */
  readonly applyUsMax: number;
  /** Of a round that confirms a leader: a fraction of what clients wait for an answer. */
  readonly confirmUsMax: number;
  /** Of a timestamp's journey, each way. */
  readonly timestampUsMax: number;
  /** A store drops what it has not begun by then, which is longer than a client waits before it asks again. */
  readonly deadlineMs: number;
}

/** Milliseconds since the epoch of timestamps at which runs begin. */
const firstMs = 1_000_000;
const nodeCount = 3;
/** Requests for one region that come within so long may share a call. */
const bundleUsMax = 100;

interface Bundle {
  readonly node: number;
  readonly asked: Region;
  readonly commands: Command[];
  readonly replies: Reply[];
}

/**
 * Regions as stores serve them, without disk and consensus: the product's service and machines over logs of the model,
 * on three nodes, each region replicated on all. And the oracle of timestamps.
 */
export class TxnCluster {
  readonly #world: World;
  readonly #plan: ClusterPlan;
  readonly #dice: Dice;
  readonly #model: TimestampModel;
  readonly #nodes: readonly ModelNode[];
  readonly #services: readonly RegionService[];
  /** What the engines are told comes from them; the records of regions are collected by a client. */
  readonly #drivers: readonly GcDriver[];
  /** Ascending by id. */
  readonly #groups = new Map<number, ModelGroup>();
  /** What regions were before they were split, the oldest first. */
  readonly #former: Region[] = [];
  /** What each version of each key is, from the first replica that came to it. */
  readonly #versions = new Map<string, string>();
  readonly #bundles = new Map<string, Bundle>();
  #lastTs = firstMs * timestampsPerMs;
  #lastRegion = 1;
  splits = 0;

  constructor(world: World, plan: ClusterPlan, model: TimestampModel) {
    this.#world = world;
    this.#plan = plan;
    this.#dice = world.dice("cluster");
    this.#model = model;
    this.#nodes = Array.from({ length: nodeCount }, (_, i) => this.#makeNode(i));
    this.#services = this.#nodes.map((_, i) => new RegionService(this.#directory(i)));
    this.#drivers = this.#nodes.map(({ store, clock }, i) => new GcDriver(this.#directory(i), store, clock));
    const none = new Uint8Array(0);
    const peers = this.#nodes.map(({ storeId }) => ({ peerId: 100 + storeId, storeId, role: "voter" as const }));
    const first = { id: 1, start: none, end: none, epoch: { version: 1, confVer: 1 }, peers };
    const group = this.#group(first.id);
    for (const i of this.#nodes.keys()) group.add(i, first);
    group.begin(0);
  }

  get regionCount(): number {
    return this.#groups.size;
  }

  get leaderChanges(): number {
    return [...this.#groups.values()].reduce((sum, { leaderChanges }) => sum + leaderChanges, 0);
  }

  /** Unique, growing, and following the clock: what the Coordinator gives. */
  timestamp(): number {
    return this.#timestamps(1);
  }

  /** The region of `key`; `isStale`: as it was before its last split, if there was one. */
  locate(key: Uint8Array, isStale: boolean): Region {
    const former = isStale ? this.#former.findLast(({ range }) => contains(range, key)) : undefined;
    return former ?? infoOf(this.#regionOf(key).region);
  }

  /** Calls for one region may gather for a moment, and go as one. */
  request(asked: Region, command: Command, reply: Reply): void {
    const node = this.#nodeFor(asked.id);
    const name = `${asked.id}/${asked.version}/${node}`;
    const known = this.#bundles.get(name);
    if (known !== undefined) {
      known.commands.push(command);
      known.replies.push(reply);
      return;
    }
    const bundle = { node, asked, commands: [command], replies: [reply] };
    if (this.#dice.chance(1, 2)) return this.#call(bundle);
    this.#bundles.set(name, bundle);
    this.#world.after(this.#dice.skewed(1, bundleUsMax), () => {
      this.#bundles.delete(name);
      this.#call(bundle);
    });
  }

  /** A call that came to a store. */
  serve(storeId: number, call: TxnCall): void {
    this.#services[storeId - 1]?.execute(call);
  }

  /** The region of `key`, and the store that leads it (0: none does): what the Coordinator knows. */
  route(key: Uint8Array): { readonly region: RegionMeta; readonly leaderStore: number } {
    const group = this.#regionOf(key);
    return { region: group.region, leaderStore: group.leader?.node.storeId ?? 0 };
  }

  /** Splits the region of `key` there, through its log. */
  split(key: Uint8Array): void {
    const group = this.#regionOf(key);
    if (compareKeys(group.region.start, key) !== 0) group.proposeSplit(key, ++this.#lastRegion);
  }

  /** The leader of a region falls; another rises after a while, or the same again. Or somebody else starts over. */
  /** Divides a region whose leader has most to do, if any has, at one of `keys`. */
  splitAtWork(keys: readonly Uint8Array[], dice: Dice): void {
    const busy = [...this.#groups.values()].toSorted((a, b) => workOf(b) - workOf(a));
    for (const group of busy) {
      const { region } = group;
      const within = keys.filter((key) => compareKeys(region.start, key) < 0 && isBeforeEnd(key, region.end));
      if (workOf(group) >= 2 && within.length > 0) return this.split(dice.pick(within));
    }
  }

  changeLeader(): void {
    const group = this.#dice.pick([...this.#groups.values()]);
    if (this.#dice.chance(1, 5)) group.restartFollower();
    else group.changeLeader();
  }

  /** What merges of a store do, at any time: forget what none of its regions needs. */
  compact(): void {
    const node = this.#dice.below(nodeCount);
    this.#drivers[node]?.step();
    this.#nodes[node]?.store.compact();
  }

  /** What differs between the locks that machines have in memory and those in their stores; null: nothing. */
  mirrorDefect(): string | null {
    for (const group of this.#groups.values()) {
      for (const { machine } of group.replicas) {
        const defect = machine.mirrorDefect();
        if (defect !== null) return defect;
      }
    }
    return null;
  }

  /** Every replica catches up, and comes to what the others came to. What transactions left behind, of any store. */
  left(): string | null {
    for (const group of this.#groups.values()) group.catchUp();
    for (const { store, storeId } of this.#nodes) {
      const locks = store.liveCount(columnFamily.lock);
      const [values, records] = [store.liveCount(columnFamily.prewrite), store.liveCount(columnFamily.txn)];
      if (locks + values + records === 0) continue;
      return `store ${storeId} has ${locks} locks, ${values} values under locks, ${records} records`;
    }
    const machines = [...this.#groups.values()].flatMap(({ replicas }) => replicas.map(({ machine }) => machine));
    const commands = machines.reduce((sum, { waiting }) => sum + waiting, 0);
    return commands === 0 ? null : `${commands} commands still wait in regions`;
  }

  #timestamps(count: number): number {
    const ms = firstMs + Math.floor(this.#world.nowUs / 1_000);
    const first = Math.max(this.#lastTs + 1, ms * timestampsPerMs);
    this.#lastTs = first + count - 1;
    return first;
  }

  #makeNode(i: number): ModelNode {
    const world = this.#world;
    const clock: Clock = {
      monotonicUs: () => world.nowUs,
      wallMs: () => 0,
      wallUncertaintyMs: () => 0,
      after: () => world.fail("model", "a region's machine sets no timers"),
      soon: (run) => world.after(0, run),
    };
    const dice = world.dice("cluster-node", i);
    return {
      storeId: i + 1,
      world,
      dice,
      store: new MemoryVersionedStore(),
      clock,
      timestamps: this.#timestampSource(dice),
      applyUsMax: this.#plan.applyUsMax,
      confirmUsMax: this.#plan.confirmUsMax,
      isTight: dice.chance(1, 2),
    };
  }

  #timestampSource(dice: Dice): TimestampSource {
    return {
      timestamps: (count, _timeoutMs, done) => {
        const journeyUs = (): number => dice.skewed(1, this.#plan.timestampUsMax);
        const isLost = !this.#world.options.faultFree && dice.chance(1, 200);
        this.#world.after(journeyUs(), () => {
          const first = this.#timestamps(count);
          const lost = new CoordinatorError("TSO_UNAVAILABLE", "the Coordinator does not answer");
          this.#world.after(journeyUs(), () => (isLost ? done(lost, null) : done(null, { first, count })));
        });
      },
    };
  }

  #directory(node: number): RegionDirectory {
    const at = (group: ModelGroup): ModelReplica[] => {
      const replica = group.replicaAt(node);
      return replica === null ? [] : [replica];
    };
    return {
      region: (id) => this.#groups.get(id)?.replicaAt(node) ?? null,
      regions: () => [...this.#groups.values()].flatMap(at),
    };
  }

  #group(id: number): ModelGroup {
    const known = this.#groups.get(id);
    if (known !== undefined) return known;
    const group = new ModelGroup(id, {
      world: this.#world,
      dice: this.#world.dice("cluster-group", id),
      nodes: this.#nodes,
      applyUsMax: this.#plan.applyUsMax,
      observe: (run) => this.#observe(run),
      splitOff: (parent, child) => this.#splitOff(parent, child),
    });
    this.#groups.set(id, group);
    return group;
  }

  #splitOff(parent: ModelReplica, child: RegionMeta): void {
    const node = this.#nodes.indexOf(parent.node);
    const isFirst = !this.#groups.has(child.id);
    const group = this.#group(child.id);
    group.add(node, child);
    if (!isFirst) return;
    this.splits++;
    const { region } = parent;
    const epoch = { ...region.epoch, version: region.epoch.version - 1 };
    this.#former.push(infoOf({ ...region, end: child.end, epoch }));
    this.#world.after(this.#dice.skewed(1, this.#plan.applyUsMax), () => group.begin(node));
  }

  #regionOf(key: Uint8Array): ModelGroup {
    const group = [...this.#groups.values()].find(({ region }) => rangeContains(region, key));
    if (group === undefined) this.#world.fail("region-map", "a key has no region");
    return group;
  }

  /** Mostly the leader's, or of one who takes itself for the leader. */
  #nodeFor(id: number): number {
    const group = this.#groups.get(id);
    const leader = group?.leader ?? null;
    const [deposed] = group?.deposed ?? [];
    if (deposed !== undefined && this.#dice.chance(1, 2)) return this.#nodes.indexOf(deposed.node);
    if (leader === null || this.#dice.chance(1, 30)) return this.#dice.below(nodeCount);
    return this.#nodes.indexOf(leader.node);
  }

  #call({ node, asked, commands, replies }: Bundle): void {
    const writer = new ByteWriter();
    writeCommands(writer, commands);
    const body = writer.toBytes();
    const world = this.#world;
    let isAnswered = false;
    const once = (): void => {
      if (isAnswered) world.fail("answers", "a call is answered twice");
      isAnswered = true;
    };
    const call: TxnCall = {
      region: { regionId: asked.id, confVer: 1, version: asked.version, peerId: 0 },
      deadlineUs: world.nowUs + this.#plan.deadlineMs * 1_000,
      cancelled: false,
      keep: () => body.slice(),
      respond: (payload) => {
        once();
        const answers = readAnswers(payload);
        if (answers.length !== commands.length) world.fail("answers", "not every command has an answer");
        for (const [i, answer] of answers.entries()) {
          if (answer.kind === "response") replies[i]?.(answer);
          else tell(replies[i], answer.error);
        }
      },
      fail: (error) => {
        once();
        if (error.kind === "malformed" || error.kind === "key-not-in-region") world.fail("answers", error.kind);
        for (const reply of replies) tell(reply, error);
      },
    };
    this.#services[node]?.execute(call);
  }

  /** What a run does to data is what every other replica's does; the first one is told to the model. */
  #observe({ batch }: EvaluatedRun): void {
    for (const { family, key, version, value, expiresAtMs } of batch.writes) {
      if (family === columnFamily.txn && value !== null) {
        const record = decodeTxnRecord(value);
        if (record.kind !== "rollback") this.#model.observeAtomic(decodeTxnRecordKey(key).startTs, record.commitTs);
      }
      if (family !== columnFamily.data) continue;
      const name = `${text(key)}@${version}`;
      const write = { key: text(key), version, value: value === null ? null : text(value), expiresAtMs };
      const image = JSON.stringify(write);
      const known = this.#versions.get(name);
      if (known === undefined) this.#model.observe(write);
      else if (known !== image) this.#world.fail("replicas", `${name} is ${known} on a store, ${image} on another`);
      this.#versions.set(name, image);
    }
  }
}

/** Commands that wait at the leader. */
function workOf({ leader }: ModelGroup): number {
  return leader?.machine.waiting ?? 0;
}

/** Errors that say nothing of what happened are silence: the client waits in vain. */
function tell(reply: Reply | undefined, error: RpcError): void {
  const told = regionErrorOf(error);
  if (told !== null) reply?.({ kind: "region-error", error: told });
}

function regionErrorOf(error: RpcError): RegionError | null {
  if (error.kind === "epoch-not-match") return { kind: error.kind, regions: error.current.map(regionOfHint) };
  if (error.kind === "not-leader" || error.kind === "region-not-found") return { kind: error.kind };
  return error.kind === "server-busy" || error.kind === "tso-unavailable" ? { kind: "busy" } : null;
}

function regionOfHint({ regionId, version, start, end }: RegionHint): Region {
  return { id: regionId, range: { start, end: end.length === 0 ? null : end }, version };
}

function infoOf({ id, start, end, epoch }: RegionMeta): Region {
  return { id, range: { start, end: end.length === 0 ? null : end }, version: epoch.version };
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
