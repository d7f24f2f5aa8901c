import type { ClassicMistake } from "./classic-mistake.ts";
import { consensusMistakes } from "./mistakes-of-consensus.ts";
import { nodeMistakes } from "./mistakes-of-nodes.ts";
import { regionMistakes } from "./mistakes-of-regions.ts";
import { transactionMistakes } from "./mistakes-of-transactions.ts";

/** All of them. `docs/PLANTED-BUGS.md` shows this table; a test holds it to the planted bugs that there are. */
export const classicMistakes: readonly ClassicMistake[] = [
  ...consensusMistakes,
  ...regionMistakes,
  ...transactionMistakes,
  ...nodeMistakes,
];
