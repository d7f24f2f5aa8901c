import { pointPages } from "./point-page.ts";
import { tableFooterBytes, tableHeaderBytes, type TableLayout } from "./table-format.ts";
import type { TableIndex } from "./table-index.ts";

/** Sealed parts of a table's file that follow one another. Plain data: it crosses threads. */
export interface TableParts {
  /** Where each one ends, ascending. Empty: pages of `points`, whose directory says where they end. */
  readonly ends: Float64Array;
  /** The whole section; null: these are other parts. */
  readonly points: { readonly start: number; readonly end: number; readonly pages: number } | null;
}

export interface PartsOf {
  readonly layout: TableLayout;
  readonly index: TableIndex;
  readonly recordCount: number;
}

const noEnds = new Float64Array(0);

/**
 * The parts of a table from `from` on, where one begins: as many as have about `budgetBytes`, one at least. Together
 * they are every byte of the file. Null: `from` is its end.
 */
export function tableParts(of: PartsOf, from: number, budgetBytes: number): TableParts | null {
  const { layout, index, recordCount } = of;
  const { points: start, bloom: end, footer } = layout;
  if (from >= footer + tableFooterBytes) return null;
  if (from >= start && from < end) return { ends: noEnds, points: { start, end, pages: pointPages(recordCount) } };
  const ends = from < start ? blockEnds(index, from, budgetBytes) : sectionEnds(layout, from, budgetBytes);
  return { ends: Float64Array.from(ends), points: null };
}

/** The header counts as one. */
function blockEnds(index: TableIndex, from: number, budgetBytes: number): number[] {
  const ends = from === 0 ? [tableHeaderBytes] : [];
  for (let i = index.blockFrom(from); i < index.blockCount; i++) {
    const end = index.blockOffset(i) + index.blockBytes(i);
    if (ends.length > 0 && end - from > budgetBytes) break;
    ends.push(end);
  }
  return ends;
}

function sectionEnds(layout: TableLayout, from: number, budgetBytes: number): number[] {
  const { ranges, index, properties, footer } = layout;
  const ends: number[] = [];
  let before = from;
  // A section that is empty ends where the one before does.
  for (const end of [ranges, index, properties, footer, footer + tableFooterBytes]) {
    if (end <= before) continue;
    if (ends.length > 0 && end - from > budgetBytes) break;
    ends.push(end);
    before = end;
  }
  return ends;
}
