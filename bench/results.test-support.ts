import type { Results, Sample } from "./results.ts";
import { scaleDefaults } from "./suite.ts";

export function sample(engine: string, work: string, round: number, perSecond: number): Sample {
  const metrics = { perSecond, maxMs: 1_000 / perSecond };
  return { suite: "ycsb", engine, task: `ycsb ${work} ${engine}`, work, round, metrics };
}

export function resultsOf(samples: readonly Sample[]): Results {
  return {
    commit: "12345678",
    date: "2026-11-22T120000",
    machine: { cpu: "x", cores: 2, memoryGiB: 24, kernel: "6", fileSystem: "ext4", node: "v24", v8: "13" },
    scale: scaleDefaults,
    rounds: 3,
    engines: { nokv: "nokv", lmdb: "lmdb 3", rocksdb: "rocksdb 12" },
    samples,
    failures: [],
  };
}
