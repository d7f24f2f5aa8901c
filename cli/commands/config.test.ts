// Goal: scripts get one line per store, region or Coordinator; mistakes are named.
import { join } from "node:path";
import { expect, test } from "vitest";
import { testContext } from "../test-context.test-support.ts";
import { configCommand } from "./config.ts";

const example = join(import.meta.dirname, "../../raft_config.example.json");

async function run(...argv: string[]): Promise<string> {
  const context = testContext();
  expect(await configCommand.run(argv, context)).toBe(0);
  return context.terminal.stdout;
}

test("regions and stores of the example, as lines and as JSON", async () => {
  expect(await run("regions", "--config", example)).toMatchInlineSnapshot(`
    "1 - "m" 1 1 1:101,2:201,3:301 1
    2 "m" - 1 1 1:102,2:202,3:302 2
    "
  `);
  const stores = JSON.parse(await run("stores", "--config", example, "--format", "json")) as object[];
  expect(stores).toHaveLength(3);
  expect(stores[0]).toMatchObject({ store_id: 1, address: "127.0.0.1:20170" });
  expect(await run("coordinator", "--config", example, "--scope", "docker")).toContain("nokv-coordinator:2379");
  expect(await run("check", "--config", example)).toBe("");
});

test("what there is nothing of is named, with what there is", () => {
  expect(() => configCommand.run(["store"], testContext())).toThrow(/there is no store/);
  expect(() => configCommand.run([], testContext())).toThrow(/say what to show/);
});
