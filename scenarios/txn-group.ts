import { compareKeys } from "../core/bytes/record.ts";
import { VersionedBatch } from "../core/engine/versioned-batch.ts";
import { type RegionMeta, isBeforeEnd } from "../raft/region.ts";
import type { Dice } from "../sim/dice.ts";
import type { World } from "../sim/world.ts";
import { type EvaluatedRun, type LogEntry, type ModelNode, ModelReplica, type ReplicaGroup } from "./txn-replica.ts";

export interface GroupParts {
  readonly world: World;
  readonly dice: Dice;
  readonly nodes: readonly ModelNode[];
  /** From a proposal to its being committed, and from there to a follower's applying it. */
  readonly applyUsMax: number;
  /** The first replica has evaluated a run: its effects are now what all others must come to. */
  readonly observe: (run: EvaluatedRun) => void;
  /** A replica of `parent` is at the split that makes `child`. */
  readonly splitOff: (parent: ModelReplica, child: RegionMeta) => void;
}

/**
 * One region's replicas and their one log, without consensus: entries are committed a while after they were proposed;
 * when a leader falls, some of what is not committed stays in the log and the rest is gone. A leader that fell hears of
 * it later.
 */
export class ModelGroup implements ReplicaGroup {
  readonly id: number;
  committed = 0;
  leaderChanges = 0;
  readonly #parts: GroupParts;
  /** By node. */
  readonly #replicas: (ModelReplica | null)[];
  #log: LogEntry[] = [];
  #leader: ModelReplica | null = null;
  #term = 1;
  #lastDueUs = 0;
  /** What fallen leaders proposed, and what fell with them. */
  #orphans: LogEntry[] = [];
  /** Hashes after a run, by its last index, from whoever came there first. */
  readonly #hashes = new Map<number, string>();

  constructor(id: number, parts: GroupParts) {
    this.id = id;
    this.#parts = parts;
    this.#replicas = parts.nodes.map(() => null);
  }

  /** A replica begins where the group began. */
  add(node: number, region: RegionMeta): ModelReplica {
    const { nodes } = this.#parts;
    const replica = new ModelReplica(nodes[node] as ModelNode, this, region);
    this.#replicas[node] = replica;
    replica.applyTo(this.committed, false);
    return replica;
  }

  get replicas(): readonly ModelReplica[] {
    return this.#replicas.filter((replica) => replica !== null);
  }

  replicaAt(node: number): ModelReplica | null {
    return this.#replicas[node] ?? null;
  }

  get leader(): ModelReplica | null {
    return this.#leader;
  }

  /** Those that have fallen and have not heard of it. */
  get deposed(): readonly ModelReplica[] {
    return this.replicas.filter((replica) => replica !== this.#leader && replica.leadingTerm !== 0);
  }

  /** The region as the replica has it that is furthest. */
  get region(): RegionMeta {
    const [furthest] = this.replicas.toSorted((a, b) => b.applied - a.applied);
    if (furthest === undefined) throw new RangeError("a group has a replica");
    return furthest.region;
  }

  entry(index: number): LogEntry {
    const entry = this.#log[index - 1];
    if (entry === undefined) throw new RangeError("what is committed is in the log");
    return entry;
  }

  isLeader(replica: ModelReplica): boolean {
    return this.#leader === replica;
  }

  propose(replica: ModelReplica, proposal: number, data: Uint8Array): void {
    const { world, dice } = this.#parts;
    const { life } = replica;
    const { version } = replica.region.epoch;
    const entry: LogEntry = { kind: "data", data, version, replica, life, proposal, givenUp: false };
    const busy = !world.options.faultFree && dice.chance(1, 100);
    if (this.#leader === replica && !busy) return this.#append(entry);
    if (this.#leader !== replica && replica.leadingTerm !== 0) {
      this.#orphans.push(entry);
      return;
    }
    world.after(0, () => {
      if (replica.life === life) replica.machine.dropped(proposal, busy ? "busy" : "not-leader");
    });
  }

  proposeSplit(key: Uint8Array, childId: number): void {
    if (this.#leader !== null) this.#append({ kind: "split", key, childId });
  }

  evaluated(replica: ModelReplica, run: EvaluatedRun): void {
    const { world, observe } = this.#parts;
    observe(run);
    const hash = `${run.hash.high}.${run.hash.low}`;
    const known = this.#hashes.get(run.index);
    if (known === undefined) this.#hashes.set(run.index, hash);
    else if (known !== hash) {
      world.fail("history", `region ${this.id} at ${run.index}: store ${replica.node.storeId} did something else`);
    }
  }

  split(replica: ModelReplica, key: Uint8Array, childId: number): void {
    const { region, store } = replica;
    if (compareKeys(region.start, key) >= 0 || !isBeforeEnd(key, region.end)) return;
    const epoch = { version: region.epoch.version + 1, confVer: region.epoch.confVer };
    const child = { ...region, id: childId, start: key, epoch };
    // As the runtime does: what the machine keeps goes to the child.
    const batch = new VersionedBatch();
    replica.machine.split([child], batch);
    store.apply(batch);
    replica.region = { ...region, end: key, epoch };
    this.#parts.splitOff(replica, child);
    replica.machine.regionChanged();
  }

  restarted(replica: ModelReplica): void {
    this.#orphans = this.#orphans.filter((entry) => entry.kind !== "data" || entry.replica !== replica);
    if (this.#leader === replica) this.#leader = null;
  }

  /** The first leader. */
  begin(node: number): void {
    const replica = this.replicaAt(node);
    if (replica !== null) this.#rise(replica);
  }

  /** The leader falls; another rises after a while, or the same again. */
  changeLeader(): void {
    const { world, dice } = this.#parts;
    const fallen = this.#leader;
    if (fallen === null) return;
    this.leaderChanges++;
    this.#leader = null;
    this.#truncate();
    const isCrash = dice.chance(1, 4);
    if (isCrash) fallen.restart();
    else world.after(dice.skewed(1, dice.pick([this.#parts.applyUsMax, 100_000])), () => this.#tell(fallen));
    let delayUs = 0;
    for (let heirs = dice.between(1, 3); heirs > 0; heirs--) {
      delayUs += dice.skewed(10, dice.pick([100, 20_000]));
      const heir = dice.chance(1, 2) ? fallen : dice.pick(this.replicas);
      world.after(delayUs, () => this.#rise(heir));
    }
  }

  /** A replica that does not lead starts over. */
  restartFollower(): void {
    const followers = this.replicas.filter((replica) => replica !== this.#leader && replica.leadingTerm === 0);
    if (followers.length > 0) this.#parts.dice.pick(followers).restart();
  }

  /** Every replica applies what is committed. */
  catchUp(): void {
    for (const replica of this.replicas) replica.applyTo(this.committed, true);
    for (const replica of this.replicas) {
      if (replica.applied === this.committed && replica.history !== this.replicas[0]?.history) {
        this.#parts.world.fail("history", `replicas of region ${this.id} have different histories in the end`);
      }
    }
  }

  #append(entry: LogEntry): void {
    const { world, dice, applyUsMax } = this.#parts;
    this.#log.push(entry);
    const index = this.#log.length;
    const dueUs = Math.max(this.#lastDueUs, world.nowUs + dice.skewed(1, applyUsMax));
    this.#lastDueUs = dueUs;
    world.after(dueUs - world.nowUs, () => {
      if (this.#log[index - 1] === entry && this.#leader !== null) this.#commit(index);
    });
  }

  #commit(index: number): void {
    if (index <= this.committed) return;
    const { world, dice, applyUsMax } = this.#parts;
    this.committed = index;
    for (const replica of this.replicas) {
      if (replica === this.#leader) replica.applyTo(index, false);
      else world.after(dice.skewed(1, applyUsMax * 2), () => replica.applyTo(index, false));
    }
  }

  /** Some of what is not committed is gone. */
  #truncate(): void {
    const { dice } = this.#parts;
    const kept = this.committed + dice.below(this.#log.length - this.committed + 1);
    this.#orphans.push(...this.#log.splice(kept));
  }

  /** A fallen leader hears that it is none, and what became of its proposals as far as it can know. */
  #tell(fallen: ModelReplica): void {
    if (this.#leader === fallen) return;
    fallen.stepDown();
    const { dice } = this.#parts;
    const isOurs = (entry: LogEntry): entry is LogEntry & { readonly kind: "data" } =>
      entry.kind === "data" && entry.replica === fallen && entry.life === fallen.life;
    const gone = this.#orphans.filter(isOurs);
    this.#orphans = this.#orphans.filter((entry) => !isOurs(entry));
    for (const { proposal } of gone) fallen.machine.dropped(proposal, dice.pick(["not-leader", "unknown"] as const));
    for (const entry of this.#log.slice(fallen.applied)) {
      if (!isOurs(entry) || entry.givenUp || !dice.chance(1, 3)) continue;
      // It may have been evaluated already: then its answer is on the way.
      if (fallen.isEvaluating) continue;
      entry.givenUp = true;
      fallen.machine.dropped(entry.proposal, "unknown");
    }
  }

  #rise(heir: ModelReplica): void {
    const former = this.#leader;
    if (former === heir) return;
    if (former !== null) {
      this.#leader = null;
      this.#truncate();
      this.#tell(former);
    }
    if (heir.leadingTerm !== 0) this.#tell(heir);
    this.#term++;
    this.#leader = heir;
    // Everything of earlier terms that is still in the log is committed with the heir's first entry.
    this.committed = this.#log.length;
    heir.applyTo(this.committed, true);
    const { world, dice, applyUsMax } = this.#parts;
    const { committed } = this;
    for (const replica of this.replicas) {
      replica.leaderStore = heir.node.storeId;
      if (replica !== heir) world.after(dice.skewed(1, applyUsMax), () => replica.applyTo(committed, false));
    }
    heir.lead(this.#term);
  }
}
