import { assert } from "../../core/assert.ts";
import type { SequentialModel } from "./linearizability.ts";
import { show } from "./text.ts";

/**
 * What one string key of the gateway does, written from the command reference and not from the product.
 * An outcome that was not observed is `undefined`; `null` is a value that is not there.
 */
export type KeyOperation =
  | { readonly kind: "read"; readonly value: string | null }
  | { readonly kind: "exists"; readonly present: boolean }
  | {
      readonly kind: "put";
      readonly value: string;
      readonly condition: "always" | "absent" | "present";
      readonly applied: boolean | undefined;
      /** What SET … GET returned. */
      readonly previous?: string | null | undefined;
    }
  | { readonly kind: "delete"; readonly existed: boolean | undefined }
  | { readonly kind: "take"; readonly value: string | null | undefined }
  | {
      readonly kind: "increment";
      readonly delta: number;
      /** "rejected": the value was not an integer. */
      readonly result: number | "rejected" | undefined;
    }
  | { readonly kind: "append"; readonly suffix: string; readonly length: number | undefined }
  /** A put where the key was watched, and was `expected` then; `applied` false: not told apart from none at all. */
  | {
      readonly kind: "swap";
      readonly expected: string | null;
      readonly value: string;
      readonly applied: boolean | undefined;
    }
  /** A transaction's steps on this key, with nothing between them. */
  | { readonly kind: "steps"; readonly steps: readonly KeyOperation[] };

export type KeyState = string | null;

/** Can `operation` change anything? One of unknown outcome that cannot need not be judged. */
export function isMutation(operation: KeyOperation): boolean {
  if (operation.kind === "steps") return operation.steps.some(isMutation);
  return operation.kind !== "read" && operation.kind !== "exists";
}

export const keyModel: SequentialModel<KeyState, KeyOperation> = {
  initial: null,
  step,
  observes,
  stateKey: (state) => (state === null ? "-" : `+${state}`),
  showState: show,
  showOperation,
};

function step(state: KeyState, operation: KeyOperation): KeyState | undefined {
  switch (operation.kind) {
    case "read":
      return operation.value === state ? state : undefined;
    case "exists":
      return operation.present === (state !== null) ? state : undefined;
    case "put":
      return put(state, operation);
    case "delete":
      return agrees(operation.existed, state !== null) ? null : undefined;
    case "take":
      return agrees(operation.value, state) ? null : undefined;
    case "increment":
      return increment(state, operation.delta, operation.result);
    case "append": {
      const after = (state ?? "") + operation.suffix;
      return agrees(operation.length, after.length) ? after : undefined;
    }
    case "swap":
      if (state === operation.expected) return operation.applied === false ? state : operation.value;
      return operation.applied === true ? undefined : state;
    case "steps":
      return steps(state, operation.steps);
  }
}

function observes(operation: KeyOperation): boolean {
  switch (operation.kind) {
    case "read":
    case "exists":
      return true;
    case "put":
      return operation.applied === false;
    case "delete":
      return operation.existed === false;
    case "take":
      return operation.value === null;
    case "increment":
      return operation.result === "rejected";
    case "append":
      return false;
    case "swap":
      return operation.applied === false;
    case "steps":
      return operation.steps.every(observes);
  }
}

function steps(state: KeyState, operations: readonly KeyOperation[]): KeyState | undefined {
  let after: KeyState | undefined = state;
  for (const operation of operations) {
    if (after === undefined) return undefined;
    after = step(after, operation);
  }
  return after;
}

function put(
  state: KeyState,
  operation: Extract<KeyOperation, { kind: "put" }>,
): KeyState | undefined {
  const { condition } = operation;
  const applies = condition === "always" || (condition === "present") === (state !== null);
  if (!agrees(operation.applied, applies)) return undefined;
  if (!agrees(operation.previous, state)) return undefined;
  return applies ? operation.value : state;
}

const integerPattern = /^(?:0|-?[1-9]\d{0,14})$/;

function increment(
  state: KeyState,
  delta: number,
  result: number | "rejected" | undefined,
): KeyState | undefined {
  if (state !== null && !integerPattern.test(state)) {
    return result === "rejected" || result === undefined ? state : undefined;
  }
  const after = Number(state ?? "0") + delta;
  assert(Number.isSafeInteger(after), "counters of a workload stay small");
  return agrees(result, after) ? String(after) : undefined;
}

function agrees<Value>(observed: Value | "rejected" | undefined, actual: Value): boolean {
  return observed === undefined || observed === actual;
}

function showOperation(operation: KeyOperation): string {
  switch (operation.kind) {
    case "read":
      return `read ${show(operation.value)}`;
    case "exists":
      return operation.present ? "found it" : "found nothing";
    case "put":
      return showPut(operation);
    case "delete":
      return `delete${operation.existed === undefined ? "" : ` (existed: ${operation.existed})`}`;
    case "take":
      return operation.value === undefined ? "take" : `take ${show(operation.value)}`;
    case "increment":
      return `add ${operation.delta}${operation.result === undefined ? "" : ` = ${operation.result}`}`;
    case "append":
      return `append ${show(operation.suffix)}`;
    case "swap":
      return `swap ${show(operation.expected)} for ${show(operation.value)}`;
    case "steps":
      return `[${operation.steps.map(showOperation).join("; ")}]`;
  }
}

function showPut(operation: Extract<KeyOperation, { kind: "put" }>): string {
  const condition = operation.condition === "always" ? "" : ` if ${operation.condition}`;
  const applied = operation.applied === false ? " (refused)" : "";
  const previous = operation.previous === undefined ? "" : ` over ${show(operation.previous)}`;
  return `put ${show(operation.value)}${condition}${previous}${applied}`;
}
