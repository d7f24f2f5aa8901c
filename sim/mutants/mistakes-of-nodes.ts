import type { ClassicMistake } from "./classic-mistake.ts";

/** Of the Coordinator, the network and the gateway. */
export const nodeMistakes: readonly ClassicMistake[] = [
  {
    id: 87,
    what: "A window of timestamps is durable before one of it is given out.",
    planted: [
      "tso-served-before-fence-is-durable", "tso-beyond-its-fence", "fence-stays-with-its-leader",
    ],
  },
  {
    id: 88,
    what: "Who gives out timestamps next begins above all that were.",
    planted: [
      "tso-starts-at-the-clock", "tso-follows-the-clock-back", "new-leader-starts-at-its-clock",
      "new-leader-goes-on-from-its-first-fence", "office-before-the-past-is-applied",
    ],
  },
  {
    id: 89,
    subtle: true,
    what: "A round among the Coordinators begins after its batch is closed.",
    planted: ["batch-joins-a-round-under-way", "timestamps-told-without-a-round"],
  },
  {
    id: 90,
    what: "Windows of ids are not used again after a restart.",
    planted: ["id-window-not-burnt", "first-ids-given-out-again", "new-leader-reuses-windows-of-ids"],
  },
  {
    id: 91,
    what: "A heartbeat counts by its epoch, not by when it came.",
    planted: [
      "heartbeat-last-write-wins", "heartbeat-ignores-other-regions", "heartbeat-compares-peers-across-regions",
      "vacated-range-forgotten", "old-leader-wins", "heartbeat-answered-before-durable",
    ],
  },
  {
    id: 92,
    what: "The end of a change is durable, and may be published twice.",
    planted: ["late-terminal-event-refused", "journal-skip-overtakes", "cancelled-plan-stays-open"],
    note: "The Coordinator's half: stores publish no changes yet, so they have no queue of them.",
  },
  {
    id: 93,
    what: "No answer is staler than what was asked for without saying so.",
    planted: [
      "strong-route-without-a-round", "stores-told-without-a-round", "bounded-route-older-than-what-was-seen",
    ],
  },
  {
    id: 94,
    what: "Snapshots do not hold up what elections need.",
    planted: ["append-before-control", "stream-rate-ignored"],
    note: "Streams have a connection of their own; that they lose it is not planted.",
  },
  {
    id: 95,
    what: "A deadline travels as the time that is left.",
    planted: ["deadline-sent-as-a-time"],
  },
  {
    id: 96,
    what: "What a dead process sent is not taken after its successor's.",
    planted: [
      "store-incarnation-stays", "store-incarnation-not-durable", "stale-process-let-in",
      "replaced-connection-lives-on",
    ],
  },
  {
    id: 97,
    what: "A watched key has changed when it was deleted and made again, or is over.",
    planted: [
      "watch-asks-whether-it-is-there", "watch-sees-no-change", "exec-forgets-what-was-watched",
      "cluster-watch-is-forgotten",
    ],
  },
  {
    id: 98,
    what: "Another attempt at an EXEC reads again.",
    planted: ["exec-tries-again-with-what-it-read"],
  },
  {
    id: 99,
    what: "Neither the mode of a directory nor its manifest is believed alone.",
    planted: [
      "gate-not-looked-at", "mode-not-looked-at", "init-gate-before-mode", "init-mode-before-its-gate",
      "rollback-mode-before-its-gate",
    ],
  },
  {
    id: 100,
    what: "A move that was cut short goes on as the same one.",
    planted: [
      "init-trusts-its-arguments", "init-raft-seed-before-catalog", "init-catalog-not-awaited",
      "init-raft-seed-not-durable",
    ],
  },
  {
    id: 101,
    what: "Timestamps of a cluster begin above what was moved into it.",
    planted: ["seed-served-without-a-fence", "base-below-what-was-written"],
  },
  {
    id: 102,
    what: "A learner is promoted once it has the same as the others.",
    planted: [
      "expand-promotes-what-it-did-not-compare", "expand-overlooks-another-content", "expand-compares-sizes-only",
    ],
  },
];
