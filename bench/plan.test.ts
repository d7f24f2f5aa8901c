import { expect, test } from "vitest";
import { planTasks, rowOf, taskName } from "./plan.ts";
import { suiteNames } from "./suite.ts";

const options = { engines: ["nokv", "lmdb", "rocksdb"], suites: [...suiteNames], workloads: "ABCDEF", rounds: 3 };

test("rounds are outermost, and each begins with another engine", () => {
  const tasks = planTasks(options);
  const rounds = tasks.map(({ round }) => round);
  expect(rounds).toEqual([...rounds].sort((a, b) => a - b));
  const firsts = [0, 1, 2].map(
    (round) => tasks.find((task) => task.round === round && task.suite === "durable")?.engine,
  );
  expect(firsts).toEqual(["nokv", "lmdb", "rocksdb"]);
});

test("a task is named once per round, and names rows of the table", () => {
  const names = planTasks(options).map((task) => `${taskName(task)} ${task.round}`);
  expect(new Set(names).size).toBe(names.length);
  const reopened = planTasks(options).filter(
    (task) => task.reopened && task.engine === "nokv" && task.suite === "ycsb",
  );
  expect(reopened.map(rowOf)).toContain("nokv reopened");
  expect(reopened).toHaveLength(18);
});

test("only the asked workloads and suites run", () => {
  const tasks = planTasks({ ...options, suites: ["ycsb"], workloads: "CE", rounds: 1 });
  expect([...new Set(tasks.map(({ work }) => work))]).toEqual(["load", "C", "E"]);
  const alone = planTasks({ ...options, engines: ["harness"], rounds: 1 });
  expect(alone.every(({ suite, work }) => suite === "ycsb" && work !== "load")).toBe(true);
});
