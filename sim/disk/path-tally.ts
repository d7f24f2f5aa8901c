/**
 * The counters behind the keyed draws of one path. They live as long as the disk, through removal,
 * re-creation and crashes, so that the n-th write to a path is the same decision whatever happened to other
 * paths.
 */
export class PathTally {
  readonly path: string;
  /** Hash of the path: the entity of its draws. */
  readonly entity: number;
  /** All operations, for their duration. */
  operations = 0;
  opens = 0;
  reads = 0;
  writes = 0;
  syncs = 0;
  metadata = 0;
  /** Directory changes recorded under this path. */
  entries = 0;
  /** Times a power loss or a failed sync had to decide about its contents. */
  losses = 0;
  /** `heal` count of the disk when operations on this name began to fail for good; -1: they have not. */
  badMetadataSince = -1;

  constructor(path: string) {
    this.path = path;
    let hash = 0x811c9dc5;
    for (let at = 0; at < path.length; at++) {
      hash = Math.imul(hash ^ path.charCodeAt(at), 0x01000193);
    }
    this.entity = hash >>> 0;
  }

  copy(): PathTally {
    const twin = new PathTally(this.path);
    twin.operations = this.operations;
    twin.opens = this.opens;
    twin.reads = this.reads;
    twin.writes = this.writes;
    twin.syncs = this.syncs;
    twin.metadata = this.metadata;
    twin.entries = this.entries;
    twin.losses = this.losses;
    twin.badMetadataSince = this.badMetadataSince;
    return twin;
  }
}

/** All tallies of a disk, by path. */
export class PathTallies {
  #byPath = new Map<string, PathTally>();

  of(path: string): PathTally {
    let tally = this.#byPath.get(path);
    if (tally === undefined) {
      tally = new PathTally(path);
      this.#byPath.set(path, tally);
    }
    return tally;
  }

  copy(): PathTallies {
    const twin = new PathTallies();
    for (const [path, tally] of this.#byPath) twin.#byPath.set(path, tally.copy());
    return twin;
  }
}
