import type { Mutant } from "./mutant.ts";

/** Every planted bug. `nokv mutants` measures how fast each is found. */
export const mutants: readonly Mutant[] = [];
