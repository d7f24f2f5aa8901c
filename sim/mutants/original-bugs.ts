/** A defect of the original system's storage, and what of its kind is planted here. */
export interface OriginalBug {
  /** As in the inventory of the original. */
  readonly id: string;
  readonly what: string;
  /** Planted bugs of the same kind. */
  readonly planted: readonly string[];
  /** Why there can be none, or what differs here; "" where nothing needs to be said. */
  readonly note: string;
}

/** All of them. `docs/PLANTED-BUGS.md` shows this table; a test holds it to the planted bugs that there are. */
export const originalBugs: readonly OriginalBug[] = [
  {
    id: "S1",
    what: "A read takes the first hit of memtable, waiting memtables, level 0 and so on, whatever its version.",
    planted: [
      "older-memtable-asked-first", "older-table-asked-first", "retained-memtables-oldest-first",
      "older-table-left-above", "ingested-over-what-is-there",
    ],
    note: "Reads rest on sources in order of age; so whatever breaks that order is planted.",
  },
  {
    id: "S2",
    what: "Collection of the value log inserts an old version anew: an overwritten value is back.",
    planted: ["relocated-value-newer-than-it-is", "collection-brings-back-deleted-keys"],
    note: "",
  },
  {
    id: "S3",
    what: "The sampler of the collection takes every file for garbage.",
    planted: ["value-file-all-garbage", "value-file-with-one-value-forgotten"],
    note: "",
  },
  {
    id: "S4",
    what: "Compaction never drops old versions, tombstones and expired values; garbage is counted wrong.",
    planted: [
      "overwritten-versions-never-dropped", "bottom-tombstones-never-dropped",
      "range-tombstones-never-dropped", "expired-tables-are-not-due",
      "tables-of-tombstones-are-not-due", "pointers-counted-wrong", "garbage-never-collected",
    ],
    note: "",
  },
  {
    id: "S5",
    what: "Of two records with equal key and version the older one wins.",
    planted: [
      "versions-given-out-twice", "first-write-of-batch-wins", "record-cache-keeps-pointers",
      "relocation-keeps-old-pointer",
    ],
    note: "Every batch has a version of its own, so equal ones exist only within a batch, and of a value that moved.",
  },
  {
    id: "S6",
    what: "A failed flush is swallowed, and the next one lets its log go.",
    planted: [
      "failed-flush-passed-over", "flush-forgets-later-segments", "failed-job-never-tried-again",
    ],
    note: "",
  },
  {
    id: "S7",
    what: "A table that a crash orphaned has the number of a later one, whose flush fails for ever.",
    planted: ["orphan-number-used-again", "orphan-tables-stay", "orphan-value-files-stay"],
    note: "",
  },
  {
    id: "S8",
    what: "A merge whose output can not be opened deletes its inputs.",
    planted: ["table-sync-error-ignored", "inputs-removed-before-manifest", "table-sync-not-awaited"],
    note: "",
  },
  {
    id: "S9",
    what: "The newest version found at an opening leaves tables out: new writes are hidden by old ones.",
    planted: [
      "newest-version-of-table-without-range-tombstones", "clock-not-restored",
      "ingested-versions-given-out-again", "checkpoint-gives-versions-out-again",
    ],
    note: "",
  },
  {
    id: "S10",
    what: "One change of the manifest is several frames without checksums: a crash leaves half of it.",
    planted: ["compaction-in-two-edits", "manifest-edits-overlap", "manifest-damage-is-a-tear"],
    note: "",
  },
  {
    id: "S11",
    what: "Any error with CURRENT makes a new, empty database over the old one.",
    planted: ["lost-current-starts-anew", "current-renamed-before-sync", "current-rename-not-synced"],
    note: "",
  },
  {
    id: "S12",
    what: "A failed rewrite of the manifest is told as the failure of an edit that was applied.",
    planted: ["full-disk-loses-manifest-edit", "manifest-failure-ignored"],
    note: "",
  },
  {
    id: "S13",
    what: "A torn end of the log is kept and appended to; zeros at its end keep the database from opening.",
    planted: [
      "wal-payload-checksum-ignored", "wal-frame-vouches-for-unsynced", "segments-behind-a-tear-kept",
      "leftover-frames-validate",
    ],
    note: "Nothing is ever appended to a recovered segment: what was in it is written into a new one.",
  },
  {
    id: "S14",
    what: "A log segment gets a number that a memtable has: it wipes a live file.",
    planted: ["reserved-numbers-given-out-again", "orphan-number-used-again"],
    note: "One counter names all files.",
  },
  {
    id: "S15",
    what: "The log goes after a flush that synced neither the table nor the manifest.",
    planted: [
      "table-not-synced", "table-entry-not-synced", "manifest-not-synced",
      "segment-removed-before-manifest", "manifest-edit-told-before-durable",
    ],
    note: "",
  },
  {
    id: "S16",
    what: "After a failed sync a write is reported as failed, is visible, and may survive.",
    planted: [
      "undetermined-told-as-refused", "failed-log-tells-success", "wal-failed-sync-retried",
      "doomed-value-shown",
    ],
    note: "",
  },
  {
    id: "S17",
    what: "Damage in the middle of the value log cuts off what follows; a missing file is only warned of.",
    planted: [
      "damaged-segment-drops-later-ones", "wal-witness-ignored", "missing-segment-not-noticed",
      "pointer-not-checked",
    ],
    note: "Value files are only read through pointers, so nothing is cut off them at all.",
  },
  {
    id: "S18",
    what: "Open iterators are not counted: collection removes what they read.",
    planted: [
      "value-file-removed-under-iterator", "value-file-holders-not-counted",
      "tables-closed-under-readers", "arena-reused-under-an-iterator",
    ],
    note: "",
  },
  {
    id: "S19",
    what: "Statistics of garbage are a key that users see and can delete.",
    planted: [],
    note: "There are no keys of our own: what is known of garbage stands in tables and the manifest.",
  },
  {
    id: "S20",
    what: "A batch of exactly 64 writes is refused.",
    planted: [],
    note: "Batches have no limit of their count; those in bytes are tested (`core/engine/engine.test.ts`).",
  },
  {
    id: "S21",
    what: "A read after close fails by accident.",
    planted: ["closed-database-is-read"],
    note: "",
  },
  {
    id: "S22",
    what: "The search in a table misses entries of version 0.",
    planted: [
      "block-search-passes-exact-version", "find-stays-in-first-block-of-key",
      "pin-of-equal-version-passed",
    ],
    note: "Versions begin above 0; planted is the same slip at the very version that is asked for.",
  },
  {
    id: "S23",
    what: "Range tombstones ignore the version of the read; an import forgets to index them.",
    planted: [
      "range-tombstone-ignores-read-version", "scan-ranges-ignore-read-version",
      "replayed-range-tombstones-not-asked", "export-forgets-deletes-of-ranges",
    ],
    note: "",
  },
  {
    id: "S24",
    what: "A reverse seek skips versions; iterators show what is written after they were opened.",
    planted: [
      "reverse-scan-takes-oldest-version", "seek-back-misses-target", "scan-shows-pending",
      "scan-jumps-over-newer-records",
    ],
    note: "",
  },
  {
    id: "S25",
    what: "A memtable does not note the newest version that it holds.",
    planted: [
      "in-tables-of-a-younger-segment", "wal-batch-told-by-reads", "wal-sync-covers-later-writes",
    ],
    note: "",
  },
  {
    id: "S26",
    what: "A lock's version, the largest number, becomes the newest one, and the next write overflows.",
    planted: ["ingested-versions-given-out-again"],
    note: "No record has a version that the clock did not give out: the largest number only bounds reads.",
  },
  {
    id: "S27",
    what: "A tool assumes default options, and looks at a running database without its lock.",
    planted: ["looking-needs-no-lock", "looking-sees-no-log"],
    note: "Files say themselves how they are to be read.",
  },
  {
    id: "S28",
    what: "A script deletes LOCK of a database that may be running.",
    planted: ["directory-not-locked"],
    note: "The lock is the kernel's, not the file's being there; no script of ours touches it.",
  },
  {
    id: "S29",
    what: "The lock goes when any handle of its file is closed.",
    planted: ["aborted-opening-keeps-lock", "looking-keeps-the-lock"],
    note: "Tested over the real disk as well (`sim/conformance/disk-directory-cases.ts`).",
  },
  {
    id: "S30",
    what: "Two databases of one process overwrite each other's statistics.",
    planted: [],
    note: "Nothing is global: lint refuses state of modules, statistics belong to the engine.",
  },
  {
    id: "S31",
    what: "Tools that look at a stopped database change it.",
    planted: ["looking-removes-for-real", "looking-takes-the-lock-for-writing"],
    note: "",
  },
];
