/**
 * Goal: whatever is created, renamed and removed, a power loss leaves each name with a meaning it had since
 * the last completed `syncDir`, and never makes a durable file unreachable or reachable twice.
 * Method: random histories over two directories against a model that keeps every meaning of every name.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { diskFaultsPowerLoss } from "./disk-faults.ts";
import { rig } from "./manual-world.ts";
import type { Rig } from "./manual-world.ts";

const directories = ["/", "/d"] as const;
const names = ["/a", "/b", "/c", "/d/a", "/d/b"] as const;
type Name = (typeof names)[number];

/** A file is known by its only byte; 0 is no file. */
type Meanings = Record<Name, number>;

const none: Meanings = { "/a": 0, "/b": 0, "/c": 0, "/d/a": 0, "/d/b": 0 };

function parent(name: Name): string {
  return name.startsWith("/d/") ? "/d" : "/";
}

/** All the states of the tree since the last one that is promised, per directory. */
class TreeModel {
  readonly states: Meanings[] = [none];
  readonly promised = new Map<string, number>(directories.map((directory) => [directory, 0]));

  get now(): Meanings {
    return this.states[this.states.length - 1] ?? none;
  }

  change(meanings: Partial<Meanings>): void {
    this.states.push({ ...this.now, ...meanings });
  }

  objection(found: Meanings): string | null {
    for (const name of names) {
      const since = this.states.slice(this.promised.get(parent(name)) ?? 0);
      if (!since.some((state) => state[name] === found[name])) return `${name} means ${found[name]}`;
    }
    const reachable = names.map((name) => found[name]).filter((file) => file !== 0);
    if (new Set(reachable).size < reachable.length) return "a file has two names";
    return this.#lost(found);
  }

  /** A file with a name in every state since all was promised must have one now. */
  #lost(found: Meanings): string | null {
    const since = this.states.slice(Math.max(...this.promised.values()));
    const has = (state: Meanings, file: number): boolean => names.some((name) => state[name] === file);
    for (const file of Object.values(this.now)) {
      const always = file !== 0 && since.every((state) => has(state, file));
      if (always && !has(found, file) && this.#settled(file)) return `file ${file} is unreachable`;
    }
    return null;
  }

  /** Whether the file had one and the same promised name before anything happened that is not promised. */
  #settled(file: number): boolean {
    return directories.every((directory) => {
      const state = this.states[this.promised.get(directory) ?? 0];
      return state !== undefined && names.some((name) => state[name] === file && parent(name) === directory);
    });
  }
}

function look({ disk }: Rig): Meanings {
  const found = { ...none };
  for (const name of names) found[name] = disk.inspect(name)?.cached[0] ?? 0;
  return found;
}

const treeStep = fc.record({
  kind: fc.constantFrom("create", "create", "rename", "rename", "rename", "remove", "sync", "event"),
  name: fc.constantFrom(...names),
  other: fc.constantFrom(...names),
});

describe("any tree", () => {
  test("names keep their promises through power losses", () => {
    fc.assert(
      fc.property(fc.array(treeStep, { maxLength: 30, size: "max" }), fc.nat(), (steps, seed) => {
        const it = rig({ ...diskFaultsPowerLoss, lostWrite: 0 }, seed);
        it.view.mkdir("/d");
        it.view.syncDir("/", () => undefined);
        it.world.pump();
        const model = new TreeModel();
        steps.forEach(({ kind, name, other }, index) => {
          const file = model.now[name];
          if (kind === "create" && file === 0) {
            it.view.open(name, "create").write(0, Uint8Array.of(index + 1), 0, 1);
            model.change({ [name]: index + 1 });
          } else if (kind === "rename" && file !== 0 && name !== other) {
            it.view.rename(name, other);
            model.change({ [name]: 0, [other]: file });
          } else if (kind === "remove" && file !== 0) {
            it.view.remove(name);
            model.change({ [name]: 0 });
          } else if (kind === "sync") {
            const mark = model.states.length - 1;
            const directory = parent(name);
            it.view.syncDir(directory, () => {
              model.promised.set(directory, Math.max(mark, model.promised.get(directory) ?? 0));
            });
          } else if (kind === "event") {
            it.world.step();
          }
        });
        expect(look(it)).toStrictEqual(model.now);
        const before = it.disk.snapshot();
        for (let variant = 0; variant < 8; variant++) {
          it.disk.restore(before);
          it.disk.powerLoss(variant);
          expect(model.objection(look(it))).toBeNull();
        }
      }),
      { numRuns: 500 },
    );
  });

  test("long unsynced histories are committed by themselves, oldest first", () => {
    const it = rig({ ...diskFaultsPowerLoss, entryLost: 1_000_000 });
    for (let at = 0; at < 3_000; at++) it.view.open(`/f${at}`, "create").close();
    it.disk.powerLoss();
    const left = it.disk.paths().length;
    expect(left).toBeGreaterThanOrEqual(3_000 - 1_024);
    expect(it.disk.inspect("/f0")).not.toBeNull();
  });
});
