import type { Disk, DiskFile, DiskLock, OpenMode, PathKind, SyncDone } from "../core/env/disk.ts";
import type { Env } from "../core/env/env.ts";

/** `env` with a disk on which any change is told to `changed`, and not made. */
export function watchedEnv(env: Env, changed: (what: string) => never): Env {
  const { clock, network, random, jobs, failpoints, trace } = env;
  return { clock, network, random, jobs, failpoints, trace, disk: new WatchedDisk(env.disk, changed) };
}

class WatchedDisk implements Disk {
  readonly #disk: Disk;
  readonly #changed: (what: string) => never;

  constructor(disk: Disk, changed: (what: string) => never) {
    this.#disk = disk;
    this.#changed = changed;
  }

  mkdir(path: string): void {
    this.#changed(`mkdir ${path}`);
  }

  open(path: string, mode: OpenMode): DiskFile {
    if (mode !== "read") return this.#changed(`open ${path} to ${mode}`);
    return this.#disk.open(path, mode);
  }

  rename(source: string, target: string): void {
    this.#changed(`rename ${source} to ${target}`);
  }

  link(source: string, target: string): void {
    this.#changed(`link ${source} as ${target}`);
  }

  remove(path: string): void {
    this.#changed(`remove ${path}`);
  }

  list(dir: string): readonly string[] {
    return this.#disk.list(dir);
  }

  kind(path: string): PathKind | null {
    return this.#disk.kind(path);
  }

  syncDir(dir: string, _done: SyncDone): void {
    this.#changed(`sync ${dir}`);
  }

  syncDirNow(dir: string): void {
    this.#changed(`sync ${dir}`);
  }

  lock(path: string): DiskLock {
    return this.#changed(`lock ${path}`);
  }

  lockShared(path: string): DiskLock {
    return this.#disk.lockShared(path);
  }
}
