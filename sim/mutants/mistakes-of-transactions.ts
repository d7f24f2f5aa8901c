import type { ClassicMistake } from "./classic-mistake.ts";

/** Of transactions and of who asks for them. */
export const transactionMistakes: readonly ClassicMistake[] = [
  {
    id: 64,
    what: "The commit timestamp is fetched after all prewrites.",
    planted: ["txn-commit-ts-before-prewrite"],
  },
  {
    id: 65,
    subtle: true,
    what: "A prewrite that comes twice leaves the lock as it is.",
    planted: ["txn-duplicate-prewrite-rewrites"],
  },
  {
    id: 66,
    what: "A reader passes by records of rollbacks and of locks.",
    absent: "own family",
  },
  {
    id: 67,
    what: "A scan meets locks on keys without data.",
    planted: ["txn-scan-sees-locks-on-data-only", "txn-scan-ignores-locks"],
  },
  {
    id: 68,
    what: "A prewrite after its rollback fails.",
    planted: ["txn-rollback-leaves-no-record"],
  },
  {
    id: 69,
    what: "The rollback of a primary is kept.",
    planted: ["txn-primary-rollback-collapses"],
  },
  {
    id: 70,
    what: "The fate of a transaction is told although somebody else has locked its primary.",
    planted: ["txn-status-under-foreign-lock"],
  },
  {
    id: 71,
    what: "Lifetimes of locks are counted in milliseconds.",
    planted: ["txn-ttl-in-raw-timestamps"],
  },
  {
    id: 72,
    what: "A commit stays above what readers were promised.",
    planted: ["txn-commit-ignores-min-commit-ts"],
  },
  {
    id: 73,
    what: "After its primary nothing fails a transaction, and an unknown end is told as unknown.",
    planted: [
      "txn-secondary-failure-fails", "txn-unknown-is-failure", "txn-one-phase-unknown-is-failure",
      "txn-one-phase-forgotten-by-two", "cluster-undetermined-told-as-busy", "silence-taken-for-unsent",
      "lost-call-told-as-unsent", "expired-call-told-as-unsent",
    ],
  },
  {
    id: 74,
    what: "The primary alone decides.",
    planted: ["txn-secondary-decides", "txn-resolver-trusts-the-lock"],
  },
  {
    id: 75,
    what: "A prewrite locks all of its keys or none.",
    planted: ["txn-prewrite-half"],
  },
  {
    id: 76,
    subtle: true,
    what: "The term is the same from an operation's claim to its proposal.",
    planted: ["txn-term-not-checked"],
  },
  {
    id: 77,
    subtle: true,
    what: "A read of a follower asks for the leader's locks.",
    absent: "leader reads",
  },
  {
    id: 78,
    what: "An operation that comes again is not executed again.",
    planted: [
      "txn-atomic-decided-twice", "txn-atomic-refusal-leaves-no-record",
      "txn-server-forgotten-operation-decided-anew", "another-name-for-every-attempt", "lost-call-sent-again",
    ],
  },
  {
    id: 79,
    subtle: true,
    what: "A transaction from below the floor of the collection is refused.",
    planted: ["txn-gc-lets-old-in", "txn-gc-lets-old-reads-in", "txn-server-floor-forgotten"],
  },
  {
    id: 80,
    what: "Locks below the safe point are resolved before anything is collected.",
    planted: ["txn-gc-before-resolution"],
  },
  {
    id: 81,
    what: "The newest value at or below the safe point stays.",
    planted: ["txn-gc-drops-newest-put"],
  },
  {
    id: 82,
    what: "A client groups its keys anew after a region has changed.",
    planted: ["txn-regroup-skipped"],
  },
  {
    id: 83,
    what: "A scan goes on at the very next key.",
    planted: ["txn-scan-continues-too-far"],
  },
  {
    id: 84,
    what: "A refresh looks at ranges with their gaps.",
    planted: [
      "txn-refresh-keys-only", "txn-refresh-ignores-locks", "txn-no-refresh", "txn-one-phase-ignores-reads",
      "txn-read-ranges-not-claimed",
    ],
  },
  {
    id: 85,
    subtle: true,
    what: "A timestamp is closed by who is known to lead afterwards.",
    absent: "no closing",
  },
  {
    id: 86,
    what: "Timestamps are computed with 53 bits.",
    planted: ["tso-32-bit-arithmetic"],
  },
];
