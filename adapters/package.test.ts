// Goal: what is published can be imported by plain Node.js, entry by entry, with types, and holds all it needs
// and nothing of the tests.
// Method: build the package into the node_modules of a directory elsewhere, ask npm what it would pack, compile the
// examples of the documents against its types, and run a program over its compiled form.
import { execFile } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { examplesIn } from "./examples.test-support.ts";

const run = promisify(execFile);
const root = dirname(import.meta.dirname);
const consumer = mkdtempSync(join(tmpdir(), "nokv-package-"));
const published = join(consumer, "node_modules", "nokv");
const binaries = join(root, "node_modules", ".bin");
const buildMsMax = 120_000;

interface Manifest {
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly bin: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly scripts: Readonly<Record<string, string>>;
}

const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest;

beforeAll(async () => {
  mkdirSync(published, { recursive: true });
  for (const name of ["package.json", "README.md", "LICENSE"]) copyFileSync(join(root, name), join(published, name));
  const others = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.peerDependencies), "@types"];
  for (const name of others) symlinkSync(join(root, "node_modules", name), join(consumer, "node_modules", name));
  writeFileSync(join(consumer, "package.json"), '{ "type": "module" }\n');
  await run(join(binaries, "tsc"), ["-p", "tsconfig.build.json", "--outDir", join(published, "dist")], { cwd: root });
}, buildMsMax);

afterAll(() => {
  rmSync(consumer, { recursive: true });
});

test("nothing runs at installation, and no dependency is native", () => {
  expect(Object.keys(manifest.scripts).filter((name) => /install|prepare/.test(name))).toEqual([]);
  expect(Object.keys(manifest.dependencies)).toEqual(["immer", "seedrandom", "ts-pattern"]);
});

test("npm packs every entry, and no test", async () => {
  const { stdout } = await run("npm", ["pack", "--dry-run", "--json"], { cwd: published });
  const [{ files }] = JSON.parse(stdout) as [{ files: { path: string }[] }];
  const packed = files.map(({ path }) => path);
  const entries = [...Object.values(manifest.exports), ...Object.values(manifest.bin)]
    .flatMap((entry) => (typeof entry === "string" ? [entry] : Object.values(entry)))
    .map((path) => path.replace(/^\.\//, ""));
  expect(entries.filter((entry) => !packed.includes(entry))).toEqual([]);
  expect(packed.filter((path) => /\.test|bench\//.test(path))).toEqual([]);
  expect(packed).toContain("dist/host/job-worker.js");
});

test("the examples of the documents have the right types", async () => {
  for (const { name, source } of examplesIn("README.md", "docs/API.md", "docs/CLIENT.md", "docs/SIM.md")) {
    writeFileSync(join(consumer, `${name}.ts`), source);
  }
  const compilerOptions = {
    target: "es2024", lib: ["es2024", "esnext.disposable", "esnext.iterator", "dom"], module: "nodenext",
    strict: true, exactOptionalPropertyTypes: true, noEmit: true, types: ["node"], skipLibCheck: true,
  };
  writeFileSync(join(consumer, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts"] }));
  const compiled = run(join(binaries, "tsc"), ["-p", "."], { cwd: consumer });
  await expect(compiled.catch((error: { stdout: string }) => error)).resolves.toMatchObject({ stdout: "" });
}, buildMsMax);

test("plain Node.js imports every entry and works with it, worker threads included", async () => {
  const program = `
    import { NokvError, open } from "nokv";
    import { NokvLevel } from "nokv/abstract-level";
    import { KeyvNokv } from "nokv/keyv";
    import { nokvDriver } from "nokv/unstorage";
    import { connect } from "nokv/client";
    import { simulate } from "nokv/sim";
    await using db = await open("./data");
    await db.set("a", "1");
    await db.flush();
    await db.compact();
    console.log([...db.keys()].length, db.stats().flushes, typeof NokvError, typeof NokvLevel);
    console.log(await new KeyvNokv(db).has("a"), await nokvDriver({ source: db }).hasItem("a", {}), typeof connect);
    const crashing = async (world) => {
      const machine = world.machine("node");
      await machine.run(async (process) => (await process.open("/data")).set("a", String(process.random())));
      machine.crash("power");
      const { value } = await machine.run(async (process) => (await process.open("/data")).has("a"));
      world.check(value, "what was acknowledged is there");
    };
    const { seeds } = await simulate({ seeds: 5, program: crashing });
    const touching = simulate({ seeds: 1, program: async () => Date.now() });
    console.log(seeds, await touching.catch(({ message }) => message.split("\\n")[1].replace(/file:.*\\//, "")));
  `;
  writeFileSync(join(consumer, "program.mjs"), program);
  const { stdout } = await run(process.execPath, ["program.mjs"], { cwd: consumer });
  expect(stdout).toBe(
    "1 1 function function\nfalse true function\n5 ambient: AmbientError: " +
      "Date.now called inside the simulation (at program.mjs:22:69)\n",
  );
});

test("the command starts", async () => {
  const { stdout } = await run(process.execPath, [join(published, "dist/cli/main.js"), "--help"]);
  expect(stdout).toContain("nokv");
});
