import type { ScanBounds } from "../sim/checkers/expected-state.ts";
import type { ModelWrite } from "../sim/checkers/prefix-model.ts";
import type { Dice } from "../sim/dice.ts";
import type { CommitForm } from "./commit-form.ts";
import type { Keyspace } from "./keyspace.ts";

/** Snapshots and iterators are named by small numbers; what is not there any more reads as nothing. */
const slots = 3;
const commitForms: readonly CommitForm[] = ["callback", "promise", "sync"];

/** One operation, all of it decided before anybody runs it. */
export type PlannedStep =
  /** Batches in one turn. In them `expiresAtMs` counts from the beginning of the run, in milliseconds. */
  | { readonly kind: "write"; readonly batches: readonly (readonly ModelWrite[])[]; readonly form: CommitForm }
  | { readonly kind: "get"; readonly key: string; readonly family: number; readonly slot: number | null }
  | { readonly kind: "scan"; readonly bounds: ScanBounds; readonly slot: number | null; readonly keysOnly: boolean }
  | { readonly kind: "snapshot" | "release"; readonly slot: number }
  | { readonly kind: "iterate"; readonly bounds: ScanBounds; readonly slot: number }
  | { readonly kind: "walk"; readonly slot: number; readonly entries: number }
  | { readonly kind: "rest"; readonly hours: number }
  | { readonly kind: "flush" | "compact" | "reopen" | "crash" };

type StepKind = PlannedStep["kind"];

/** How often each kind comes, in 100. */
const weights: readonly (readonly [StepKind, number])[] = [
  ["write", 40], ["get", 15], ["scan", 15], ["snapshot", 6], ["release", 3], ["iterate", 4], ["walk", 6],
  ["rest", 3], ["flush", 4], ["compact", 1], ["reopen", 2], ["crash", 1],
];

/** A plan of `count` operations. Equal dice, equal plans. */
export function planSteps(dice: Dice, keyspace: Keyspace, count: number): readonly PlannedStep[] {
  return Array.from({ length: count }, () => planStep(dice, keyspace));
}

function planStep(dice: Dice, keyspace: Keyspace): PlannedStep {
  const kind = drawKind(dice);
  const slot = dice.below(slots);
  switch (kind) {
    case "write":
      return { kind, batches: planBatches(dice, keyspace), form: dice.pick(commitForms) };
    case "get":
      return { kind, key: keyspace.key(), family: keyspace.family(), slot: dice.chance(1, 3) ? slot : null };
    case "scan":
      return { kind, bounds: keyspace.bounds(), slot: dice.chance(1, 3) ? slot : null, keysOnly: dice.chance(1, 4) };
    case "iterate":
      return { kind, bounds: keyspace.bounds(), slot };
    case "walk":
      return { kind, slot, entries: dice.between(1, 4) };
    case "rest":
      return { kind, hours: dice.between(1, 3) };
    case "snapshot":
    case "release":
      return { kind, slot };
    case "flush":
    case "compact":
    case "reopen":
    case "crash":
      return { kind };
  }
}

function drawKind(dice: Dice): StepKind {
  let left = dice.below(100);
  for (const [kind, weight] of weights) {
    left -= weight;
    if (left < 0) return kind;
  }
  return "write";
}

function planBatches(dice: Dice, keyspace: Keyspace): readonly (readonly ModelWrite[])[] {
  const count = dice.pick([1, 1, 1, 1, 8, 24]);
  return Array.from({ length: count }, () => {
    const writes = dice.pick([1, 1, 2, 6]);
    return Array.from({ length: writes }, () => planWrite(dice, keyspace));
  });
}

function planWrite(dice: Dice, keyspace: Keyspace): ModelWrite {
  const family = keyspace.family();
  const choice = dice.below(12);
  if (choice === 0) return { ...keyspace.range(), family };
  const key = keyspace.key();
  if (choice <= 3) return { key, value: null, expiresAtMs: 0, family };
  // Half past an hour: however long the steps themselves take, nobody asks at that instant.
  const expiresAtMs = dice.chance(1, 5) ? (dice.below(8) + 0.5) * hourMs : 0;
  return { key, value: keyspace.value(), expiresAtMs, family };
}

export const hourMs = 3_600_000;
