import { expect, test } from "vitest";
import type { KeyOperation } from "./key-model.ts";
import { isMutation, keyModel } from "./key-model.ts";

// Goal: the model of one key refuses every reply that a correct server cannot give.

const rows: readonly (readonly [string | null, KeyOperation, string | null | undefined])[] = [
  ["a", { kind: "read", value: "a" }, "a"],
  ["a", { kind: "read", value: null }, undefined],
  [null, { kind: "exists", present: false }, null],
  [null, { kind: "exists", present: true }, undefined],
  ["a", { kind: "put", value: "b", condition: "present", applied: true }, "b"],
  [null, { kind: "put", value: "b", condition: "present", applied: true }, undefined],
  [null, { kind: "put", value: "b", condition: "present", applied: false }, null],
  [null, { kind: "put", value: "b", condition: "absent", applied: undefined }, "b"],
  ["a", { kind: "put", value: "b", condition: "absent", applied: undefined }, "a"],
  ["a", { kind: "put", value: "b", condition: "always", applied: true, previous: "a" }, "b"],
  ["a", { kind: "put", value: "b", condition: "always", applied: true, previous: null }, undefined],
  ["a", { kind: "delete", existed: true }, null],
  ["a", { kind: "delete", existed: false }, undefined],
  ["a", { kind: "take", value: "a" }, null],
  ["a", { kind: "take", value: "b" }, undefined],
  [null, { kind: "increment", delta: 1, result: 1 }, "1"],
  ["4", { kind: "increment", delta: -1, result: 3 }, "3"],
  ["4", { kind: "increment", delta: 1, result: 6 }, undefined],
  ["4", { kind: "increment", delta: 1, result: "rejected" }, undefined],
  ["x", { kind: "increment", delta: 1, result: "rejected" }, "x"],
  ["x", { kind: "increment", delta: 1, result: undefined }, "x"],
  ["x", { kind: "increment", delta: 1, result: 1 }, undefined],
  ["ab", { kind: "append", suffix: "c", length: 3 }, "abc"],
  ["ab", { kind: "append", suffix: "c", length: 4 }, undefined],
  [null, { kind: "append", suffix: "c", length: undefined }, "c"],
];

for (const [state, operation, after] of rows) {
  test(`${keyModel.showState(state)}: ${keyModel.showOperation(operation)}`, () => {
    expect(keyModel.step(state, operation)).toBe(after);
  });
}

test("only reads cannot change anything", () => {
  expect(isMutation({ kind: "read", value: "a" })).toBe(false);
  expect(isMutation({ kind: "exists", present: true })).toBe(false);
  expect(isMutation({ kind: "delete", existed: false })).toBe(true);
});

test("states are told apart, also the absent one from the empty one", () => {
  expect(keyModel.stateKey(null)).not.toBe(keyModel.stateKey(""));
  expect(keyModel.stateKey("-")).not.toBe(keyModel.stateKey(null));
});

test("a swap happened where the key was what was watched, or was refused for whatever reason", () => {
  const swap = { kind: "swap", expected: "a", value: "b" } as const;
  expect(keyModel.step("a", { ...swap, applied: true })).toBe("b");
  expect(keyModel.step("c", { ...swap, applied: true })).toBeUndefined();
  expect(keyModel.step("a", { ...swap, applied: false })).toBe("a");
  expect(keyModel.step("c", { ...swap, applied: false })).toBe("c");
  expect(keyModel.step("a", { ...swap, applied: undefined })).toBe("b");
  expect(keyModel.step("c", { ...swap, applied: undefined })).toBe("c");
});

test("steps of a transaction see each other, and one that cannot be makes the whole impossible", () => {
  const add = (result: number): KeyOperation => ({ kind: "increment", delta: 1, result });
  expect(keyModel.step("1", { kind: "steps", steps: [add(2), { kind: "read", value: "2" }, add(3)] })).toBe("3");
  expect(keyModel.step("1", { kind: "steps", steps: [add(2), { kind: "read", value: "1" }] })).toBeUndefined();
  expect(keyModel.observes({ kind: "steps", steps: [{ kind: "read", value: "1" }] })).toBe(true);
  expect(keyModel.observes({ kind: "steps", steps: [add(2)] })).toBe(false);
  expect(isMutation({ kind: "steps", steps: [{ kind: "read", value: "1" }] })).toBe(false);
});
