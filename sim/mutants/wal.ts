import type { Mutant } from "./mutant.ts";

const writer = "core/wal/writer.ts";
const lost = ["prefix", "recovery", "errors", "liveness", "model", "linearizability", "ledger", "counters"];

/** From a commit to a durable log: when it is told, what is synced, what a later frame vouches for. */
export const walMutants: readonly Mutant[] = [
  {
    name: "wal-ack-before-sync",
    file: writer,
    find: `if (level !== "sync") this.#tell(this.#writtenVersion());`,
    replace: `this.#tell(this.#writtenVersion());`,
    oracles: lost,
    scenario: "gateway-clients",
    why: "Writes acknowledged at level sync are gone after a power loss.",
  },
  {
    name: "wal-ack-of-gathering-group",
    file: writer,
    find: `if (this.#config.level === "sync") this.#tell(version);`,
    replace: `if (this.#config.level === "sync") this.#tell(segment.lastVersion);`,
    oracles: lost,
    scenario: "crash-points",
    why: "Writes that gathered while a sync was in flight are acknowledged by it, and lost in a power loss.",
  },
  {
    name: "wal-sync-skipped",
    file: writer,
    find: `startSync(file, injected ? this.#injectedBound : this.#syncedBound);`,
    replace: `this.#env.clock.soon(injected ? this.#injectedBound : () => this.#syncedBound(null));`,
    oracles: lost,
    scenario: "crash-points",
    why: "The log is never synced: a power loss takes acknowledged writes.",
  },
  {
    name: "wal-entry-not-synced",
    file: writer,
    find: `this.#syncOutstanding = segment.entryDurable ? 1 : 2;`,
    replace: `segment.entryDurable = true;\n    this.#syncOutstanding = 1;`,
    oracles: lost,
    scenario: "disk-pressure",
    why: "A new log segment's directory entry is not synced: a power loss takes the whole segment.",
  },
  {
    name: "directory-sync-joins-one-under-way",
    file: "core/wal/directory-sync.ts",
    find: `this.#gathering.push(done);
    if`,
    replace: `(this.#running.length > 0 ? this.#running : this.#gathering).push(done);
    if`,
    oracles: lost,
    scenario: "gateway-clients",
    why: "A file created while the directory was being synced counts as durable, and a power loss takes it.",
  },
  {
    name: "wal-sync-error-ignored",
    file: writer,
    find: `if (error !== null && this.#failure === null) this.#fail(error);`,
    replace: ``,
    oracles: lost,
    scenario: "engine-model",
    why: "A failed sync counts as a success, and what it covered is lost in a power loss.",
  },
  {
    name: "wal-failed-sync-retried",
    file: writer,
    find: `startSync(file, injected ? this.#injectedBound : this.#syncedBound);`,
    replace: `const again = (error: DiskError | null): void => {
      if (error === null) this.#syncedBound(null);
      else startSync(file, this.#syncedBound);
    };
    startSync(file, injected ? this.#injectedBound : again);`,
    oracles: lost,
    scenario: "disk-pressure",
    why: "A failed sync is tried again and succeeds over pages that the kernel dropped.",
  },
  {
    name: "wal-short-write-ignored",
    file: writer,
    find: `segment.writtenBytes = start + taken;`,
    replace: `segment.writtenBytes = end;`,
    oracles: [...lost, "exception"],
    scenario: "gateway-clients",
    why: "Half of a group reaches the disk and all of it is acknowledged.",
  },
  {
    name: "wal-full-disk-swallowed",
    file: writer,
    find: `if (!this.#waitForSpace(error)) this.#fail(error);`,
    replace: `if (error.code === "ENOSPC") {
        segment.writtenBytes = segment.endBytes;
        segment.writtenVersion = segment.lastVersion;
        return true;
      }
      if (!this.#waitForSpace(error)) this.#fail(error);`,
    oracles: [...lost, "exception"],
    scenario: "engine-model",
    why: "Writes that found the disk full are acknowledged and never stored.",
  },
  {
    name: "wal-zeros-ahead-cover-frames",
    file: "core/wal/preallocation.ts",
    find: `Math.max(endBytes, segment.allocatedBytes)`,
    replace: `segment.allocatedBytes`,
    oracles: [...lost, "exception"],
    scenario: "gateway-clients",
    why: "Zeros written ahead of the end of the log cover the group that was just written.",
  },
  {
    name: "wal-zeros-taken-for-damage",
    file: "core/wal/segment-scan.ts",
    find: `if (!isZero(image, reader.offset)) walk.problem = reader.problem;`,
    replace: `if (isZero(image, reader.offset)) throw corruption(path, reader.offset, reader.problem);
      walk.problem = reader.problem;`,
    oracles: ["recovery", "errors", "model", "exception"],
    scenario: "disk-pressure",
    why: "A database that was not closed does not open: the zeros behind its log count as damage.",
  },
  {
    name: "wal-damage-taken-for-zeros",
    file: "core/wal/segment-scan.ts",
    find: `  const beyond = reader.witnesses();`,
    replace: `  const next = walk === null ? bytes : bytes.subarray(walk.goodBytes, walk.goodBytes + 4);
  if (walk !== null && next.length === 4 && isZero(next, 0)) {
    walk.problem = "";
    reader.position = end;
  }
  const beyond = reader.witnesses();`,
    oracles: ["any"],
    scenario: "at-rest-corruption",
    why: "A frame whose beginning rots to zeros is the end of the log, and acknowledged writes behind it are gone.",
  },
  {
    name: "wal-sealed-segment-not-trimmed",
    file: "core/wal/writer.ts",
    find: `if (segment.sealed) trim(segment);`,
    replace: `if (segment.sealed && segment.renamed) trim(segment);`,
    oracles: ["any"],
    scenario: "engine-model",
    why: "A log segment that becomes a value file has zeros behind its end, and the next opening refuses it.",
  },
  {
    name: "wal-frame-vouches-for-unsynced",
    file: "core/wal/segment.ts",
    find: `  #closeWith(offset: number, payloadBytes: number): void {
    this.frames.durableBytes = this.durableBytes;`,
    replace: `  #closeWith(offset: number, payloadBytes: number): void {
    this.frames.durableBytes = this.writtenBytes;`,
    oracles: lost,
    scenario: "engine-model",
    why: "After an ordinary power loss the database refuses to open, for it takes its torn tail for damage.",
  },
  {
    name: "wal-sync-covers-later-writes",
    file: writer,
    find: `segment.durableBytes = covers;`,
    replace: `segment.durableBytes = segment.writtenBytes;`,
    oracles: lost,
    scenario: "engine-model",
    why: "What was written during a sync counts as durable: at level interval an orderly close may lose it.",
  },
  {
    name: "wal-syncs-newest-segment-first",
    file: writer,
    find: `  #startSync(): void {
    for (let i = 0; i < this.#segments.length; i++) {`,
    replace: `  #startSync(): void {
    for (let i = this.#segments.length - 1; i >= 0; i--) {`,
    oracles: lost,
    scenario: "facade-model",
    why: "The manifest vouches for a segment whose predecessor is not durable: the database refuses to open.",
  },
  {
    name: "wal-sync-waits-for-writes-only",
    file: "core/wal/sync-waiters.ts",
    find: `segment.durableBytes >= bytes`,
    replace: `segment.writtenBytes >= bytes`,
    oracles: lost,
    scenario: "engine-versions",
    why: "An orderly close or an opening over several segments ends before the last of them is durable.",
  },
  {
    name: "wal-batch-told-by-reads",
    file: "core/engine/write-path.ts",
    find: `    this.#waiters.add(version, done);
  }

  /** As`,
    replace: `    if (batch.count === 1) this.#waiters.add(version, done);
    else this.#env.clock.soon(() => done(null));
  }

  /** As`,
    oracles: ["visibility", ...lost],
    scenario: "engine-model",
    why: "A batch of several writes is acknowledged at once, durable or not.",
  },
  {
    name: "failed-log-tells-success",
    file: "core/engine/write-path.ts",
    find: `    this.#listener?.failed(error);
    this.#waiters.fail(undetermined(error));`,
    replace: `    this.#listener?.failed(error);
    this.#waiters.tell(this.#pendingVersion);`,
    oracles: ["visibility", "linearizability", "ledger", "counters", "prefix"],
    scenario: "engine-model",
    why: "Writes whose sync failed are acknowledged.",
  },
  {
    name: "undetermined-told-as-refused",
    file: "core/engine/failure.ts",
    find: `return new NokvError("NOKV_UNDETERMINED", message, { path: error.path, cause: error });`,
    replace: `return new NokvError("NOKV_IO", message, { path: error.path, cause: error });`,
    oracles: [...lost, "snapshot"],
    scenario: "gateway-clients",
    why: "A write that may survive is reported as not done: a client that tries again does it twice.",
  },
  {
    name: "failed-store-recovers-by-itself",
    file: "core/engine/write-path.ts",
    find: `    // Everybody stops before anybody is told.`,
    replace: `    this.#env.clock.after(100_000, () => {
      this.#failure = null;
    });`,
    oracles: ["exception", "visibility", "prefix", "liveness"],
    scenario: "disk-pressure",
    why: "A store whose log failed soon takes writes again, which go nowhere.",
  },
  {
    name: "interval-never-synced",
    file: "core/wal/writer.ts",
    find: `      this.#demandAll();
      this.#schedule();`,
    replace: `      this.#schedule();`,
    oracles: lost,
    scenario: "disk-pressure",
    why: "At level interval a power loss takes everything since the database was opened.",
  },
  {
    name: "held-writes-never-go-on",
    file: "core/engine/background-context.ts",
    find: `      write.resume();`,
    replace: ``,
    oracles: ["liveness", "stuck"],
    scenario: "engine-model",
    why: "Writes held back while a flush was behind wait for ever, although it caught up.",
  },
  {
    name: "partial-read-is-end-of-file",
    file: "core/env/whole-io.ts",
    find: `    if (filled === 0) break;
    at += filled;`,
    replace: `    at += filled;
    break;`,
    oracles: [...lost, "reads"],
    scenario: "facade-model",
    why: "A read that returns less than asked, as the kernel may, looks like damage or a shorter log.",
  },
  {
    name: "partial-write-taken-for-whole",
    file: "core/env/whole-io.ts",
    find: `    at += taken;`,
    replace: `    at = end;`,
    oracles: ["any"],
    scenario: "gateway-clients",
    why: "Half of a table block or of a manifest edit is missing, and nobody notices until it is read.",
  },
];
