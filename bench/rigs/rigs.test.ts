import { expect, test } from "vitest";
import { flipDefaults, flipRounds } from "./flip.ts";
import { ClientModel, CounterModel } from "./kill-model.ts";
import { killDefaults, killRounds } from "./kill.ts";
import { Xorshift } from "../xorshift.ts";

// Goal: the rigs keep running, and what they judge by can fail. Their full length is a command of its own.

test("a gateway killed three times on a real disk loses no acknowledged write", async () => {
  const report = await killRounds({ ...killDefaults, rounds: 3, operationsPerRound: 100 });
  expect(report.rounds).toBe(3);
  expect(report.acknowledged).toBeGreaterThanOrEqual(150);
});

test("a flipped byte of any kind of file is refused, reported or harmless", async () => {
  const counts = await flipRounds({ ...flipDefaults, flipsPerKind: 4 });
  expect(counts.map(({ kind }) => kind)).toContain("table.sst (closed)");
  for (const { flips, refused, detected, harmless } of counts) expect(refused + detected + harmless).toBe(flips);
});

test("the model of the kill rig notices an invented value, a torn MSET and a wrong count", () => {
  const model = new ClientModel(0, new Xorshift(1));
  const empty = model.keys.map(() => null);
  model.observe(empty);
  expect(() => model.observe(empty.map((_, index) => (index === 3 ? "never written" : null)))).toThrow("expected null");
  expect(() => model.observe(empty.map((_, index) => (index === 20 ? "left only" : null)))).toThrow("torn");
  const counter = new CounterModel("counter");
  expect(() => counter.observe("1")).toThrow("expected 0 to 0");
});
