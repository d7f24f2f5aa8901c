import { copyFileSync, constants, existsSync, linkSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ownEngine } from "./plan.ts";
import type { BenchEngine } from "./store.ts";

/** Where stores lie while they are measured: one store at a time, and one loaded copy per engine. */
export class Scratch {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
    mkdirSync(root, { recursive: true });
  }

  /** An empty place for a store. */
  fresh(): string {
    const run = join(this.#root, "run");
    rmSync(run, { recursive: true, force: true });
    mkdirSync(run);
    return join(run, "store");
  }

  hasLoaded(engine: string, records: number): boolean {
    return existsSync(this.#loaded(engine, records));
  }

  /** Keeps the store that was just loaded as the copy that `reopened` starts from. */
  keepLoaded(engine: string, records: number): void {
    if (this.hasLoaded(engine, records)) return;
    renameSync(join(this.#root, "run/store"), this.#loaded(engine, records));
  }

  /** A copy of the loaded store. Files that their engine never writes again are linked, not copied. */
  reopened(engine: BenchEngine, records: number): string {
    const target = this.fresh();
    copyStore(this.#loaded(engine.name, records), target, engine.immutableFile);
    return target;
  }

  remove(): void {
    rmSync(this.#root, { recursive: true, force: true });
  }

  #loaded(engine: string, records: number): string {
    const name = engine === ownEngine ? `${engine}-${process.pid}` : engine;
    return join(this.#root, `loaded-${name.replaceAll(/[^a-z0-9-]/g, "_")}-${records}`);
  }
}

function copyStore(source: string, target: string, immutable: RegExp | null): void {
  mkdirSync(target);
  for (const entry of readdirSync(source, { withFileTypes: true })) {
    const from = join(source, entry.name);
    const to = join(target, entry.name);
    if (entry.isDirectory()) copyStore(from, to, immutable);
    else if (immutable?.test(entry.name) === true) linkSync(from, to);
    else copyFileSync(from, to, constants.COPYFILE_FICLONE);
  }
}
