// Goal: docs/redis-commands.md is what the command table says. `vitest run <this file> -u` renews it.
import { expect, test } from "vitest";
import { commands } from "./commands/all.ts";
import { renderCommandTable } from "./render-command-table.ts";

test("the page is up to date", async () => {
  await expect(renderCommandTable(commands)).toMatchFileSnapshot("../../docs/redis-commands.md");
});

test("every row is complete", () => {
  for (const row of commands.flatMap((row) => [row, ...row.subcommands])) {
    expect(row.name).toMatch(/^[a-z-]+(\|[a-z-]+)?$/);
    expect(row.since).toMatch(/^\d+\.\d+\.\d+$/);
    expect([row.name, row.summary.endsWith(".")]).toEqual([row.name, true]);
    if (row.caveat !== "") expect([row.name, row.caveat.endsWith(".")]).toEqual([row.name, true]);
    expect(Math.abs(row.arity)).toBeGreaterThan(0);
    const touchesData = row.flags.some((flag) => flag === "readonly" || flag === "write");
    if (row.keys.first > 0 && row.group !== "transactions") expect([row.name, touchesData]).toEqual([row.name, true]);
  }
});
