// Goal: what lint cannot say about the tree. Each check names the offender and what to do.
// Method: read every source file once and compare text; nothing here runs product code but its lists.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { expect, test } from "vitest";
import { scenarios } from "./scenarios/index.ts";
import { mutants } from "./sim/mutants/index.ts";
import { patchesOf } from "./sim/mutants/mutant.ts";

const root = import.meta.dirname;
const skipped = new Set(["node_modules", ".git", "dist", "data", ".vitest"]);
const lineLengthMax = 120;
const depthMax = 4;
/** Rooms whose code runs unchanged in production and in the simulator. */
const product = ["failpoints", "core", "net", "raft", "coordinator", "txn", "node"];
const deterministic = [...product, "sim", "scenarios"];
const rootFiles = ["lint.test.ts", "tidy.test.ts", "vitest.config.ts"];

function walk(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (skipped.has(entry.name)) return [];
    return entry.isDirectory() ? walk(path) : [relative(root, path)];
  });
}

const paths = walk(root).toSorted();
const texts = new Map(
  paths.filter((path) => /\.(ts|md|json|yaml)$|\.ci\/run$/.test(path)).map((path) => [path, read(path)]),
);
const sources = paths.filter((path) => path.endsWith(".ts"));
const documents = paths.filter((path) => path.endsWith(".md"));

function read(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

function textOf(path: string): string {
  return texts.get(path) ?? "";
}

function isTest(path: string): boolean {
  return /\.test(-support)?\.ts$/.test(path);
}

function roomOf(path: string): string {
  return path.split("/")[0] ?? "";
}

/** Lines of `path` that match, as `path:line: remedy`. */
function offenders(path: string, pattern: RegExp, remedy: string): string[] {
  return textOf(path)
    .split("\n")
    .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${remedy}`] : []));
}

function inRooms(rooms: readonly string[], pattern: RegExp, remedy: string): string[] {
  return sources
    .filter((path) => rooms.includes(roomOf(path)) && !isTest(path))
    .flatMap((path) => offenders(path, pattern, remedy));
}

/** What `path` imports, or starts as a worker, as paths from the root. */
function importsOf(path: string): string[] {
  const text = textOf(path);
  const modules = [...text.matchAll(/(?:from|import|import\(|new URL\()\s*["'`](\.{1,2}\/[^"'`]+)["'`]/g)];
  const threads = [...text.matchAll(/\bsibling\("([^"]+)"\)/g)];
  return [
    // A worker's module ends in the extension of whoever starts it.
    ...modules.map(([, name = ""]) => join(dirname(path), name.replace(/\$\{[^}]*\}$/, ".ts"))),
    ...threads.map(([, name = ""]) => `host/${name}.ts`),
  ].map((target) => normalize(target));
}

test("lines fit a screen", () => {
  const pattern = new RegExp(`^.{${lineLengthMax + 1},}$`);
  const remedy = `break the line at ${lineLengthMax} columns`;
  const long = sources.flatMap((path) => offenders(path, pattern, remedy));
  expect(long).toEqual([]);
});

test("nothing is left unfinished, skipped or singled out", () => {
  const marks = new RegExp(["FIX" + "ME", "TO" + "DO", "\\bXX" + "X\\b"].join("|"));
  const modifiers = /\b(?:test|it|describe)\.(?:only|skip|todo|fails)\b/;
  const found = [...texts.keys()].flatMap((path) => offenders(path, marks, "finish it or open an issue"));
  // lint.test.ts plants them as text.
  const tests = sources.filter((path) => path !== "lint.test.ts");
  found.push(...tests.flatMap((path) => offenders(path, modifiers, "every test runs")));
  expect(found).toEqual([]);
});

test("files are where a newcomer looks for them", () => {
  const vague = /(?:^|\/)(?:utils?|helpers?|common|shared|misc)(?:\/|\.|$)/;
  const wrong = sources.flatMap((path) => {
    if (vague.test(path)) return [`${path}: name it after what it does`];
    if (path.split("/").length > depthMax) return [`${path}: at most ${depthMax} levels deep`];
    if (!path.includes("/") && !rootFiles.includes(path)) return [`${path}: put it into a room`];
    return [];
  });
  expect(wrong).toEqual([]);
});

test("a file that nothing imports is removed", () => {
  const published = /^host\/(?:open|connect|simulate)\.ts$|^adapters\/(?:abstract-level|keyv|unstorage)\.ts$/;
  const started = /^cli\/main\.ts$|^bench\/(?:.*\/)?main\.ts$|^[^/]*\.ts$|\.test\.ts$/;
  const imported = new Set(sources.flatMap(importsOf));
  const orphans = sources.filter((path) => !imported.has(path) && !published.test(path) && !started.test(path));
  expect(orphans).toEqual([]);
});

test("what is exported is named by another file, or by a document", () => {
  const names = new Map([...texts].map(([path, text]) => [path, new Set(text.match(/\w+/g))]));
  const files = new Map<string, number>();
  for (const named of names.values()) for (const name of named) files.set(name, (files.get(name) ?? 0) + 1);
  const idle = sources
    .filter((path) => !isTest(path))
    .flatMap((path) => [...textOf(path).matchAll(/^export (?:async )?(?:const|function|class) (\w+)/gm)]
      .filter(([, name = ""]) => files.get(name) === 1)
      .map(([, name]) => `${path}: ${name} is for this file alone, or for nobody`));
  expect(idle).toEqual([]);
});

test("import paths are the shortest ones", () => {
  const roundabout = /from "\.[^"]*[a-z]\/\.\.\//;
  const wrong = sources.flatMap((path) => offenders(path, roundabout, "write the shortest relative path"));
  expect(wrong).toEqual([]);
});

test("nothing ambient that lint does not see", () => {
  const wrong = [
    ...inRooms(deterministic, /\bimport\.meta\b/, "the place of a module is ambient"),
    ...inRooms(product, /\.stack\b/, "stacks hold paths and line numbers"),
    ...inRooms(deterministic, /\bfor \((?:const|let) \w+ in\b/, "iterate sorted keys"),
    ...inRooms(deterministic, /^(?:export )?let\b/, "state of a module survives a crash of the node"),
    ...inRooms(
      deterministic,
      /^(?:export )?const \w+ = new (?:Weak)?(?:Map|Set)\b/,
      "state of a module survives a crash of the node; a constant table says ReadonlyMap or ReadonlySet",
    ),
  ];
  expect(wrong).toEqual([]);
});

test("product code never swallows what it does not know", () => {
  const wrong = sources
    .filter((path) => product.includes(roomOf(path)) && !isTest(path))
    .flatMap((path) =>
      catchBlocks(textOf(path))
        .filter(({ body }) => !/\bthrow\b|\bfail\w*\(error/.test(body))
        .map(({ line }) => `${path}:${line}: a crash unwinds by throwing; rethrow what is not yours`),
    );
  expect(wrong).toEqual([]);
});

/** The blocks of `catch` clauses, by counting braces: strings with lone braces would mislead it. */
function catchBlocks(text: string): { line: number; body: string }[] {
  return [...text.matchAll(/\bcatch\b\s*(?:\([^)]*\))?\s*\{/g)].map((match) => {
    const start = match.index + match[0].length;
    let depth = 1;
    let end = start;
    for (; depth > 0 && end < text.length; end++) {
      if (text[end] === "{") depth++;
      if (text[end] === "}") depth--;
    }
    return { line: text.slice(0, start).split("\n").length, body: text.slice(start, end) };
  });
}

test("hot files say so first, and keep off what is slow", () => {
  const hot = sources.filter((path) => /^\/\/ HOT\b/m.test(textOf(path)));
  const slow = /\basync\b|\bawait\b|BigU?[iI]nt64|\bBigInt\(|\.forEach\(|from "ts-pattern"|from "immer"/;
  const wrong = hot.flatMap((path) => [
    ...(/^\/\/ HOT: \S.{9}/.test(textOf(path)) ? [] : [`${path}: the first line is "// HOT: why"`]),
    ...offenders(path, slow, "no promises, bigints or closures per item in a hot file"),
  ]);
  expect(hot.length).toBeGreaterThan(0);
  expect(wrong).toEqual([]);
});

test("every failpoint is catalogued once and hit at exactly one site", () => {
  const catalog = textOf("failpoints/catalog.ts");
  const names = [...catalog.matchAll(/^export const (\w+): Failpoint = /gm)].map((match) => match[1] ?? "");
  const listed = catalog.slice(catalog.indexOf("export const failpoints"));
  const wrong = names.flatMap((name) => {
    const hits = sources
      .filter((path) => product.includes(roomOf(path)) && !isTest(path))
      .flatMap((path) => [...textOf(path).matchAll(new RegExp(`\\.hit\\(\\s*${name}\\b`, "g"))]);
    const reasons = [];
    if (!new RegExp(`^  ${name},$`, "m").test(listed)) reasons.push(`${name}: add it to the list`);
    if (hits.length !== 1) reasons.push(`${name}: hit at ${hits.length} sites, must be 1`);
    return reasons;
  });
  expect(names.length).toBeGreaterThan(0);
  expect(wrong).toEqual([]);
});

test("every scenario is registered, named and justified", () => {
  const declared = sources
    .filter((path) => roomOf(path) === "scenarios" && !isTest(path))
    .flatMap((path) => [...textOf(path).matchAll(/^export const (\w+): Scenario = /gm)])
    .map((match) => match[1] ?? "");
  const index = textOf("scenarios/index.ts");
  const list = index.slice(index.indexOf("export const scenarios"));
  expect(declared.filter((name) => !new RegExp(`\\b${name}\\b`).test(list))).toEqual([]);
  expect(new Set(scenarios.map(({ name }) => name)).size).toBe(scenarios.length);
  for (const { name, why, weight } of scenarios) {
    expect(name).toMatch(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/);
    expect(why.length, `${name}: say what breaks for a user`).toBeGreaterThan(20);
    expect(Number.isSafeInteger(weight) && weight >= 1, `${name}: weight is a positive integer`).toBe(true);
  }
});

test("every planted bug still applies, exactly once", () => {
  const wrong = mutants.flatMap((mutant) =>
    patchesOf(mutant).flatMap(({ file, find, replace }) => {
      const count = textOf(file).split(find).length - 1;
      if (count !== 1) return [`${mutant.name}: its text occurs ${count} times in ${file}, must be 1`];
      return find === replace ? [`${mutant.name}: changes nothing`] : [];
    }),
  );
  expect(wrong).toEqual([]);
  expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length);
});

test("every document has one title, and its links resolve", () => {
  const wrong = documents.flatMap((path) => {
    const prose = textOf(path).replaceAll(/^```[^]*?^```/gm, "");
    const titles = prose.match(/^# /gm)?.length ?? 0;
    const broken = [...prose.matchAll(/\]\(([^)#\s]+)(#[^)\s]*)?\)/g)]
      .map((match) => match[1] ?? "")
      .filter((target) => !/^[a-z]+:/.test(target) && !existsSync(join(root, dirname(path), target)));
    return [
      ...(titles === 1 ? [] : [`${path}: ${titles} titles, must be 1`]),
      ...broken.map((target) => `${path}: link to ${target} leads nowhere`),
    ];
  });
  expect(wrong).toEqual([]);
});

/** Of docs/ORIGINAL-TESTS.md: `file`, `file` "title", or scenario `name`. */
function isPlaceOf(name: string, place: string): boolean {
  const scenario = /^scenario `([^`]+)`$/.exec(place)?.[1];
  if (scenario !== undefined) return scenarios.some((known) => known.name === scenario);
  const [, path = "", title = name] = /^`([^`]+)`(?: "(.+)")?$/.exec(place) ?? [];
  return isTest(path) && textOf(path).includes(title);
}

test("each test of the original has a place that is there, or a reason why it has none", () => {
  const rows = [...textOf("docs/ORIGINAL-TESTS.md").matchAll(/^\| `(Test\w+)` \| (.+?) \| (.*?) ?\|$/gm)];
  const names = new Set(rows.map(([, name = ""]) => name));
  const wrong = rows.flatMap(([, name = "", places = "", note = ""]) => {
    if (places === "—") return note.split(" ").length > 7 ? [] : [`${name}: say why it has no place`];
    return places.split("; ").filter((place) => !isPlaceOf(name, place)).map((place) => `${name}: not in ${place}`);
  });
  expect(wrong).toEqual([]);
  expect([rows.length, names.size]).toEqual([104, 104]);
  const titles = sources.filter(isTest).flatMap((path) => [...textOf(path).matchAll(/\btest\("(Test[A-Z]\w+)/g)]);
  expect(titles.map(([, name = ""]) => name).filter((name) => !names.has(name))).toEqual([]);
});

test("documents name tests that are there", () => {
  const wrong = documents.flatMap((path) =>
    [...textOf(path).matchAll(/`(?:[a-z-]+\/)*[a-z-]+\.test\.ts`/g)]
      .map(([name]) => name.slice(1, -1))
      .filter((name) => name !== "x.test.ts")
      .filter((name) => !sources.some((source) => source === name || source.endsWith(`/${name}`)))
      .map((name) => `${path}: there is no ${name}`),
  );
  expect(wrong).toEqual([]);
});

test("commands in the documents exist", () => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  const known = new Set([...Object.keys(scripts), "install", "exec"]);
  const wrong = documents.flatMap((path) =>
    [...textOf(path).matchAll(/\bpnpm(?:@12)? ([a-z][a-z:]*)/g)]
      .map((match) => match[1] ?? "")
      .filter((script) => !known.has(script))
      .map((script) => `${path}: no script "${script}" in package.json`),
  );
  expect(wrong).toEqual([]);
});

test("FORMATS.md names the constants of every format, with their values", () => {
  const formats = textOf("docs/FORMATS.md");
  const pattern = /^export const (\w+(?:Magic|FormatVersion|(?:Header|Trailer|Footer)Bytes)) = (.+);$/gm;
  const wrong = sources
    .filter((path) => roomOf(path) === "core" && !isTest(path))
    .flatMap((path) => [...textOf(path).matchAll(pattern)])
    .flatMap(([, name, value]) => {
      if (name === undefined || value === undefined) return [];
      if (!formats.includes(`\`${name}\``)) return [`docs/FORMATS.md: explain \`${name}\``];
      const said = new RegExp(`\`${name}\` = ([0-9]+)`).exec(formats)?.[1];
      const stale = said !== undefined && said !== value.replaceAll("_", "");
      return stale ? [`docs/FORMATS.md: ${name} is ${value}, not ${said}`] : [];
    });
  expect(wrong).toEqual([]);
});

test("nothing in the tree names the machine it was written on", () => {
  const places = ["/wo" + "rk/", "/fa" + "rm/", "/ho" + "me/", "registry.npm" + "js", "bash_" + "jobs"];
  const wrong = [...texts.keys()]
    .filter((path) => path !== "pnpm-lock.yaml")
    .flatMap((path) =>
      places
        .filter((place) => textOf(path).includes(place))
        .map((place) => `${path}: names ${place}, which exists on one machine only`),
    );
  expect(wrong).toEqual([]);
});
