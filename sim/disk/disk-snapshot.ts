import { Directory } from "./directory.ts";
import type { DiskNode, EntryChange } from "./directory.ts";
import type { DiskState } from "./disk-state.ts";
import type { Inode } from "./inode.ts";
import { Namespace } from "./namespace.ts";
import type { PathTallies } from "./path-tally.ts";

/** A frozen disk. Contents are copied only when either side changes them. */
export class DiskSnapshot {
  readonly #tallies: PathTallies;
  readonly #namespace: Namespace;
  readonly #powerLosses: number;
  readonly #corruptions: number;

  constructor(state: DiskState) {
    this.#tallies = state.tallies.copy();
    this.#namespace = copyNamespace(state.namespace, this.#tallies);
    this.#powerLosses = state.powerLosses;
    this.#corruptions = state.corruptions;
  }

  /** Puts a copy of it in the place of what `state` holds. */
  install(state: DiskState): void {
    state.tallies = this.#tallies.copy();
    state.namespace = copyNamespace(this.#namespace, state.tallies);
    state.powerLosses = this.#powerLosses;
    state.corruptions = this.#corruptions;
    state.full = false;
    state.recount();
  }
}

function copyNamespace(namespace: Namespace, tallies: PathTallies): Namespace {
  const twins = new Map<DiskNode, DiskNode>();
  const root = new Directory(tallies.of(namespace.root.tally.path));
  twins.set(namespace.root, root);
  const queue: [Directory, Directory][] = [[namespace.root, root]];
  const twinOf = (node: DiskNode): DiskNode => {
    const known = twins.get(node);
    if (known !== undefined) return known;
    const twin = copyNode(node, tallies);
    twins.set(node, twin);
    if (node.kind === "directory" && twin.kind === "directory") queue.push([node, twin]);
    return twin;
  };
  const directoryTwin = (node: Directory): Directory => {
    const twin = twinOf(node);
    return twin.kind === "directory" ? twin : root;
  };
  const copy = new Namespace(root);
  copy.sequence = namespace.sequence;
  copy.changes = namespace.changes.map((change): EntryChange => ({
    sequence: change.sequence,
    kind: change.kind,
    slots: change.slots.map(({ directory, name, node }) => {
      return { directory: directoryTwin(directory), name, node: node === null ? null : twinOf(node) };
    }),
    tally: tallies.of(change.tally.path),
    ordinal: change.ordinal,
  }));
  for (let at = 0; at < queue.length; at++) {
    const [original, twin] = queue[at] ?? [root, root];
    for (const [name, node] of original.cached) twin.cached.set(name, twinOf(node));
    for (const [name, node] of original.durable) twin.durable.set(name, twinOf(node));
  }
  return copy;
}

function copyNode(node: DiskNode, tallies: PathTallies): Directory | Inode {
  const tally = tallies.of(node.tally.path);
  return node.kind === "directory" ? new Directory(tally) : node.fork(tally);
}
