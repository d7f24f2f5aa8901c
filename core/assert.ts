/** A broken invariant: a defect of this program, never of its input or of the machine. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** `fact` states what must hold, positively and as a literal: building a message costs more than the check. */
export function assert(condition: boolean, fact: string): asserts condition {
  if (!condition) throw new AssertionError(fact);
}

/** Documents that both outcomes are expected here. */
export function maybe(condition: boolean): void {
  void condition;
}

/** Ends an exhaustive `switch`: does not compile while a case is missing. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${String(value)}`);
}
