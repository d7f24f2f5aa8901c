/** Directories for tests of what looks at them: left behind in a known state, then damaged by hand. */
import type { DiskSnapshot } from "../../sim/disk/disk-snapshot.ts";
import { Batch } from "./batch.ts";
import { type Engine, openEngine } from "./engine.ts";
import type { EngineOptions } from "./options.ts";
import { bytesOf, TestWorld, textOf } from "./test-world.test-support.ts";

export const directory = "/db";
export const options: Partial<EngineOptions> = {
  memtableBytes: 2048, tableBytes: 1024, blockBytes: 128, level0TablesMax: 2, levelBytesBase: 1 << 20,
};

export interface Prepared {
  readonly world: TestWorld;
  readonly image: DiskSnapshot;
  readonly contents: ReadonlyMap<string, string>;
}

/** A database with tables on two levels and a log. `closed`: in order; `crashed`: its process ended. */
export async function prepare(ending: "closed" | "crashed", given: Partial<EngineOptions> = {}): Promise<Prepared> {
  const world = new TestWorld(1);
  const engine = await world.run(openEngine(world.boot(), directory, { ...options, ...given }));
  for (let i = 0; i < 150; i++) await put(world, engine, i);
  await world.run(engine.compact());
  for (let i = 150; i < 200; i++) await put(world, engine, i);
  await world.run(engine.flush());
  for (let i = 200; i < 220; i++) await put(world, engine, i);
  const contents = new Map<string, string>();
  for (const [key, value] of engine.iterator()) contents.set(textOf(key) ?? "", textOf(value) ?? "");
  // No flush or merge is under way: what it leaves is another test's.
  await world.pass(2000);
  if (ending === "closed") await world.run(engine.close());
  world.processCrash();
  return { world, image: world.disk.snapshot(), contents };
}

function put(world: TestWorld, engine: Engine, i: number): Promise<void> {
  return world.run(
    new Promise((resolve) => {
      const batch = new Batch().set(bytesOf(`key${10 + (i % 60)}`), bytesOf(`value ${i} of a test`));
      engine.commit(batch, () => resolve());
    }),
  );
}

export function paths(world: TestWorld, pattern: RegExp): string[] {
  return world.disk.paths().filter((path) => pattern.test(path));
}

/** The last of the files that match: the newest one. */
export function newest(world: TestWorld, pattern: RegExp): string {
  const path = paths(world, pattern).at(-1);
  if (path === undefined) throw new Error(`nothing matches ${String(pattern)}`);
  return path;
}

export function read(world: TestWorld, path: string): Uint8Array {
  return world.disk.inspect(path)?.cached ?? new Uint8Array(0);
}

export function write(world: TestWorld, path: string, bytes: Uint8Array): void {
  const { disk } = world.boot();
  if (disk.kind(path) !== null) disk.remove(path);
  const file = disk.open(path, "create");
  if (bytes.length > 0) file.write(0, bytes, 0, bytes.length);
  file.close();
}

export function flip(world: TestWorld, path: string, at: number): void {
  const bytes = read(world, path);
  bytes[at] = (bytes[at] ?? 0) ^ 0x10;
  write(world, path, bytes);
}

/** Every file with every byte. */
export function filesOf(world: TestWorld): Map<string, string> {
  return new Map(world.disk.paths().map((path) => [path, [...read(world, path)].join(",")]));
}
