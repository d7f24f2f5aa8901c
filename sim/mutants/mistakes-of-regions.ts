import type { ClassicMistake } from "./classic-mistake.ts";

/** Of snapshots, of replicas that come and go, and of ranges that change. */
export const regionMistakes: readonly ClassicMistake[] = [
  {
    id: 42,
    what: "A snapshot is of the applied index at which it was taken.",
    planted: ["store-snapshot-says-what-is-committed", "ranges-exported-without-memory"],
  },
  {
    id: 43,
    subtle: true,
    what: "Records and applied state of a snapshot are taken in one turn.",
    planted: ["ranges-exported-later-than-called"],
  },
  {
    id: 44,
    what: "What a region held goes before a snapshot's records count.",
    planted: ["ranges-replaced-over-caches", "ranges-replaced-beside-memory"],
  },
  {
    id: 45,
    what: "The log goes on behind a snapshot once its records are durable.",
    planted: [
      "store-snapshot-done-before-it-is", "store-tasks-overtake-a-snapshot", "store-snapshot-without-intent",
      "store-snapshot-forgotten-by-recovery", "stream-done-before-it-is",
    ],
  },
  {
    id: 46,
    subtle: true,
    what: "Memory is flushed before a region's records are replaced or removed.",
    planted: ["ranges-replaced-beside-memory"],
  },
  {
    id: 47,
    what: "A snapshot that overlaps another region of the store is refused.",
    planted: ["split-overlapping-snapshot-is-taken"],
  },
  {
    id: 48,
    what: "A replica serves once its snapshot is installed.",
    planted: ["store-snapshot-done-before-it-is", "store-reads-outlive-their-records"],
  },
  {
    id: 49,
    what: "Ids of peers are used once, and what is meant for an earlier peer is dropped.",
    planted: [
      "store-dead-rise", "store-predecessors-are-heard", "store-dead-peers-write", "reserved-peer-without-a-plan",
      "store-tombstone-takes-its-successors-log",
    ],
  },
  {
    id: 50,
    what: "A tombstone is durable before what it is for goes.",
    planted: [
      "store-log-goes-before-its-tombstone", "store-log-goes-while-its-tombstone-may-be-lost",
      "store-refused-conf-is-applied",
    ],
  },
  {
    id: 51,
    subtle: true,
    what: "A split never takes back a vote of the new region.",
    planted: ["split-takes-a-vote-back"],
  },
  {
    id: 52,
    what: "A new region's peers are those of the state at apply.",
    planted: ["split-everybody-votes-in-the-child", "split-of-the-past-counts"],
  },
  {
    id: 53,
    what: "A split raises the versions of both halves.",
    planted: ["split-child-has-the-old-version"],
  },
  {
    id: 54,
    subtle: true,
    what: "A read waits until what was committed when it came is applied.",
    planted: ["store-reads-at-once", "store-reads-before-they-are-applied", "store-reads-one-early"],
  },
  {
    id: 55,
    what: "The epoch is looked at again in the turn in which a read is answered.",
    planted: ["split-answers-reads-of-another-range", "txn-server-proposes-for-another-range"],
  },
  {
    id: 56,
    what: "A merge waits for every replica.",
    planted: ["merge-waits-for-a-majority-only", "merge-freeze-is-reported-before-it-is-durable"],
  },
  {
    id: 57,
    subtle: true,
    what: "A merge is taken back only where its target has certainly gone on.",
    planted: [
      "merge-is-taken-back-because-it-is-late", "merge-is-committed-at-any-epoch", "merge-evidence-does-not-look-why",
    ],
  },
  {
    id: 58,
    what: "A region about to be merged takes no reads and no changes.",
    planted: ["merge-frozen-region-is-read", "merge-frozen-region-is-written", "merge-restart-forgets-the-freeze"],
  },
  {
    id: 59,
    what: "A merged region's replica goes after its neighbour has it.",
    planted: ["merge-source-goes-before-its-target-has-it", "merge-snapshot-leaves-the-source"],
  },
  {
    id: 60,
    what: "An empty end of a range is behind all keys.",
    planted: ["split-last-range-has-an-end", "merge-of-the-last-region-into-the-first"],
  },
  {
    id: 61,
    what: "A new replica begins as a learner.",
    planted: ["expand-adds-a-voter", "planner-voter-first"],
    note: "The leader's store refuses it too, whoever asks.",
  },
  {
    id: 62,
    subtle: true,
    what: "A sleeping group wakes when a store that it relies on starts over.",
    planted: ["asleep-over-a-restart", "asleep-behind-the-dead", "asleep-before-the-laggard"],
  },
  {
    id: 63,
    what: "A group sleeps only where all is applied everywhere.",
    planted: ["asleep-with-work-to-apply", "asleep-before-a-learner"],
  },
];
