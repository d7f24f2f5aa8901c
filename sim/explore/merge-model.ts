import { assert } from "../../core/assert.ts";
import { compareKeys } from "../../core/bytes/record.ts";
import { epochEquals } from "../../raft/epoch.ts";
import { type RegionMeta, rangesOverlap } from "../../raft/region.ts";
import type { Fate, MergeSight } from "../../raft/store/merge-rules.ts";
import type { MergeState } from "../../raft/store/merge-state.ts";
import type { Explored, Step } from "./explorer.ts";
import {
  type Applied,
  type MergeEntry,
  type MergeLog,
  MergeLogs,
  type MergeRules,
  lastOf,
  nameOf,
  stores,
} from "./merge-logs.ts";

/** How much may happen. Crashes, changes of leaders, lost, repeated and late messages are not bounded at all. */
export interface MergeBounds {
  /** Freezes of the source. */
  readonly merges: number;
  /** Peers that somebody tries to take out of the target. */
  readonly removals: number;
  /** The same, of the source. */
  readonly sourceRemovals: number;
  readonly splits: number;
  /** An engine may forget in a crash what it has not made durable. */
  readonly crashes: boolean;
  /** A replica that is behind may get another one's state in place of the log. */
  readonly snapshots: boolean;
}

/** A replica that went: by the target's replica on its store, or alone. */
const taken = -1;
const gone = -2;

/** How much each of a store's replicas has applied, or that it is gone; and the same, as no crash undoes it. */
interface StoreImage {
  readonly source: number;
  readonly target: number;
  readonly sourceDurable: number;
  readonly targetDurable: number;
}

/** What was ever said about one freeze. Nothing that was said is ever too late: it may arrive again and again. */
interface Said {
  readonly freezeIndex: number;
  /** Bit `1 << store`. */
  readonly frozen: number;
  readonly never: boolean;
  readonly merged: boolean;
  readonly commit: boolean;
  readonly bump: boolean;
}

/**
 * Two groups on three stores. Of consensus only what it promises is here: a log that grows, of which each replica has
 * applied a part. Whatever was ever proposed may be committed at any later time, in any order, as long as enough
 * replicas are left; any replica may take itself for a leader, and act on what it has applied. That is more than any
 * run of Raft can do.
 */
export interface MergeImage {
  readonly source: MergeLog;
  readonly target: MergeLog;
  readonly sourceProposed: readonly MergeEntry[];
  readonly targetProposed: readonly MergeEntry[];
  readonly stores: readonly StoreImage[];
  readonly said: readonly Said[];
}

const silence = { frozen: 0, never: false, merged: false, commit: false, bump: false };
const firstStore: StoreImage = { source: 0, target: 0, sourceDurable: 0, targetDurable: 0 };

export class MergeModel implements Explored<MergeImage> {
  readonly first: MergeImage;
  readonly #rules: MergeRules;
  readonly #bounds: MergeBounds;
  readonly #logs: MergeLogs;

  constructor(rules: MergeRules, bounds: MergeBounds) {
    this.#rules = rules;
    this.#bounds = bounds;
    this.#logs = new MergeLogs(rules);
    const { source, target } = this.#logs;
    const images = stores.map(() => firstStore);
    this.first = { source, target, sourceProposed: [], targetProposed: [], stores: images, said: [] };
  }

  key(image: MergeImage): string {
    return keyOf(image);
  }

  wrong(image: MergeImage): string | null {
    const now = lastOf(image.source);
    const target = lastOf(image.target).region;
    const isTaken = compareKeys(target.start, now.region.start) <= 0;
    if (isTaken && now.merge === null) return "two regions serve one range";
    for (const [at, store] of image.stores.entries()) {
      if (store.source < 0 || store.target < 0) continue;
      const own = appliedOf(image.source, store.source).region;
      const other = appliedOf(image.target, store.target).region;
      if (rangesOverlap(own, other)) return `store ${at + 1} holds one range twice`;
    }
    return null;
  }

  /** The source serves again on all of its stores, or it is gone from all of them. */
  settled(image: MergeImage): boolean {
    const { stores: images, source } = image;
    if (images.every((store) => store.source < 0)) return true;
    const isNow = (store: StoreImage): boolean => store.source < 0 || store.source === source.entries.length;
    return lastOf(source).merge === null && images.every(isNow);
  }

  next(image: MergeImage): readonly Step<MergeImage>[] {
    const steps: Step<MergeImage>[] = [];
    for (const at of image.stores.keys()) {
      this.#applySource(image, at, steps);
      this.#applyTarget(image, at, steps);
      if (this.#bounds.crashes) this.#durability(image, at, steps);
      if (this.#bounds.snapshots) this.#snapshots(image, at, steps);
      this.#collect(image, at, steps);
      this.#reportFrozen(image, at, steps);
      this.#reportFate(image, at, steps);
      this.#leadSource(image, at, steps);
      this.#leadTarget(image, at, steps);
    }
    this.#commitSource(image, steps);
    this.#commitTarget(image, steps);
    return steps;
  }

  #applySource(image: MergeImage, at: number, steps: Step<MergeImage>[]): void {
    const store = storeAt(image, at);
    if (store.source < 0 || store.source === image.source.entries.length) return;
    const { region } = appliedOf(image.source, store.source + 1);
    const source = hasPeerOn(region, at) ? store.source + 1 : gone;
    const entry = image.source.entries[store.source] as MergeEntry;
    const name = `store ${at + 1} applies ${nameOf(entry)} of the source`;
    steps.push({ name, state: withStore(image, at, { source }) });
  }

  #applyTarget(image: MergeImage, at: number, steps: Step<MergeImage>[]): void {
    const store = storeAt(image, at);
    if (store.target < 0 || store.target === image.target.entries.length) return;
    const entry = image.target.entries[store.target] as MergeEntry;
    const name = `store ${at + 1} applies ${nameOf(entry)} of the target`;
    const after = appliedOf(image.target, store.target + 1);
    if (after.refusal !== null || entry.kind !== "commit") {
      const target = hasPeerOn(after.region, at) ? store.target + 1 : gone;
      steps.push({ name, state: withStore(image, at, { target }) });
      return;
    }
    const source = store.source < 0 ? null : appliedOf(image.source, store.source);
    const isFrozen = source?.merge?.freezeIndex === entry.freezeIndex;
    const isSame = source !== null && epochEquals(source.region.epoch, entry.source.epoch);
    const problem = `store ${at + 1} takes over a source that is not frozen there`;
    const done = withStore(image, at, { source: taken, target: store.target + 1 });
    steps.push({ name, state: isFrozen && isSame ? done : problem });
  }

  /** One engine, one log of it: what a crash takes is the end. */
  #durability(image: MergeImage, at: number, steps: Step<MergeImage>[]): void {
    const { source, target, sourceDurable, targetDurable } = storeAt(image, at);
    if (source === sourceDurable && target === targetDurable) return;
    const kept = { sourceDurable: source, targetDurable: target };
    steps.push({ name: `store ${at + 1} syncs`, state: withStore(image, at, kept) });
    const lost = { source: sourceDurable, target: targetDurable };
    steps.push({ name: `store ${at + 1} crashes`, state: withStore(image, at, lost) });
  }

  #snapshots(image: MergeImage, at: number, steps: Step<MergeImage>[]): void {
    const store = storeAt(image, at);
    for (const [from, other] of image.stores.entries()) {
      const name = `from ${from + 1} to store ${at + 1}`;
      if (store.source >= 0 && other.source > store.source && appliedOf(image.source, other.source).merge === null) {
        steps.push({ name: `snapshot of the source ${name}`, state: withStore(image, at, { source: other.source }) });
      }
      if (store.target < 0 || other.target <= store.target) continue;
      const region = appliedOf(image.target, other.target).region;
      if (!hasPeerOn(region, at)) continue;
      const own = store.source < 0 ? null : appliedOf(image.source, store.source);
      const isClear = own === null || !rangesOverlap(own.region, region);
      if (!isClear && (own.merge === null || !this.#rules.coversSource(region, own.region, own.merge))) continue;
      const change = isClear ? { target: other.target } : { target: other.target, source: taken };
      steps.push({ name: `snapshot of the target ${name}`, state: withStore(image, at, change) });
    }
  }

  /** Replicas that leave because they hear that nobody counts on them. */
  #collect(image: MergeImage, at: number, steps: Step<MergeImage>[]): void {
    const store = storeAt(image, at);
    const isRemoved = (other: StoreImage): boolean =>
      other.target > store.target && !hasPeerOn(appliedOf(image.target, other.target).region, at);
    if (store.target >= 0 && image.stores.some(isRemoved)) {
      const name = `store ${at + 1} hears that its target is removed`;
      steps.push({ name, state: withStore(image, at, { target: gone }) });
    }
    const merge = store.source < 0 ? null : appliedOf(image.source, store.source).merge;
    if (merge === null || !saidOf(image, merge.freezeIndex).merged) return;
    if (!this.#rules.isOrphan("merged", store.target >= 0)) return;
    steps.push({ name: `store ${at + 1} gives its source up`, state: withStore(image, at, { source: gone }) });
  }

  #reportFrozen(image: MergeImage, at: number, steps: Step<MergeImage>[]): void {
    const store = storeAt(image, at);
    const index = this.#rules.reportsDurable && this.#bounds.crashes ? store.sourceDurable : store.source;
    const merge = index < 0 || store.source < 0 ? null : appliedOf(image.source, index).merge;
    if (merge === null) return;
    const frozen = saidOf(image, merge.freezeIndex).frozen | (1 << at);
    say(image, merge.freezeIndex, { frozen }, `store ${at + 1} says that it is frozen`, steps);
  }

  #reportFate(image: MergeImage, at: number, steps: Step<MergeImage>[]): void {
    const { target } = storeAt(image, at);
    if (target < 0) return;
    const { region } = appliedOf(image.target, target);
    for (const { region: source, merge } of freezesOf(image.source)) {
      const fate = this.#rules.fateOf(source, merge, region);
      const heard = { never: { never: true }, merged: { merged: true }, open: {} }[fate];
      say(image, merge.freezeIndex, heard, `store ${at + 1} says: ${fate}`, steps);
    }
  }

  #leadSource(image: MergeImage, at: number, steps: Step<MergeImage>[]): void {
    const store = storeAt(image, at);
    if (store.source < 0) return;
    const { region, merge } = appliedOf(image.source, store.source);
    if (countOf("remove", image.source, image.sourceProposed) < this.#bounds.sourceRemovals) {
      const asked = region.epoch;
      for (const storeId of stores) this.#proposeOfSource(image, { kind: "remove", asked, storeId }, steps);
    }
    if (merge === null) {
      this.#proposeMerge(image, region, steps);
      return;
    }
    const said = saidOf(image, merge.freezeIndex);
    const { freezeIndex } = merge;
    for (const sight of sightsOf(region, said)) {
      const move = this.#rules.moveOf(region, sight);
      if (move === "commit") say(image, freezeIndex, { commit: true }, `store ${at + 1} asks for the commit`, steps);
      if (move === "bump") say(image, freezeIndex, { bump: true }, `store ${at + 1} asks for a bump`, steps);
      if (move !== "rollback") continue;
      this.#proposeOfSource(image, { kind: "rollback", asked: region.epoch, freezeIndex }, steps);
    }
  }

  /** With whatever the target has ever been: a proposer may know it from long ago. */
  #proposeMerge(image: MergeImage, region: RegionMeta, steps: Step<MergeImage>[]): void {
    if (countOf("prepare", image.source, image.sourceProposed) >= this.#bounds.merges) return;
    for (const { region: target } of image.target.applied) {
      if (this.#rules.mergeProblem(region, target) !== null) continue;
      this.#proposeOfSource(image, { kind: "prepare", asked: region.epoch, target }, steps);
    }
  }

  #leadTarget(image: MergeImage, at: number, steps: Step<MergeImage>[]): void {
    const store = storeAt(image, at);
    if (store.target < 0) return;
    const { region } = appliedOf(image.target, store.target);
    const asked = region.epoch;
    for (const { region: source, merge } of freezesOf(image.source)) {
      const said = saidOf(image, merge.freezeIndex);
      if (!epochEquals(merge.target.epoch, asked)) continue;
      const { freezeIndex } = merge;
      if (said.commit) this.#proposeOfTarget(image, { kind: "commit", asked, source, freezeIndex }, steps);
      if (said.bump) this.#proposeOfTarget(image, { kind: "bump", asked }, steps);
    }
    const { splits, removals } = this.#bounds;
    if (countOf("split", image.target, image.targetProposed) < splits) {
      this.#proposeOfTarget(image, { kind: "split", asked }, steps);
    }
    if (countOf("remove", image.target, image.targetProposed) >= removals) return;
    for (const storeId of stores) this.#proposeOfTarget(image, { kind: "remove", asked, storeId }, steps);
  }

  #proposeOfSource(image: MergeImage, entry: MergeEntry, steps: Step<MergeImage>[]): void {
    const sourceProposed = this.#withProposal(image.source, image.sourceProposed, entry);
    if (sourceProposed === null) return;
    steps.push({ name: `proposed of the source: ${nameOf(entry)}`, state: { ...image, sourceProposed } });
  }

  #proposeOfTarget(image: MergeImage, entry: MergeEntry, steps: Step<MergeImage>[]): void {
    const targetProposed = this.#withProposal(image.target, image.targetProposed, entry);
    if (targetProposed === null) return;
    steps.push({ name: `proposed of the target: ${nameOf(entry)}`, state: { ...image, targetProposed } });
  }

  /** Null: it stands there already, or would do nothing for ever. */
  #withProposal(log: MergeLog, proposed: readonly MergeEntry[], entry: MergeEntry): readonly MergeEntry[] | null {
    if (this.#logs.isSpent(log, entry)) return null;
    const name = nameOf(entry);
    if (proposed.some((other) => nameOf(other) === name)) return null;
    return [...proposed, entry].toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  }

  #commitSource(image: MergeImage, steps: Step<MergeImage>[]): void {
    const { region } = lastOf(image.source);
    if (!hasMajority(region, (at) => storeAt(image, at).source >= 0)) return;
    for (const entry of image.sourceProposed) {
      if (this.#logs.after(lastOf(image.source), entry, 0).refusal !== null) continue;
      const source = this.#logs.append(image.source, entry);
      const sourceProposed = image.sourceProposed.filter((other) => !this.#logs.isSpent(source, other));
      const name = `committed of the source: ${nameOf(entry)}`;
      steps.push({ name, state: { ...image, source, sourceProposed } });
    }
  }

  #commitTarget(image: MergeImage, steps: Step<MergeImage>[]): void {
    const { region } = lastOf(image.target);
    if (!hasMajority(region, (at) => storeAt(image, at).target >= 0)) return;
    for (const entry of image.targetProposed) {
      if (this.#logs.after(lastOf(image.target), entry, 0).refusal !== null) continue;
      const target = this.#logs.append(image.target, entry);
      const targetProposed = image.targetProposed.filter((other) => !this.#logs.isSpent(target, other));
      const name = `committed of the target: ${nameOf(entry)}`;
      const problem = entry.kind === "commit" ? this.#commitProblem(image, entry.freezeIndex) : null;
      steps.push({ name, state: problem ?? { ...image, target, targetProposed } });
    }
  }

  #commitProblem(image: MergeImage, freezeIndex: number): string | null {
    const { merge, region } = lastOf(image.source);
    if (merge?.freezeIndex !== freezeIndex) return "a merge that was rolled back is committed";
    const isHeld = ({ source, sourceDurable }: StoreImage): boolean =>
      (this.#bounds.crashes ? sourceDurable : source) >= freezeIndex;
    const isMissing = region.peers.some(({ storeId }) => !isHeld(storeAt(image, storeId - 1)));
    return isMissing ? "a merge is committed that a replica does not know of" : null;
  }
}

/** What a leader may know of all that was said: it, or nothing yet. */
function sightsOf(source: RegionMeta, said: Said): MergeSight[] {
  const fates: Fate[] = ["open"];
  if (said.never) fates.push("never");
  if (said.merged) fates.push("merged");
  const heard = source.peers.filter(({ storeId }) => ((said.frozen >> (storeId - 1)) & 1) === 1);
  const frozen = new Set(heard.map(({ peerId }) => peerId));
  return fates.flatMap((fate) =>
    [false, true].flatMap((isLate) => [
      { frozen, fate, isLate },
      { frozen: new Set<number>(), fate, isLate },
    ]),
  );
}

function hasPeerOn(region: RegionMeta, at: number): boolean {
  return region.peers.some(({ storeId }) => storeId === at + 1);
}

function storeAt(image: MergeImage, at: number): StoreImage {
  const store = image.stores[at];
  assert(store !== undefined, "there is such a store");
  return store;
}

function withStore(image: MergeImage, at: number, change: Partial<StoreImage>): MergeImage {
  const images = image.stores.map((store, index) => (index === at ? { ...store, ...change } : store));
  return { ...image, stores: images };
}

function appliedOf(log: MergeLog, index: number): Applied {
  const applied = log.applied[index];
  assert(applied !== undefined, "nothing is applied that is not committed");
  return applied;
}

function saidOf(image: MergeImage, freezeIndex: number): Said {
  return image.said.find((said) => said.freezeIndex === freezeIndex) ?? { freezeIndex, ...silence };
}

// oxlint-disable-next-line max-params
function say(
  image: MergeImage,
  freezeIndex: number,
  what: Partial<Said>,
  name: string,
  steps: Step<MergeImage>[],
): void {
  const before = saidOf(image, freezeIndex);
  const after = { ...before, ...what };
  if (nameOfSaid(before) === nameOfSaid(after)) return;
  const others = image.said.filter((said) => said.freezeIndex !== freezeIndex);
  const said = [...others, after].toSorted((a, b) => a.freezeIndex - b.freezeIndex);
  steps.push({ name, state: { ...image, said } });
}

function nameOfSaid({ freezeIndex, frozen, never, merged, commit, bump }: Said): string {
  const flags = (never ? 8 : 0) + (merged ? 4 : 0) + (commit ? 2 : 0) + (bump ? 1 : 0);
  return `${freezeIndex}:${frozen}:${flags}`;
}

/** The freezes of a log, each with the region that it left. */
function freezesOf(log: MergeLog): { readonly region: RegionMeta; readonly merge: MergeState }[] {
  return log.entries.flatMap(({ kind }, at) => {
    const { region, merge } = appliedOf(log, at + 1);
    return kind === "prepare" && merge?.freezeIndex === at + 1 ? [{ region, merge }] : [];
  });
}

function countOf(kind: MergeEntry["kind"], log: MergeLog, proposed: readonly MergeEntry[]): number {
  return [...log.entries, ...proposed].filter((entry) => entry.kind === kind).length;
}

function hasMajority(region: RegionMeta, isHere: (at: number) => boolean): boolean {
  const here = region.peers.filter(({ storeId }) => isHere(storeId - 1)).length;
  return here > region.peers.length >> 1;
}

/** Stores are alike: which of them is first does not make another state. */
function keyOf(image: MergeImage): string {
  const { source, target, sourceProposed, targetProposed, said } = image;
  const proposed = [...sourceProposed.map(nameOf), "|", ...targetProposed.map(nameOf)].join(" ");
  const names = `${source.name}|${target.name}|${proposed}`;
  const parts = image.stores.map((store, at) => {
    const bits = said.map(({ frozen }) => (frozen >> at) & 1).join("");
    const named = names.replaceAll(`x${at + 1}`, "X").replaceAll(/x\d/g, "y");
    const own = `${store.source},${store.target},${store.sourceDurable},${store.targetDurable},${bits}`;
    return { at, own, named: names.includes("x") ? named : "" };
  });
  const order = parts.toSorted((a, b) => (`${a.own}${a.named}` < `${b.own}${b.named}` ? -1 : 1));
  const renamed = names.replaceAll(/x(\d)/g, (_, digit: string) => {
    return `x${order.findIndex(({ at }) => at === Number(digit) - 1)}`;
  });
  const flags = said.map((one) => nameOfSaid({ ...one, frozen: 0 })).join(";");
  return `${renamed}|${order.map(({ own }) => own).join("/")}|${flags}`;
}

