import { assert } from "../../core/assert.ts";
import type { Directory, DiskNode, EntryChange, Slot } from "./directory.ts";
import type { PathTally } from "./path-tally.ts";

/** Above this many unsynced entry changes the kernel commits the older half by itself. */
const entryChangesMax = 1_024;

/** Where a path leads: its directory, its last component, and what is there now. */
export interface Place {
  readonly directory: Directory;
  readonly name: string;
  readonly node: DiskNode | null;
  /** Why there is no such place: a parent does not exist or is a file. */
  readonly missing: "ENOENT" | "ENOTDIR" | null;
}

/** The tree of names, and the order in which its changes became or did not become durable. */
export class Namespace {
  readonly root: Directory;
  /** Not durable yet, oldest first, over all directories. */
  changes: EntryChange[] = [];
  sequence = 0;

  constructor(root: Directory) {
    this.root = root;
  }

  locate(path: string): Place {
    const names = split(path);
    const name = names[names.length - 1] ?? "";
    let directory = this.root;
    if (names.length === 0) return { directory, name, node: directory, missing: null };
    for (let at = 0; at < names.length - 1; at++) {
      const next = directory.cached.get(names[at] ?? "");
      if (next === undefined) return { directory, name, node: null, missing: "ENOENT" };
      if (next.kind !== "directory") return { directory, name, node: null, missing: "ENOTDIR" };
      directory = next;
    }
    return { directory, name, node: directory.cached.get(name) ?? null, missing: null };
  }

  /** Makes a change visible at once, durable later. */
  change(kind: EntryChange["kind"], tally: PathTally, slots: readonly Slot[]): void {
    for (const slot of slots) {
      assert(slot.name !== "", "the root is nobody's entry");
      put(slot.directory.cached, slot);
    }
    this.changes.push({ sequence: ++this.sequence, kind, slots, tally, ordinal: tally.entries++ });
    if (this.changes.length > entryChangesMax) this.#commit(Math.trunc(entryChangesMax / 2));
  }

  /** The kernel commits everything by itself. */
  commit(): void {
    this.#commit(this.changes.length);
  }

  /** What a `syncDir` called when the mark was taken covers, with everything those changes build on. */
  synced(directory: Directory, mark: number): void {
    for (const change of this.#take(directory, mark)) makeDurable(change);
  }

  /** A `syncDir` failed: each change reached the device or never will. Returns those that did not. */
  failed(directory: Directory, mark: number, keeps: (change: EntryChange) => boolean): EntryChange[] {
    return settleEntries(this.#take(directory, mark), keeps);
  }

  /** The device keeps the changes that `keeps` says, and the cache is read anew. Returns the others. */
  powerLoss(keeps: (change: EntryChange) => boolean): EntryChange[] {
    const lost = settleEntries(this.changes, keeps);
    this.changes = [];
    return lost;
  }

  /** Replaces what everybody sees by what is durable. */
  forgetCache(): void {
    const queue = [this.root];
    for (let at = 0; at < queue.length; at++) {
      const directory = queue[at];
      assert(directory !== undefined, "the queue has no holes");
      directory.cached = new Map(directory.durable);
      for (const node of directory.cached.values()) {
        if (node.kind === "directory") queue.push(node);
      }
    }
  }

  /** Every path and what it names, sorted by path, as everybody sees it. */
  walk(): { path: string; node: DiskNode }[] {
    const found: { path: string; node: DiskNode }[] = [];
    const queue: { path: string; node: Directory }[] = [{ path: "", node: this.root }];
    for (let at = 0; at < queue.length; at++) {
      const { path, node } = queue[at] ?? { path: "", node: this.root };
      for (const [name, child] of node.cached) {
        found.push({ path: `${path}/${name}`, node: child });
        if (child.kind === "directory") queue.push({ path: `${path}/${name}`, node: child });
      }
    }
    return found.sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  #commit(count: number): void {
    for (const change of this.changes.splice(0, count)) makeDurable(change);
  }

  /** Removes from the pending changes, and returns in order, what `mark` covers of `directory`. */
  #take(directory: Directory, mark: number): EntryChange[] {
    const taken: EntryChange[] = [];
    const left: EntryChange[] = [];
    const chain = new Chain();
    for (let at = this.changes.length - 1; at >= 0; at--) {
      const change = this.changes[at];
      assert(change !== undefined, "the list has no holes");
      const named = change.slots.some((slot) => slot.directory === directory);
      const covered = change.sequence <= mark && (named || chain.needs(change));
      if (covered) chain.add(change);
      (covered ? taken : left).push(change);
    }
    this.changes = left.reverse();
    return taken.reverse();
  }
}

/**
 * Applies what is kept. A change on a name whose earlier change was lost is lost too: a name goes through its
 * meanings in order, so a durable file never becomes unreachable for the sake of a newer one.
 */
function settleEntries(
  changes: readonly EntryChange[],
  keeps: (change: EntryChange) => boolean,
): EntryChange[] {
  const lost: EntryChange[] = [];
  const chain = new Chain();
  for (const change of changes) {
    if (keeps(change) && !chain.carries(change)) {
      makeDurable(change);
    } else {
      lost.push(change);
      chain.add(change);
    }
  }
  return lost;
}

/**
 * Changes that stand or fall together: those on one name, in order, and a move into a directory with whatever
 * made that directory (a file must not move to where nothing leads).
 */
class Chain {
  readonly #slots: Slot[] = [];
  readonly #movedTo = new Set<DiskNode>();

  add(change: EntryChange): void {
    this.#slots.push(...change.slots);
    if (!moves(change)) return;
    for (const slot of change.slots) this.#movedTo.add(slot.directory);
  }

  /** Whether the chain, all of it later, builds on `change`. */
  needs(change: EntryChange): boolean {
    const made = change.slots.some((slot) => slot.node !== null && this.#movedTo.has(slot.node));
    return made || this.#sharesName(change);
  }

  /** Whether `change`, later than all of the chain, builds on it. */
  carries(change: EntryChange): boolean {
    if (this.#sharesName(change)) return true;
    if (!moves(change)) return false;
    return change.slots.some((mine) => this.#slots.some((slot) => slot.node === mine.directory));
  }

  #sharesName(change: EntryChange): boolean {
    return change.slots.some((mine) =>
      this.#slots.some((other) => other.directory === mine.directory && other.name === mine.name),
    );
  }
}

/** Whether it takes a file from one directory to another. */
function moves(change: EntryChange): boolean {
  return change.slots.some((slot) => slot.directory !== change.slots[0]?.directory);
}

function makeDurable(change: EntryChange): void {
  for (const slot of change.slots) put(slot.directory.durable, slot);
}

function put(entries: Map<string, DiskNode>, slot: Slot): void {
  if (slot.node === null) entries.delete(slot.name);
  else entries.set(slot.name, slot.node);
}

/** Components of a path; a leading "/" and "." change nothing. */
function split(path: string): string[] {
  const names = path.split("/").filter((name) => name !== "" && name !== ".");
  assert(!names.includes(".."), "a simulated path does not climb");
  return names;
}
