/**
 * Runs the published suite of `abstract-level` with `tape`, the runner it was written for, inside a test.
 */
import { createRequire } from "node:module";
import tape from "tape";

export interface SuiteCount {
  tests: number;
  assertions: number;
  readonly failures: string[];
}

/** Makes a database of its own at each call, closed and empty. */
export type Factory = (options?: object) => object;

type Suite = (options: { test: unknown; factory: Factory }) => void;

interface Row {
  readonly type: "test" | "assert" | "end";
  readonly name?: string;
  readonly ok?: boolean;
  readonly operator?: string;
  readonly expected?: unknown;
  readonly actual?: unknown;
}

/** Resolves when every test has ended. */
export function runLevelSuite(factory: Factory): Promise<SuiteCount> {
  // The suite is no module of the language, and has no types.
  const suite = createRequire(import.meta.url)("abstract-level/test") as Suite;
  const harness = tape.createHarness({ autoclose: true } as never);
  const count: SuiteCount = { tests: 0, assertions: 0, failures: [] };
  let current = "";
  const ended = new Promise<SuiteCount>((resolve) => {
    const rows = harness.createStream({ objectMode: true });
    rows.on("data", (row: Row) => {
      if (row.type === "test") {
        count.tests++;
        current = row.name ?? "";
      }
      if (row.type !== "assert") return;
      count.assertions++;
      if (row.ok === true) return;
      const what = `${row.operator}: expected ${String(row.expected)}, got ${String(row.actual)}`;
      count.failures.push(`${current}: ${row.name}: ${what}`);
    });
    rows.on("end", () => resolve(count));
  });
  suite({ test: harness, factory });
  return ended;
}
