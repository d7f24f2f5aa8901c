// Goal: the tables of who may open what are complete, and stay as they were decided. Method: every pair, every opener.
import { expect, test } from "vitest";
import { gateModes } from "../../core/manifest/format-gate.ts";
import type { ModeFile } from "./mode-file.ts";
import { type Opener, refusalFor, stateOf } from "./openers.ts";

const blank = { migrationId: "m", clusterId: "c", storeId: 1, regions: [], baseTs: 1, verify: null } as const;
const files: readonly (readonly [string, ModeFile | null])[] = [
  ["none", null],
  ["preparing", { ...blank, mode: "preparing", step: "init" }],
  ["undoing", { ...blank, mode: "seeded", step: "rollback" }],
  ["seeded", { ...blank, mode: "seeded", step: "done" }],
  ["cluster", { ...blank, mode: "cluster", step: "done" }],
];
const openers: readonly Opener[] = ["embedded", "look", "serve", "init", "rollback"];

test("what each pair of MODE and gate is, and who may open it", () => {
  const rows = files.flatMap(([name, file]) =>
    gateModes.map((gate) => {
      const state = stateOf(file, gate);
      const may = openers.filter((opener) => refusalFor(opener, state) === null);
      return `${name} ${gate}: ${state}, open to ${may.join(" ")}`;
    }),
  );
  expect(rows).toMatchInlineSnapshot(`
    [
      "none standalone: standalone, open to embedded look serve init rollback",
      "none preparing: illegal, open to look rollback",
      "none seeded: illegal, open to look rollback",
      "none cluster: cluster, open to look serve",
      "none demoting: illegal, open to look rollback",
      "preparing standalone: preparing, open to look init rollback",
      "preparing preparing: preparing, open to look init rollback",
      "preparing seeded: preparing, open to look init rollback",
      "preparing cluster: illegal, open to look rollback",
      "preparing demoting: illegal, open to look rollback",
      "undoing standalone: undoing, open to look rollback",
      "undoing preparing: undoing, open to look rollback",
      "undoing seeded: undoing, open to look rollback",
      "undoing cluster: illegal, open to look rollback",
      "undoing demoting: illegal, open to look rollback",
      "seeded standalone: illegal, open to look rollback",
      "seeded preparing: illegal, open to look rollback",
      "seeded seeded: seeded, open to look serve init rollback",
      "seeded cluster: seeded, open to look serve init rollback",
      "seeded demoting: illegal, open to look rollback",
      "cluster standalone: illegal, open to look rollback",
      "cluster preparing: illegal, open to look rollback",
      "cluster seeded: illegal, open to look rollback",
      "cluster cluster: cluster, open to look serve",
      "cluster demoting: illegal, open to look rollback",
    ]
  `);
});

test("only a standalone directory is a database for the embedded library", () => {
  for (const [, file] of files) {
    for (const gate of gateModes) {
      const isOpen = refusalFor("embedded", stateOf(file, gate)) === null;
      expect(isOpen).toBe(file === null && gate === "standalone");
    }
  }
});
