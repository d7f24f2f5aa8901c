import type { Failpoint } from "./failpoints.ts";

/** The group's bytes are written, no sync was asked for yet. "error": the sync fails. */
export const walBeforeSync: Failpoint = {
  name: "core/wal/before-sync",
  allows: ["crash", "error"],
};

/** The sync completed, nobody was told yet. */
export const walAfterSync: Failpoint = { name: "core/wal/after-sync", allows: ["crash"] };

/** The new segment exists, the old one is sealed, no record is in the new one. */
export const walAfterRotate: Failpoint = { name: "core/wal/after-rotate", allows: ["crash"] };

/** The flushed table is durable, the manifest does not name it: recovery must delete it. */
export const flushBeforeManifest: Failpoint = {
  name: "core/engine/flush-before-manifest",
  allows: ["crash"],
};

/** The manifest names the flushed table, its log segment still exists. */
export const flushAfterManifest: Failpoint = {
  name: "core/engine/flush-after-manifest",
  allows: ["crash"],
};

/** Merged tables are durable, the manifest still names their inputs. */
export const compactionBeforeManifest: Failpoint = {
  name: "core/engine/compaction-before-manifest",
  allows: ["crash"],
};

/** The manifest names the merged tables, their inputs still exist. */
export const compactionAfterManifest: Failpoint = {
  name: "core/engine/compaction-after-manifest",
  allows: ["crash"],
};

/** The new manifest is durable, CURRENT names the old one. */
export const manifestBeforeCurrent: Failpoint = {
  name: "core/manifest/before-current",
  allows: ["crash"],
};

/** CURRENT names the new manifest, the old one still exists. */
export const manifestAfterCurrent: Failpoint = {
  name: "core/manifest/after-current",
  allows: ["crash"],
};

/** The recovered tail is rewritten and durable, the old segments still exist. */
export const recoveryBeforeRemove: Failpoint = {
  name: "core/engine/recovery-before-remove",
  allows: ["crash"],
};

/** A snapshot's files are durable, nothing says that they are to be installed. */
export const snapshotBeforeIntent: Failpoint = { name: "raft/store/snapshot-before-intent", allows: ["crash"] };

/** The Raft log says that a snapshot is to be installed, the engine has the old records. */
export const snapshotAfterIntent: Failpoint = { name: "raft/store/snapshot-after-intent", allows: ["crash"] };

/** The engine has the snapshot's records, the Raft log is still the old one. */
export const snapshotAfterReplace: Failpoint = { name: "raft/store/snapshot-after-replace", allows: ["crash"] };

/** Records and log are the snapshot's, nobody was told. */
export const snapshotAfterDone: Failpoint = { name: "raft/store/snapshot-after-done", allows: ["crash"] };

/** A removed peer's tombstone is durable, its log still exists. */
export const tombstoneBeforeLog: Failpoint = { name: "raft/store/tombstone-before-log", allows: ["crash"] };

/** A region is divided in the engine's memory, nothing of its children is in the Raft log. */
export const splitAfterApply: Failpoint = { name: "raft/store/split-after-apply", allows: ["crash"] };

/** A child's log begins, durably; its records may be lost. */
export const splitAfterLog: Failpoint = { name: "raft/store/split-after-log", allows: ["crash"] };

/** A child's records and the beginning of its log are durable, nobody has heard of it. */
export const splitBeforePublish: Failpoint = { name: "raft/store/split-before-publish", allows: ["crash"] };

/** Ids of peers were given out for an expansion, its journal does not have them. */
export const expandAfterReserve: Failpoint = {
  name: "node/migrate/expand-after-reserve",
  allows: ["crash"],
};

/** The journal has the ids, no peer was added under them. */
export const expandAfterJournal: Failpoint = {
  name: "node/migrate/expand-after-journal",
  allows: ["crash"],
};

/** A target was looked at, the learner was not asked for. */
export const expandBeforeAdd: Failpoint = {
  name: "node/migrate/expand-before-add",
  allows: ["crash"],
};

/** The learner was asked for, nobody has noted what came of it. */
export const expandAfterAdd: Failpoint = {
  name: "node/migrate/expand-after-add",
  allows: ["crash"],
};

/** Learners have what their leader has, they do not vote. */
export const expandAfterVerify: Failpoint = {
  name: "node/migrate/expand-after-verify",
  allows: ["crash"],
};

/** The change of voters was asked for, nobody has seen its end. */
export const expandAfterPromote: Failpoint = {
  name: "node/migrate/expand-after-promote",
  allows: ["crash"],
};

/** Everybody knows the new voters, the journal does not say that it is over. */
export const expandAfterSettle: Failpoint = {
  name: "node/migrate/expand-after-settle",
  allows: ["crash"],
};

/** The journal says that learners are being removed, they are still there. */
export const expandAfterAbortMark: Failpoint = {
  name: "node/migrate/expand-after-abort-mark",
  allows: ["crash"],
};

/** Learners are removed, the journal still has them. */
export const expandAfterAbort: Failpoint = {
  name: "node/migrate/expand-after-abort",
  allows: ["crash"],
};

/** Everything is hashed; the directory is as it was. */
export const initBeforeMode: Failpoint = { name: "node/migrate/init-before-mode", allows: ["crash"] };

/** MODE says preparing, the manifest says standalone. The original's AfterInitModePreparing. */
export const initAfterMode: Failpoint = { name: "node/migrate/init-after-mode", allows: ["crash"] };

/** MODE and manifest say preparing, there are no regions. */
export const initAfterGate: Failpoint = { name: "node/migrate/init-after-gate", allows: ["crash"] };

/** The regions are in the engine, there is no Raft log. The original's AfterInitCatalogPersist. */
export const initAfterCatalog: Failpoint = { name: "node/migrate/init-after-catalog", allows: ["crash"] };

/** Regions and their logs are there, nobody has looked. The original's AfterInitSeedSnapshot. */
export const initAfterRaftSeed: Failpoint = { name: "node/migrate/init-after-raft-seed", allows: ["crash"] };

/** The seed was read back, and is what it should be. */
export const initAfterCheck: Failpoint = { name: "node/migrate/init-after-check", allows: ["crash"] };

/** The manifest says seeded, MODE says preparing. */
export const initAfterSeededGate: Failpoint = { name: "node/migrate/init-after-seeded-gate", allows: ["crash"] };

/** A region is frozen in the engine, durably or not; nobody was told. */
export const mergeAfterFreeze: Failpoint = { name: "raft/store/merge-after-freeze", allows: ["crash"] };

/** All replicas of a source are frozen for ever, its target was not asked. */
export const mergeBeforeCommit: Failpoint = { name: "raft/store/merge-before-commit", allows: ["crash"] };

/** The target has its source's range in the engine; the source's replica and its log are still there. */
export const mergeAfterCommit: Failpoint = { name: "raft/store/merge-after-commit", allows: ["crash"] };

/** The freeze is taken back in the engine, nobody was told. */
export const mergeAfterRollback: Failpoint = { name: "raft/store/merge-after-rollback", allows: ["crash"] };

/** It is proven that nothing was written since the seed, and MODE says that it is being undone. */
export const rollbackAfterMode: Failpoint = { name: "node/migrate/rollback-after-mode", allows: ["crash"] };

/** The regions are gone from the engine, their logs are still there. */
export const rollbackAfterCatalog: Failpoint = { name: "node/migrate/rollback-after-catalog", allows: ["crash"] };

/** Regions and logs are gone, the manifest still says what the directory was. */
export const rollbackAfterRaftLog: Failpoint = { name: "node/migrate/rollback-after-raft-log", allows: ["crash"] };

/** The manifest says standalone, MODE still keeps everybody away. */
export const rollbackAfterGate: Failpoint = { name: "node/migrate/rollback-after-gate", allows: ["crash"] };

export const failpoints: readonly Failpoint[] = [
  walBeforeSync,
  walAfterSync,
  walAfterRotate,
  flushBeforeManifest,
  flushAfterManifest,
  compactionBeforeManifest,
  compactionAfterManifest,
  manifestBeforeCurrent,
  manifestAfterCurrent,
  recoveryBeforeRemove,
  snapshotBeforeIntent,
  snapshotAfterIntent,
  snapshotAfterReplace,
  snapshotAfterDone,
  tombstoneBeforeLog,
  mergeAfterFreeze,
  mergeBeforeCommit,
  mergeAfterCommit,
  mergeAfterRollback,
  splitAfterApply,
  splitAfterLog,
  splitBeforePublish,
  expandAfterReserve,
  expandAfterJournal,
  expandBeforeAdd,
  expandAfterAdd,
  expandAfterVerify,
  expandAfterPromote,
  expandAfterSettle,
  expandAfterAbortMark,
  expandAfterAbort,
  initBeforeMode,
  initAfterMode,
  initAfterGate,
  initAfterCatalog,
  initAfterRaftSeed,
  initAfterCheck,
  initAfterSeededGate,
  rollbackAfterMode,
  rollbackAfterCatalog,
  rollbackAfterRaftLog,
  rollbackAfterGate,
];
