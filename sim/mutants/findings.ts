import type { Finding } from "./classic-mistake.ts";

/** Seeds of `raft-store`, `txn-model` and `gateway-cluster` to the first that failed; "": no figure was kept. */
const foundAfter: Readonly<Record<string, string>> = {
  "store-applied-index-lags": "1",
  "store-forgets-its-hash": "2",
  "store-skips-a-run-without-room": "2",
  "store-applies-conf-late": "5",
  "store-refused-conf-is-applied": "5",
  "store-answers-by-index-alone": "16",
  "store-answers-what-came-before": "16",
  "store-gives-up-for-certain": "5",
  "store-reads-at-once": "4",
  "store-incarnation-not-durable": "2",
  "store-incarnation-stays": "1",
  "store-envelope-without-version": "1",
  "store-says-before-it-is-durable": "1",
  "store-submit-sometimes-not-synced": "10",
  "store-says-what-is-under-way": "1",
  "store-log-never-cut": "2",
  "store-leads-before-it-knows": "32",
  "store-conf-of-the-past": "25",
  "store-joint-never-left": "15",
  "store-tasks-overtake-a-snapshot": "16",
  "store-refused-reads-are-answered": "2",
  "store-reads-before-they-are-applied": "2",
  "store-waits-for-room-for-ever": "4",
  "store-dead-rise": "15",
  "store-dead-do-not-answer": "37",
  "store-strangers-are-heard": "39",
  "txn-duplicate-prewrite-rewrites": "1140",
  "txn-term-not-checked": "116",
  "txn-primary-rollback-collapses": "138",
  "txn-one-phase-forgotten-by-two": "1822",
  "txn-regroup-skipped": "",
  "txn-ttl-in-raw-timestamps": "",
  "cluster-undetermined-told-as-busy": "",
  "silence-taken-for-unsent": "",
  "cluster-watch-is-forgotten": "",
  "answers-of-a-request-swapped": "",
  "another-name-for-every-attempt": "",
  "pipeline-without-order": "",
  "refused-commit-told-as-done": "",
};

/** Each within 151 seeds of `txn-model` as it was when they were planted. */
const foundWithin151: readonly string[] = [
  "txn-scan-ignores-locks", "txn-scan-sees-locks-on-data-only", "txn-get-ignores-locks",
  "txn-rollback-leaves-no-record", "txn-commit-ignores-min-commit-ts", "txn-prewrite-half",
  "txn-prewrite-ignores-conflict", "txn-one-phase-ignores-reads", "txn-refresh-keys-only",
  "txn-atomic-decided-twice", "txn-atomic-refusal-leaves-no-record", "txn-atomic-ignores-locks",
  "txn-gc-lets-old-in", "txn-gc-lets-old-reads-in", "txn-gc-before-resolution", "txn-gc-drops-newest-put",
  "txn-commit-ts-before-prewrite", "txn-bypass-outlives-its-timestamp", "txn-secondary-failure-fails",
  "txn-unknown-is-failure", "txn-one-phase-unknown-is-failure", "txn-no-refresh", "txn-secondary-decides",
  "txn-resolver-trusts-the-lock", "txn-scan-ignores-the-lock-it-met", "txn-scan-ends-with-the-region",
  "txn-reads-do-not-wait-for-claims", "txn-claimed-after-its-timestamp", "txn-log-order-unlike-timestamps",
  "txn-mirror-misses-removals",
];

/** Each within 25 seeds of `coordinator` as it was when they were planted. */
const foundWithin25: readonly string[] = [
  "tso-served-before-fence-is-durable", "tso-beyond-its-fence", "tso-starts-at-the-clock",
  "tso-follows-the-clock-back", "tso-32-bit-arithmetic", "tso-clock-lead-not-checked", "tso-window-piles-up",
  "id-window-not-burnt", "first-ids-given-out-again", "heartbeat-last-write-wins", "heartbeat-ignores-other-regions",
  "heartbeat-compares-peers-across-regions", "vacated-range-forgotten", "map-keeps-what-is-overlapped",
  "old-leader-wins", "plan-moves-the-route", "cancelled-plan-stays-open", "late-terminal-event-refused",
  "journal-not-synced", "heartbeat-answered-before-durable", "journal-renamed-before-sync",
  "journal-name-not-synced", "journal-goes-on-after-failed-sync", "journal-checkpoint-without-its-events",
  "journal-skip-overtakes", "failed-fence-is-never-asked-for-again", "journal-term-not-raised",
];

/** Not found in so many seeds of `raft-store`. */
const missedIn: Readonly<Record<string, string>> = {
  "store-waiters-outlive-a-snapshot": "25 to 114",
  "store-dead-peers-write": "25 to 114",
  "store-log-goes-while-its-tombstone-may-be-lost": "25 to 114",
  "store-buries-without-room": "25 to 114",
  "store-predecessors-are-heard": "25 to 114",
  "store-vote-of-nobody": "25 to 114",
  "store-snapshot-without-intent": "25 to 114",
};

/** What is known of planted bugs that `results.jsonl` does not have, by name. */
export const findings: ReadonlyMap<string, Finding> = new Map<string, Finding>([
  ...Object.entries(foundAfter).map(([name, seeds]): [string, Finding] => [name, { found: true, seeds }]),
  ...foundWithin151.map((name): [string, Finding] => [name, { found: true, seeds: "at most 151" }]),
  ...foundWithin25.map((name): [string, Finding] => [name, { found: true, seeds: "at most 25" }]),
  ...Object.entries(missedIn).map(([name, seeds]): [string, Finding] => [name, { found: false, seeds }]),
]);
