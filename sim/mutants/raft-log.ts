import type { Mutant } from "./mutant.ts";

const scenario = "raft-log";
const lost = ["raft-log", "recovery", "exception"];
const writer = "raft/store/log-writer.ts";
const recovery = "raft/store/log-recovery.ts";
const group = "raft/store/group-log.ts";
const index = "raft/store/log-index.ts";
const reclaimer = "raft/store/log-reclaimer.ts";

/** The log of a store, for all of its groups. */
export const raftLogMutants: readonly Mutant[] = [
  {
    name: "raft-log-told-before-sync",
    file: writer,
    find: `if (mustSync) this.#sync(() => this.#told());`,
    replace: `if (mustSync && this.frameCount % 7 > 0) this.#sync(() => this.#told());`,
    oracles: lost,
    scenario,
    why: "A vote that was told is forgotten in a power loss, and given again to somebody else (R1).",
  },
  {
    name: "raft-log-group-not-whole",
    file: writer,
    find: `const mustSync = submits.some((submit) => submit.mustSync);`,
    replace: `const mustSync = submits[0]?.mustSync === true;`,
    oracles: lost,
    scenario,
    why: "What shares a frame with something that needs no sync is told before it is durable (R2).",
  },
  {
    name: "raft-log-entry-of-segment-not-synced",
    file: writer,
    find: `this.#directory.sync((error) => {`,
    replace: `((done: (error: DiskError | null) => void): void => done(null))((error) => {`,
    oracles: lost,
    scenario,
    why: "A new segment's directory entry is not synced: a power loss takes all of it.",
  },
  {
    name: "raft-log-begins-before-seal-is-durable",
    file: writer,
    find: `      this.#sync(() => this.#begin(old));`,
    replace: `      this.#begin(old);`,
    oracles: lost,
    scenario,
    why: "A segment is begun while the one before it may still be lost: the log has a hole.",
  },
  {
    name: "raft-log-retries-after-failed-sync",
    file: writer,
    find: `      if (error !== null) return this.#fail(error);
      this.#frames`,
    replace: `      if (error !== null && error.code !== "EIO") return this.#fail(error);
      this.#frames`,
    oracles: lost,
    scenario,
    why: "After a failed sync the pages count as clean: what was told is not on the device.",
  },
  {
    name: "raft-log-suffix-survives-truncation",
    file: group,
    find: `    this.#cutFrom(extent.first);
    this.extents.push(extent);`,
    replace: `    if (extent.first > this.last) this.#cutFrom(extent.first);
    else this.extents.splice(0, this.extents.length, ...this.extents.filter((one) => one.first < extent.first));
    this.extents.push(extent);`,
    oracles: lost,
    scenario,
    why: "A conflicting entry stays beside the one that replaced it (R3).",
  },
  {
    name: "raft-log-truncates-at-compaction-only",
    file: index,
    find: `        return log.append(this.#extent(change, place));`,
    replace: `        if (change.entries.length > 1) return log.append(this.#extent(change, place));
        return log.move(this.#extent(change, place));`,
    oracles: lost,
    scenario,
    why: "One entry in place of several leaves the others behind it standing.",
  },
  {
    name: "raft-log-reclaims-hard-state",
    file: reclaimer,
    find: `log.hardPiece.segment === number || log.startPiece.segment === number`,
    replace: `log.startPiece.segment === number`,
    oracles: lost,
    scenario,
    why: "An idle group's vote goes with the segment that held it.",
  },
  {
    name: "raft-log-reclaims-notes",
    file: reclaimer,
    find: `if (log.notePieces.get(key)?.segment === number) yield`,
    replace: `if (log.notePieces.get(key)?.segment === number && key > 0) yield`,
    oracles: lost,
    scenario,
    why: "The word that a snapshot is being installed goes with an old segment.",
  },
  {
    name: "raft-log-removes-before-begin-is-durable",
    file: reclaimer,
    find: `        return left ? changes : [{ op: "begin", segment: next.number }];`,
    replace: `        if (!left) file.remove(this.#env.disk);
        return left ? changes : [{ op: "begin", segment: next.number }];`,
    oracles: lost,
    scenario,
    why: "A crash between leaves a log whose first segment is missing, and the store does not open.",
  },
  {
    name: "raft-log-moves-what-was-read-early",
    file: reclaimer,
    find: `    this.#writer.submitLate(
      () => {
        const changes = this.#readWhatStays(file);`,
    replace: `    const early = this.#readWhatStays(file);
    this.#writer.submitLate(
      () => {
        const changes = early;`,
    oracles: lost,
    scenario,
    why: "Entries that were replaced meanwhile come back when their segment is emptied.",
  },
  {
    name: "raft-log-trusts-the-newest-segment",
    file: recovery,
    find: `    await syncFile(target);
    // A header`,
    replace: `    // A header`,
    oracles: lost,
    scenario,
    why: "What only the page cache held after a failed sync counts as durable after a restart.",
  },
  {
    name: "raft-log-takes-a-half-copy-for-whole",
    file: recovery,
    find: `    if (newest !== null) this.#copy(newest, target);`,
    replace: `    this.#writeComplete(target);
    if (newest !== null) this.#copy(newest, target);`,
    oracles: lost,
    scenario,
    why: "An opening that was cut short leaves a copy of a part of the log, and the next one believes it.",
  },
  {
    name: "raft-log-old-segment-comes-back",
    file: recovery,
    find: `|| complete.some((other) => replaces(other, scan))) continue;`,
    replace: `|| complete.some((other) => replaces(other, scan) && scan === scans.at(-2))) continue;`,
    oracles: lost,
    scenario,
    why: "A segment whose removal a failed sync undid is refused as one too many, and the store does not open.",
  },
  {
    name: "raft-log-removes-before-the-copy-is-durable",
    file: recovery,
    find: `    await this.#syncDirectory();
    for (const number of goes) this.#remove(number);`,
    replace: `    for (const number of goes) this.#remove(number);
    await this.#syncDirectory();`,
    oracles: lost,
    scenario,
    why: "A power loss during an opening keeps the removal and not the copy: the newest entries are gone.",
  },
  {
    name: "raft-log-read-ignores-truncation",
    file: reclaimer,
    find: `  return entries.slice(extent.first - extent.changeFirst, extent.last - extent.changeFirst + 1);`,
    replace: `  return entries.slice(extent.first - extent.changeFirst);`,
    oracles: lost,
    scenario,
    why: "A follower is sent entries that were replaced long ago.",
  },
];
