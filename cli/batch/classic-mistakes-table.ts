import type { ClassicMistake, Finding } from "../../sim/mutants/classic-mistake.ts";
import type { MutantResult } from "./mutant-run.ts";

/** What is known of how planted bugs fared: whole measurements first, single ones where there is none. */
export interface Measured {
  readonly results: ReadonlyMap<string, MutantResult>;
  readonly findings: ReadonlyMap<string, Finding>;
}

/** The map of clusters' mistakes as Markdown: its counts, what can be made here, and what can not. */
export function classicMistakesTable(mistakes: readonly ClassicMistake[], measured: Measured): string {
  const here = mistakes.filter(({ absent }) => absent === undefined);
  const rows = here.map(({ id, subtle, what, planted = [], note = "" }) => {
    const bugs = planted.map((name) => `\`${name}\` ${fared(findingOf(name, measured))}`).join(", ");
    return `| ${id}${subtle === true ? " ★" : ""} | ${what} | ${bugs === "" ? "**none**" : bugs} | ${note} |`;
  });
  const elsewhere = mistakes.flatMap(({ id, subtle, what, absent }) => {
    return absent === undefined ? [] : [`| ${id}${subtle === true ? " ★" : ""} | ${what} | ${absent} |`];
  });
  return [
    "## Classic mistakes of clusters",
    "",
    ...summary(here, mistakes.length, measured),
    "",
    "| | what must hold | planted here | |",
    "|---|---|---|---|",
    ...rows,
    "",
    "Can not be made here:",
    "",
    "| | what must hold | why not |",
    "|---|---|---|",
    ...elsewhere,
    "",
  ].join("\n");
}

function summary(here: readonly ClassicMistake[], all: number, measured: Measured): string[] {
  const planted = here.filter((mistake) => isPlanted(mistake));
  const found = planted.filter((mistake) => isFound(mistake, measured));
  const missed = planted.filter((mistake) => isMissed(mistake, measured));
  const gaps = here.filter((mistake) => !isPlanted(mistake)).map(({ id }) => id);
  const [subtle, subtlePlanted, subtleFound] = [here, planted, found].map((some) => {
    return some.filter((mistake) => mistake.subtle === true).length;
  });
  const unmeasured = planted.length - found.length - missed.length;
  const empty = gaps.length === 0 ? "" : ` Nothing is planted for ${gaps.join(", ")}.`;
  return [
    `Of ${all} mistakes that clusters are known for, ${here.length} can be made here. ${planted.length} of these are`,
    `planted, and of ${found.length} a planted bug was found. Of those that are known to hide well (★), ${subtle}`,
    `can be made, ${subtlePlanted} are planted, ${subtleFound} found. For ${missed.length} every planted bug that was`,
    `measured was missed; for ${unmeasured} no measurement is kept.${empty}`,
    "",
    "Behind a planted bug stand the seeds to the first that failed, or how many found nothing. What is not in",
    "`sim/mutants/results.jsonl` was measured by itself on the tree of its day (`sim/mutants/findings.ts`).",
  ];
}

function isPlanted({ planted = [] }: ClassicMistake): boolean {
  return planted.length > 0;
}

function isFound({ planted = [] }: ClassicMistake, measured: Measured): boolean {
  return planted.some((name) => findingOf(name, measured)?.found === true);
}

function isMissed(mistake: ClassicMistake, measured: Measured): boolean {
  if (isFound(mistake, measured)) return false;
  return (mistake.planted ?? []).some((name) => findingOf(name, measured) !== null);
}

function findingOf(name: string, { results, findings }: Measured): Finding | null {
  const result = results.get(name);
  if (result === undefined) return findings.get(name) ?? null;
  return { found: result.verdict === "killed", seeds: `${result.seeds}` };
}

function fared(finding: Finding | null): string {
  if (finding === null) return "(not measured)";
  if (!finding.found) return `(**not found** in ${finding.seeds})`;
  return finding.seeds === "" ? "(found)" : `(${finding.seeds})`;
}
