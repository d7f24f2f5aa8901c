/** A seed that once failed. It is run by every test run, although later changes may have moved what it finds. */
export interface Regression {
  readonly scenario: string;
  readonly seed: number;
  /** What was wrong, in one sentence. */
  readonly why: string;
}

export const regressions: readonly Regression[] = [
  {
    scenario: "engine-model",
    seed: 13,
    why: "A second attempt at a first opening removed its own new files, whose names the first attempt had used.",
  },
  {
    scenario: "engine-model",
    seed: 9,
    why: "After an orderly close on a full disk the log was shorter than the manifest said, and was refused.",
  },
  {
    scenario: "engine-model",
    seed: 2_081,
    why: "A sync that an injected error ended came back after the log was closed, and found no segment.",
  },
  {
    scenario: "disk-pressure",
    seed: 175,
    why: "A log that failed before the store listened told nobody, and refused writes for ever.",
  },
  {
    scenario: "gateway-clients",
    seed: 181,
    why: "The same, behind the gateway: the process never learnt that its store was poisoned.",
  },
  {
    scenario: "engine-model",
    seed: 10_324,
    why: "A first CURRENT whose entry was in memory only was built upon; a power loss then left files without CURRENT.",
  },
  {
    scenario: "disk-pressure",
    seed: 28,
    why: "A group that a full disk had taken in part was called damage by a verification of the open store.",
  },
  {
    scenario: "engine-model",
    seed: 302_122,
    why: "A manifest's header came in the place of a table's, once, passed the checksum, and was taken for damage.",
  },
  {
    scenario: "crash-pairs",
    seed: 300_864,
    why: "A run whose syncs took another way made fewer calls, and the crash that was planned for it never came.",
  },
  {
    scenario: "at-rest-corruption",
    seed: 301_845,
    why: "What a damaged manifest took for log was left out behind the first bad segment without a word.",
  },
  {
    scenario: "at-rest-corruption",
    seed: 301_900,
    why: "A table in the making, which no manifest named, was removed and asked for.",
  },
  {
    scenario: "raft-log",
    seed: 9_727,
    why: "A removed segment came back after its directory's sync had failed, and the log was refused for it.",
  },
  {
    scenario: "engine-model",
    seed: 700_574,
    why: "The judge of write limits took the beginning of a call that stood still for the instant of its write.",
  },
  {
    scenario: "gateway-clients",
    seed: 9_055,
    why: "Histories of 1,600 operations, some of unknown outcome, outgrew the search for an order that explains them.",
  },
  {
    scenario: "engine-model",
    seed: 810_116,
    why: "The judge of moved ranges took the present of their source for that of a copy whose clock had gone back.",
  },
  {
    scenario: "engine-model",
    seed: 6_020_323,
    why: "An ingestion whose flush was the last thing that went well waited for ever for its turn in a poisoned store.",
  },
  {
    scenario: "engine-model",
    seed: 6_050_719,
    why: "The last level, which has no bound, was counted as a backlog that never went away.",
  },
  {
    scenario: "engine-model",
    seed: 6_020_949,
    why: "A synchronous write stood still for a compaction that only a turn of the event loop brings on.",
  },
  {
    scenario: "facade-model",
    seed: 6_020_195,
    why: "A table that opening wrote, and the disk put elsewhere, was held against whoever had looked before.",
  },
  {
    scenario: "cluster",
    seed: 100_030,
    why: "A store whose opening failed half way had peers that went on with the log that was closed behind them.",
  },
  {
    scenario: "region-storm",
    seed: 300_104,
    why: "A store without regions greeted nobody, so a leader that slept never sent it the region it was to have.",
  },
  {
    scenario: "region-storm",
    seed: 300_432,
    why: "Sections of another table came once, with good checksums, and a store was given up for them.",
  },
  {
    scenario: "cluster",
    seed: 400_082,
    why: "A table that could not be read while a snapshot was installed ended in nobody's hands.",
  },
  {
    scenario: "region-storm",
    seed: 310_327,
    why: "A child that waited for its split again, with its vote, was taken for one whose commit had gone back.",
  },
  {
    scenario: "cluster",
    seed: 400_085,
    why: "Memtables of 512 bytes behind syncs of 250 ms: no operation had the time that its writes take.",
  },
  {
    scenario: "raft-store",
    seed: 540_050,
    why: "A store closed while the files of a snapshot, all there, waited for a stalled disk, and kept them open.",
  },
  {
    scenario: "cluster",
    seed: 3_000_122,
    why: "First regions that began together found no room in small memtables, and the store ended, every time.",
  },
  {
    scenario: "cluster",
    seed: 400_005,
    why: "A word of a region whose answer was lost was heard, and what was as before it was not told again.",
  },
  {
    scenario: "cluster",
    seed: 3_000_158,
    why: "Timestamps stood still behind a clock that went back, and locks of dead clients did not expire.",
  },
  {
    scenario: "store-loss",
    seed: 152,
    why: "A snapshot whose sender died half way kept the region's place for ten minutes: no other was let in.",
  },
  {
    scenario: "cluster",
    seed: 3_000_236,
    why: "A peer was told to be behind to the end, likely since a dead sender kept the place of its snapshot.",
  },
  {
    scenario: "cluster",
    seed: 7_400_053,
    why: "A bit that rotted in the version of MODE made it a file of a newer format, and a newer nokv was asked for.",
  },
  {
    scenario: "cluster",
    seed: 5_000_133,
    why: "Who was to meet every lock read a key a page in the time of one operation, and never came to the last.",
  },
  {
    scenario: "cluster",
    seed: 5_000_136,
    why: "A Raft log of one segment whose header rotted was taken for none, and the store began anew under its name.",
  },
  {
    scenario: "cluster",
    seed: 5_000_067,
    why: "A manifest that had lost its last edit to rot was told as a MODE to be restored, not as damage of a store.",
  },
  {
    scenario: "region-storm",
    seed: 5_100_090,
    why: "A replica that was born of a division had refused appends before, and was sent snapshots without an end.",
  },
  {
    scenario: "cluster",
    seed: 5_000_322,
    why: "The two stores that were left stood for the same region at the same time, again and again, and nobody won.",
  },
  {
    scenario: "migrate-expand",
    seed: 5_300_004,
    why: "A record that was to rot was written anew before anybody compared: the rot lay under it, and was not there.",
  },
  {
    scenario: "store-loss",
    seed: 5_300_011,
    why: "A move for balance was given up while its store was away and begun again: it was taken for a repair.",
  },
  {
    scenario: "migrate-expand",
    seed: 5_300_045,
    why: "A store that was told to end while it became one unlocked its directory, and went on to write MODE.",
  },
  {
    scenario: "store-loss",
    seed: 5_321_482,
    why: "A move ended as its leader stopped hearing the Coordinator, whose map was judged too soon after that.",
  },
  {
    scenario: "region-storm", seed: 5500391,
    why: "a learner that was removed while nobody heard of it slept on, and was in the way of other regions",
  },
  {
    scenario: "cold-rot", seed: 8300181,
    why: "a client gave up each attempt a moment before its answer came, over links that are slow, and began anew",
  },
  {
    scenario: "cluster", seed: 9100441,
    why: "a disk took the header of a new segment late, and nobody told the store that there was room again",
  },
];
