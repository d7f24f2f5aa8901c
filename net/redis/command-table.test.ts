// Goal: every command is found by its name in any case, nothing else is. Method: all rows, and near misses.
import fc from "fast-check";
import { expect, test } from "vitest";
import { Arguments } from "./arguments.ts";
import { CommandTable } from "./command-table.ts";
import { commands } from "./commands/all.ts";
import { latin } from "./gateway.test-support.ts";

const table = new CommandTable(commands);

function find(...tokens: string[]): string | null {
  const args = new Arguments();
  let start = 0;
  for (const token of tokens) {
    args.add(start, token.length);
    start += token.length;
  }
  args.attach(latin(tokens.join("")), 0);
  const entry = table.find(args, 0);
  if (entry === null || entry.subcommands.length === 0 || tokens.length === 1) {
    return entry?.command.name ?? null;
  }
  return table.findSubcommand(entry, args)?.command.name ?? null;
}

test("names are found in any case", () => {
  for (const { name, subcommands } of commands) {
    expect([find(name), find(name.toUpperCase())]).toEqual([name, name]);
    for (const subcommand of subcommands) {
      const [container = "", word = ""] = subcommand.name.split("|");
      expect(find(container, word.toUpperCase())).toBe(subcommand.name);
    }
  }
});

test("nothing else is found", () => {
  const names = new Set(commands.map(({ name }) => name));
  for (const name of ["", "ge", "gett", "get ", "g\xe5t", "client|id", "subscribe", "__proto__", "constructor"]) {
    expect(find(name)).toBeNull();
  }
  fc.assert(
    fc.property(fc.string({ maxLength: 10 }), (name) => {
      const lowered = name.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
      expect(find(name)).toBe(names.has(lowered) ? lowered : null);
    }),
  );
});

test("entries are sorted and know their place", () => {
  expect(table.entries.map(({ index }) => index)).toEqual(table.entries.map((_, i) => i));
  const top = table.entries.map(({ command }) => command.name).filter((name) => !name.includes("|"));
  expect(top).toEqual(top.toSorted());
});
