// Goal: what the protocol does in each situation that matters, as stories in raft/testdata.
// Method: a story is commands, `----`, and everything that came of them; it is told again and compared. After a
// change, `vitest run raft/stories.test.ts -u` writes the stories anew: read the difference before it is committed.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Story } from "./story.test-support.ts";

const directory = join(import.meta.dirname, "testdata");
const names = readdirSync(directory).filter((name) => name.endsWith(".txt")).toSorted();

/** The story with what comes of its commands today. */
function retell(text: string): string {
  const story = new Story();
  const out: string[] = [];
  let told = false;
  for (const line of text.split("\n")) {
    if (line === "") told = false;
    if (line === "----") {
      told = true;
      out.push(line);
      continue;
    }
    if (told) continue;
    out.push(line);
    if (line === "" || line.startsWith("#")) continue;
    out.push(...story.run(line).map((result) => `\u0000${result}`));
  }
  return arrange(out);
}

/** What came of the commands of a paragraph goes below its line. */
function arrange(lines: readonly string[]): string {
  const paragraphs: string[][] = [[]];
  for (const line of lines) {
    if (line === "") paragraphs.push([]);
    else paragraphs.at(-1)?.push(line);
  }
  return paragraphs
    .map((paragraph) => {
      const results = paragraph.filter((line) => line.startsWith("\u0000")).map((line) => line.slice(1));
      const commands = paragraph.filter((line) => !line.startsWith("\u0000") && line !== "----");
      const hasCommand = commands.some((line) => !line.startsWith("#"));
      return [...commands, ...(hasCommand ? ["----", ...results] : [])].join("\n");
    })
    .join("\n\n")
    .concat("\n");
}

test.each(names)("%s", async (name) => {
  const path = join(directory, name);
  await expect(retell(readFileSync(path, "utf8").trimEnd())).toMatchFileSnapshot(path);
});
