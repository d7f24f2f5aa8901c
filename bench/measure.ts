import type { Finding, Scale, SuiteContext, SuiteName, Task } from "./suite.ts";
import { dbBenchSuite } from "./suites/db-bench.ts";
import { durableSuite } from "./suites/durable.ts";
import { fillSuite } from "./suites/fill.ts";
import { memorySuite } from "./suites/memory.ts";
import { openSuite } from "./suites/open.ts";
import { valuesSuite } from "./suites/values.ts";
import { ycsbSuite } from "./suites/ycsb-suite.ts";
import { engineNamed } from "./stores/engines.ts";

const suites: Readonly<Record<SuiteName, (context: SuiteContext) => Promise<readonly Finding[]>>> = {
  ycsb: ycsbSuite,
  dbbench: dbBenchSuite,
  durable: durableSuite,
  values: valuesSuite,
  open: openSuite,
  memory: memorySuite,
  fill: fillSuite,
};

export interface MeasureOrder {
  readonly task: Task;
  readonly scale: Scale;
  readonly directory: string;
}

/** Runs one task in this process, which should be a fresh one. */
export function measure({ task, scale, directory }: MeasureOrder): Promise<readonly Finding[]> {
  const { suite, work, reopened } = task;
  const engine = engineNamed(task.engine);
  return suites[suite]({ engine, work, reopened, scale, directory });
}
