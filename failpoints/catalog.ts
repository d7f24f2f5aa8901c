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
];
