import type { ClassicMistake } from "./classic-mistake.ts";

/** Of elections, replication, logs and what is applied. */
export const consensusMistakes: readonly ClassicMistake[] = [
  {
    id: 1,
    what: "A vote is told once it is durable.",
    planted: [
      "raft-vote-before-durable", "store-says-before-it-is-durable", "store-acknowledges-before-durable",
      "raft-log-told-before-sync", "store-vote-of-nobody", "raft-log-reclaims-hard-state",
    ],
  },
  {
    id: 2,
    what: "Entries are acknowledged once they are durable.",
    planted: [
      "raft-ack-before-durable", "store-says-before-it-is-durable", "store-submit-sometimes-not-synced",
      "store-batch-synced-for-the-last", "store-submits-without-sync", "raft-log-group-not-whole",
    ],
  },
  {
    id: 3,
    what: "Who leads or stands counts itself by what its own disk has.",
    planted: ["raft-own-match-before-durable", "raft-candidacy-before-durable"],
  },
  {
    id: 4,
    subtle: true,
    what: "Entries of earlier terms are never committed by counting who has them.",
    planted: ["raft-commit-of-old-term"],
  },
  {
    id: 5,
    what: "A follower commits no further than the append that told it of the commit reaches.",
    planted: ["raft-append-commits-what-is-stale"],
  },
  {
    id: 6,
    what: "A heartbeat tells a follower of no commit beyond what matches there.",
    planted: ["raft-heartbeat-tells-all-commits"],
  },
  {
    id: 7,
    what: "Only a conflict cuts a log off.",
    planted: ["raft-append-truncates-always"],
  },
  {
    id: 8,
    what: "Whose log is up to date is told by term first, then by index.",
    planted: ["raft-up-to-date-by-index"],
  },
  {
    id: 9,
    what: "A peer votes once in a term.",
    planted: ["raft-vote-forgotten-in-term"],
  },
  {
    id: 10,
    what: "A question before an election changes neither term nor vote.",
    planted: ["raft-pre-vote-is-a-vote"],
  },
  {
    id: 11,
    what: "Who has heard the leader lately gives nobody else its vote.",
    planted: ["raft-pre-vote-past-lease"],
  },
  {
    id: 12,
    what: "A leader that hears no majority steps down.",
    planted: ["raft-check-quorum-never"],
  },
  {
    id: 13,
    subtle: true,
    what: "One change of members at a time, and none before an entry of the leader's own term is committed.",
    planted: ["raft-conf-before-own-term"],
  },
  {
    id: 14,
    subtle: true,
    what: "In a joint configuration both halves commit, and both elect.",
    planted: ["raft-election-by-incoming-half", "raft-commit-by-incoming-half"],
  },
  {
    id: 15,
    what: "Learners do not count.",
    planted: ["raft-learners-count"],
  },
  {
    id: 16,
    subtle: true,
    what: "Who has committed changes of members that it has not applied does not stand for election.",
    planted: ["raft-campaign-with-unapplied-conf", "store-restores-no-conf"],
  },
  {
    id: 17,
    what: "A leader that was removed steps down.",
    planted: ["raft-removed-leader-leads-on"],
  },
  {
    id: 18,
    subtle: true,
    what: "A write of entries that were cut off meanwhile makes nothing durable where others took their place.",
    planted: ["raft-lane-not-clamped"],
  },
  {
    id: 19,
    what: "What is cut off is not durable any more.",
    planted: ["raft-stable-not-lowered"],
  },
  {
    id: 20,
    what: "A follower whose window is full gets an empty append when it answers a heartbeat.",
    planted: ["raft-full-window-says-nothing"],
  },
  {
    id: 21,
    subtle: true,
    what: "After a snapshot that failed, a leader goes on behind what the follower has.",
    planted: ["raft-snapshot-failed-too-late"],
  },
  {
    id: 22,
    what: "While a leader hands over it takes no proposals, and it gives up after a time.",
    planted: ["raft-transfer-never-given-up"],
  },
  {
    id: 23,
    what: "Only who has the whole log is told to take over.",
    planted: ["raft-transfer-before-match"],
  },
  {
    id: 24,
    what: "A new leader reads and serves behind a committed entry of its own term.",
    planted: ["raft-read-before-own-commit", "store-leads-before-it-knows", "store-leads-before-it-has-everything"],
  },
  {
    id: 25,
    what: "A read is confirmed by answers to its own round or a later one, at the index from before it.",
    planted: [
      "raft-read-by-older-round", "store-read-without-round", "store-refused-reads-are-answered",
      "txn-server-read-without-confirmation",
    ],
  },
  {
    id: 26,
    what: "Ticks that were missed are dropped, and what arrived is read first.",
    planted: ["raft-missed-ticks-made-up"],
  },
  {
    id: 27,
    what: "The applied index and the data go into the engine together.",
    planted: [
      "store-applied-index-lags", "store-applied-index-not-with-data", "store-skips-a-run-without-room",
      "store-region-not-with-its-entry", "ranges-replaced-in-two-edits",
    ],
  },
  {
    id: 28,
    subtle: true,
    what: "The log is cut below what is durable in the engine, not below what is applied.",
    planted: [
      "store-cuts-what-is-applied", "store-log-cut-before-engine-is-durable", "versions-written-is-durable",
      "versions-sync-covers-what-came-later",
    ],
  },
  {
    id: 29,
    what: "What is cut off and what takes its place are one record.",
    planted: ["raft-log-suffix-survives-truncation", "raft-log-truncates-at-compaction-only"],
    note: "One change of the log does both; planted is that it does not do the first.",
  },
  {
    id: 30,
    what: "Damage is not taken for a torn end.",
    planted: [
      "wal-damage-taken-for-zeros", "wal-payload-checksum-ignored", "wal-witness-ignored",
      "damaged-segment-drops-later-ones",
    ],
    note: "In the code that scans and judges the log of a store as well; seen by scenarios of the storage.",
  },
  {
    id: 31,
    what: "A sync that failed ends the store.",
    planted: [
      "raft-log-retries-after-failed-sync", "raft-log-trusts-the-newest-segment",
      "journal-goes-on-after-failed-sync",
    ],
  },
  {
    id: 32,
    what: "Memory is not used again while somebody writes or reads it.",
    planted: ["store-entries-borrow-the-frame", "partial-frame-keeps-a-view"],
    note: "Planted on received memory. Nothing on the buffer that the log of a store writes from.",
  },
  {
    id: 33,
    what: "A directory is synced after a file in it was made or renamed, before the file counts.",
    planted: ["raft-log-entry-of-segment-not-synced", "journal-name-not-synced"],
  },
  {
    id: 34,
    what: "An answer belongs to the entry of its index and term.",
    planted: [
      "store-answers-by-index-alone", "store-forgets-overwritten-proposals", "txn-server-answers-mixed-up",
      "answers-of-a-request-swapped",
    ],
  },
  {
    id: 35,
    what: "Entries of all kinds are applied in the order of the log.",
    planted: ["store-applies-conf-late"],
  },
  {
    id: 36,
    what: "Epoch and range are looked at where an entry is applied.",
    planted: [
      "txn-server-stale-entry-executed", "txn-server-proposes-for-another-range", "store-conf-epoch-not-checked",
      "split-entries-of-the-past-count", "split-of-the-past-counts",
    ],
  },
  {
    id: 37,
    what: "What is applied rests on the log alone: no clock, nothing drawn.",
    planted: ["txn-server-applies-by-its-clock"],
  },
  {
    id: 38,
    what: "An evaluation that is begun again finds what the first one found.",
    absent: "evaluated once",
  },
  {
    id: 39,
    what: "A snapshot carries the hash of its history.",
    planted: ["store-snapshot-forgets-the-history", "store-forgets-its-hash"],
  },
  {
    id: 40,
    subtle: true,
    what: "The log of a region that is still to be split off is kept at a start.",
    planted: [
      "split-log-of-a-child-goes-at-the-start", "split-child-speaks-before-its-records-are-durable",
      "split-birth-not-finished",
    ],
  },
  {
    id: 41,
    what: "A proposal that was overwritten is not told as done, nor one of unknown end as refused.",
    planted: [
      "store-answers-what-came-before", "store-gives-up-for-certain", "store-hope-never-lost",
      "store-waiters-outlive-a-snapshot",
    ],
  },
];
