import type { Inode } from "./inode.ts";
import type { PathTally } from "./path-tally.ts";

/** A directory: the entries that everybody sees, and those that a power loss would leave. */
export class Directory {
  readonly kind = "directory";
  readonly tally: PathTally;
  cached = new Map<string, DiskNode>();
  durable = new Map<string, DiskNode>();

  constructor(tally: PathTally) {
    this.tally = tally;
  }
}

export type DiskNode = Directory | Inode;

/** One name of one directory, and what it came to mean: null for nothing. */
export interface Slot {
  readonly directory: Directory;
  readonly name: string;
  readonly node: DiskNode | null;
}

/** A change of directory entries that no completed `syncDir` covers yet. It happens whole or not at all. */
export interface EntryChange {
  readonly sequence: number;
  readonly kind: "create" | "link" | "remove" | "rename";
  readonly slots: readonly Slot[];
  /** Names the decision about it: the path concerned and how many changes that path has seen. */
  readonly tally: PathTally;
  readonly ordinal: number;
}
