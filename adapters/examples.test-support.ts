/**
 * The examples of the documents: blocks of TypeScript that are whole programs.
 */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

export interface Example {
  /** Document and line, fit for a file's name. */
  readonly name: string;
  readonly source: string;
  /** What it says it prints. */
  readonly printed: readonly string[];
}

export function examplesIn(...documents: readonly string[]): Example[] {
  return documents.flatMap((document) => {
    const text = readFileSync(join(dirname(import.meta.dirname), document), "utf8");
    return [...text.matchAll(/^```ts\n([^]*?)^```/gm)].map((match) => {
      const source = match[1] ?? "";
      const line = text.slice(0, match.index).split("\n").length;
      const printed = [...source.matchAll(/\/\/ → (.*)$/gm)].map((comment) => comment[1] ?? "");
      return { name: `${document.replaceAll(/[^a-zA-Z0-9]+/g, "-")}-line-${line}`, source, printed };
    });
  });
}
