// Goal: every rule of `.oxlintrc.json` that keeps the house in order is alive. A configuration that silently
// stopped matching would pass any tree.
// Method: plant violations, and their permitted twins, in a copy of the configuration's world outside the
// repository, run the linter once over all of them, and compare what it says per file.
import { execFile } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = import.meta.dirname;
const order = [
  "failpoints",
  "core",
  "net",
  "raft",
  "coordinator",
  "txn",
  "node",
  "sim",
  "scenarios",
  "host",
  "adapters",
  "cli",
  "bench",
];
/** Narrower than the order: the pure protocol, and the real adapters, which must do without the simulator. */
const narrower = [
  "raft>net",
  "raft>failpoints",
  "host>scenarios",
  "host>sim",
  ...["failpoints", "net", "raft", "coordinator", "txn", "node", "sim", "scenarios"].map((room) => `adapters>${room}`),
];
const imports = "eslint(no-restricted-imports)";

interface Plant {
  readonly path: string;
  readonly source: string;
  /** The rule that must speak; null: none may. */
  readonly rule: string | null;
}

function plant(path: string, source: string, rule: string | null): Plant {
  return { path, source, rule };
}

function orderPlants(): Plant[] {
  const plants: Plant[] = [];
  for (const [at, room] of order.entries()) {
    for (const [to, target] of order.entries()) {
      if (room === target) continue;
      const allowed = to < at && !narrower.includes(`${room}>${target}`) && target !== "cli";
      // core/*.ts imports only its siblings; the rooms inside it have rows of their own.
      const folder = room === "core" ? "core/engine" : room;
      const up = room === "core" ? "../.." : "..";
      const source = `import { x } from "${up}/${target}/x.ts";\nexport const y: unknown = x;\n`;
      plants.push(plant(`${folder}/to-${target}.ts`, source, allowed ? null : imports));
    }
  }
  return plants;
}

function importPlants(): Plant[] {
  const rows: readonly (readonly [from: string, specifier: string, allowed: boolean])[] = [
    ["nowhere/a.ts", "./b.ts", false],
    ["nowhere/c.ts", "../core/assert.ts", false],
    ["nowhere/d.ts", "node:fs", false],
    ["core/nowhere/a.ts", "../assert.ts", false],
    ["core/a.ts", "./assert.ts", true],
    ["core/b.ts", "./env/env.ts", false],
    ["core/bytes/a.ts", "../assert.ts", true],
    ["core/bytes/b.ts", "../env/env.ts", false],
    ["core/env/a.ts", "../lsm/memtable.ts", false],
    ["core/wal/a.ts", "../lsm/memtable.ts", true],
    ["core/lsm/a.ts", "../engine/engine.ts", false],
    ["core/lsm/b.ts", "../kv/kv.ts", false],
    ["core/engine/a.ts", "../kv/kv.ts", true],
    ["core/engine/b.ts", "../kv/engine-kv.ts", false],
    ["core/kv/kv.ts", "../engine/engine.ts", false],
    ["core/kv/engine-kv.ts", "../engine/engine.ts", true],
    ["core/engine/c.ts", "./../../cli/main.ts", false],
    ["net/redis/a.ts", "../../core/assert.ts", true],
    ["net/redis/commands/a.ts", "../server.ts", true],
    ["net/redis/commands/b.ts", "../../../node/redis-node.ts", false],
    ["raft/a.ts", "../core/env/env.ts", false],
    ["raft/b.ts", "../core/env/random.ts", true],
    ["raft/store/a.ts", "../../core/env/env.ts", true],
    ["raft/store/b.ts", "../../txn/client.ts", false],
    ["txn/percolator/a.ts", "../client.ts", false],
    ["txn/percolator/b.ts", "../../core/kv/evaluate.ts", true],
    ["txn/percolator/c.ts", "../../core/kv/engine-kv.ts", false],
    ["txn/client/a.ts", "../percolator/command.ts", true],
    ["txn/client/b.ts", "../../net/frame.ts", false],
    ["txn/remote/a.ts", "../client/exchange.ts", true],
    ["txn/remote/b.ts", "../../net/rpc/call.ts", true],
    ["txn/remote/c.ts", "../../node/topology.ts", false],
    ["txn/server/a.ts", "../percolator/command.ts", true],
    ["txn/server/b.ts", "../region-leader.ts", true],
    ["txn/server/c.ts", "../../net/rpc/rpc-error.ts", true],
    ["txn/server/d.ts", "../client/exchange.ts", false],
    ["core/engine/d.ts", "node:fs", false],
    ["core/engine/e.ts", "seedrandom", false],
    ["core/engine/f.ts", "ts-pattern", false],
    ["core/engine/g.ts", "immer", false],
    ["core/engine/h.ts", "vitest", false],
    ["core/engine/i.ts", "fast-check", false],
    ["core/engine/j.ts", "./engine.test-support.ts", false],
    ["core/engine/k.test.ts", "fast-check", true],
    ["core/engine/l.test.ts", "../../cli/main.ts", false],
    ["core/engine/m.test-support.ts", "vitest", true],
    ["coordinator/a.ts", "immer", true],
    ["raft/c.ts", "immer", false],
    ["sim/a.ts", "seedrandom", true],
    ["sim/b.ts", "ts-pattern", true],
    ["sim/c.ts", "node:fs", false],
    ["scenarios/a.ts", "seedrandom", false],
    ["host/a.ts", "node:fs", true],
    ["host/b.ts", "ts-pattern", false],
    ["adapters/a.ts", "abstract-level", true],
    ["adapters/b.ts", "keyv", true],
    ["adapters/c.ts", "seedrandom", false],
    ["host/c.ts", "abstract-level", false],
    ["cli/a.ts", "node:util", true],
    ["cli/b.ts", "ts-pattern", true],
    ["cli/c.ts", "seedrandom", false],
    ["cli/commands/a.test.ts", "./a.ts", true],
    ["cli/commands/b.test.ts", "../../bench/main.ts", false],
    ["bench/a.ts", "ioredis", true],
    ["stray.ts", "./core/assert.ts", false],
  ];
  const plants = rows.map(([from, specifier, allowed]) => {
    const source = `import { x } from "${specifier}";\nexport const y: unknown = x;\n`;
    return plant(from, source, allowed ? null : imports);
  });
  plants.push(
    plant("core/engine/dynamic.ts", 'export const m: unknown = import("../../cli/main.ts");\n', imports),
    plant("core/engine/reexport.ts", 'export { x } from "../../cli/main.ts";\n', imports),
  );
  return plants;
}

function ambientPlants(): Plant[] {
  const globals = "eslint(no-restricted-globals)";
  const properties = "eslint(no-restricted-properties)";
  const rows: readonly (readonly [expression: string, rule: string])[] = [
    ["Math.random()", properties],
    ["Date.now()", globals],
    ["new Date()", globals],
    ["performance.now()", globals],
    ["setTimeout", globals],
    ["setImmediate", globals],
    ["queueMicrotask", globals],
    ["process.env", globals],
    ["crypto.randomUUID()", globals],
    ["Buffer.alloc(1)", globals],
    ["fetch", globals],
    ["globalThis", globals],
    ["new SharedArrayBuffer(1)", globals],
    ["Intl", globals],
    ["Math.log2(3)", properties],
    ["AbortSignal.timeout(1)", properties],
    ['"a".localeCompare("b")', properties],
  ];
  const plants: Plant[] = [];
  const deep = ["core/engine", "net/redis"];
  const pure = [...deep, "failpoints", "raft", "coordinator", "txn", "node", "sim", "scenarios"];
  for (const room of pure) {
    for (const [index, [expression, rule]] of rows.entries()) {
      plants.push(plant(`${room}/ambient-${index}.ts`, `export const x: unknown = ${expression};\n`, rule));
    }
  }
  for (const room of ["host", "adapters", "cli", "bench"]) {
    for (const [index, [expression]] of rows.entries()) {
      plants.push(plant(`${room}/ambient-${index}.ts`, `export const x: unknown = ${expression};\n`, null));
    }
  }
  const zlib = 'import { crc32 } from "node:zlib";\nexport const c: unknown = crc32;\n';
  plants.push(
    plant("core/bytes/crc32.ts", zlib, null),
    plant("core/bytes/codec.ts", 'import * as zlib from "node:zlib";\nexport const c: unknown = zlib;\n', null),
    plant("core/bytes/crc64.ts", zlib, imports),
    plant("core/engine/zlib.ts", zlib, imports),
    plant("host/log.ts", 'console.log("x");\n', "eslint(no-console)"),
    plant("cli/log.ts", 'console.log("x");\n', null),
  );
  return plants;
}

function stylePlants(): Plant[] {
  const lines = (count: number): string => "void 0;\n".repeat(count);
  const nested = "if (a) { if (a) { if (a) { if (a) { if (a) { void 0; } } } } }";
  const cases = 'switch (k) {\n    case "a":\n      return 1;\n  }\n  return 2;';
  const inTest = (what: string): string =>
    `import { expect, test } from "vitest";\n${what}("x", () => {\n  expect(1).toBe(1);\n});\n`;
  const rows: readonly (readonly [file: string, rule: string, source: string])[] = [
    ["any.ts", "typescript(no-explicit-any)", "export const x: any = 1;\n"],
    ["bang.ts", "typescript(no-non-null-assertion)", "export const f = (x: 1 | null): 1 => x!;\n"],
    ["ignore.ts", "typescript(ban-ts-comment)", "// @ts-ignore\nexport const x = 1;\n"],
    ["float.ts", "typescript(no-floating-promises)", "async function f(): Promise<void> {}\nf();\n"],
    ["throw.ts", "typescript(only-throw-error)", 'export function f(): never {\n  throw "x";\n}\n'],
    ["sort.ts", "typescript(require-array-sort-compare)", "export const x = [2, 10].sort();\n"],
    [
      "switch.ts",
      "typescript(switch-exhaustiveness-check)",
      `export function f(k: "a" | "b"): number {\n  ${cases}\n}\n`,
    ],
    ["types.ts", "typescript(consistent-type-imports)", 'import { K } from "./k.ts";\nexport let x: K;\n'],
    ["long.ts", "eslint(max-lines)", lines(501)],
    ["function.ts", "eslint(max-lines-per-function)", `export function f(): void {\n${lines(71)}}\n`],
    ["params.ts", "eslint(max-params)", "export const f = (a: 1, b: 1, c: 1, d: 1, e: 1): 1 => e;\n"],
    ["depth.ts", "eslint(max-depth)", `export function f(a: boolean): void {\n  ${nested}\n}\n`],
    ["camelCase.ts", "unicorn(filename-case)", "export const x = 1;\n"],
    ["default.ts", "import(no-default-export)", "export default 1;\n"],
    ["cycle-a.ts", "import(no-cycle)", 'import { b } from "./cycle-b.ts";\nexport const a = (): 1 => b();\n'],
    ["cycle-b.ts", "import(no-cycle)", 'import { a } from "./cycle-a.ts";\nexport const b = (): 1 => a();\n'],
    ["barrel.ts", "oxc(no-barrel-file)", 'export * from "./throw.ts";\n'],
    ["var.ts", "eslint(no-var)", "export var x = 1;\n"],
    ["equal.ts", "eslint(eqeqeq)", "export const f = (x: number): boolean => x == 1;\n"],
    ["only.test.ts", "vitest(no-focused-tests)", inTest("test.only")],
    ["skip.test.ts", "vitest(no-disabled-tests)", inTest("test.skip")],
    ["empty.test.ts", "vitest(expect-expect)", 'import { test } from "vitest";\ntest("x", () => {});\n'],
  ];
  return rows.map(([file, rule, source]) => plant(`core/wal/${file}`, source, rule));
}

const said = new Map<string, Set<string>>();
const scratch = mkdtempSync(join(tmpdir(), "nokv-lint-"));

beforeAll(async () => {
  for (const name of [".oxlintrc.json", "tsconfig.json"]) copyFileSync(join(root, name), join(scratch, name));
  symlinkSync(join(root, "node_modules"), join(scratch, "node_modules"));
  const plants = [orderPlants(), importPlants(), ambientPlants(), stylePlants()];
  for (const { path, source } of plants.flat()) {
    mkdirSync(dirname(join(scratch, path)), { recursive: true });
    writeFileSync(join(scratch, path), source);
  }
  const output = await lint(scratch);
  for (const { filename, code } of output) {
    const codes = said.get(filename) ?? new Set();
    said.set(filename, codes.add(code));
  }
});

afterAll(() => {
  rmSync(scratch, { recursive: true });
});

interface Diagnostic {
  readonly filename: string;
  readonly code: string;
}

function lint(directory: string): Promise<readonly Diagnostic[]> {
  const binary = join(root, "node_modules/.bin/oxlint");
  return new Promise((resolve, reject) => {
    execFile(
      binary,
      ["--type-aware", "--format=json"],
      { cwd: directory, maxBuffer: 1 << 26 },
      (error, stdout, stderr) => {
        // Exit 1 is what this test is about; no JSON at all is a broken linter.
        if (stdout === "") reject(new Error(`oxlint: ${stderr}`, { cause: error }));
        else resolve((JSON.parse(stdout) as { diagnostics: Diagnostic[] }).diagnostics);
      },
    );
  });
}

function verdictOf({ path, rule }: Plant): string {
  const codes = [...(said.get(path) ?? [])];
  if (rule === null) return codes.length === 0 ? "as expected" : `${path}: refused by ${codes.join(", ")}`;
  return codes.includes(rule) ? "as expected" : `${path}: not refused by ${rule}, only ${codes.join(", ")}`;
}

test.each([
  ["rooms import only leftwards", orderPlants()],
  ["imports are allow-lists: what is not named is forbidden", importPlants()],
  ["time, randomness, timers and I/O exist only in host, adapters, cli and bench", ambientPlants()],
  ["style rules are alive", stylePlants()],
])("%s", (_name, plants) => {
  const wrong = plants.map(verdictOf).filter((verdict) => verdict !== "as expected");
  expect(plants.length).toBeGreaterThan(0);
  expect(wrong).toEqual([]);
});
