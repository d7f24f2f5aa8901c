import { type Disk, DiskError, type DiskFile, type OpenMode, type SyncDone } from "../../core/env/disk.ts";

interface OpenSync {
  readonly now: () => void;
  readonly done: SyncDone;
  told: boolean;
}

type Start = (told: SyncDone) => void;
type Begin = (open: OpenSync, start: Start) => void;

/** A disk whose syncs in flight can be brought to their end at once, as time does for whoever stands still. */
export class HastyDisk implements Disk {
  readonly #disk: Disk;
  readonly #beginBound: Begin = (open, start) => this.#begin(open, start);
  #open: OpenSync[] = [];

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  /** Every sync in flight ends, and is told. */
  finishSyncs(): void {
    for (const open of this.#open.splice(0)) {
      if (open.told) continue;
      open.told = true;
      open.done(outcomeOf(open.now));
    }
  }

  open(path: string, mode: OpenMode): DiskFile {
    return new HastyFile(this.#disk, this.#disk.open(path, mode), this.#beginBound);
  }

  syncDir(dir: string, done: SyncDone): void {
    const open = { now: () => this.#disk.syncDirNow(dir), done, told: false };
    this.#begin(open, (told) => this.#disk.syncDir(dir, told));
  }

  syncDirNow(dir: string): void {
    this.#disk.syncDirNow(dir);
  }

  mkdir(path: string): void {
    this.#disk.mkdir(path);
  }

  rename(source: string, target: string): void {
    this.#disk.rename(source, target);
  }

  link(source: string, target: string): void {
    this.#disk.link(source, target);
  }

  remove(path: string): void {
    this.#disk.remove(path);
  }

  list(dir: string): readonly string[] {
    return this.#disk.list(dir);
  }

  kind(path: string): ReturnType<Disk["kind"]> {
    return this.#disk.kind(path);
  }

  lock(path: string, owner: string): ReturnType<Disk["lock"]> {
    return this.#disk.lock(path, owner);
  }

  lockShared(path: string): ReturnType<Disk["lockShared"]> {
    return this.#disk.lockShared(path);
  }

  #begin(open: OpenSync, start: Start): void {
    start((error) => {
      const at = this.#open.indexOf(open);
      if (at >= 0) this.#open.splice(at, 1);
      if (open.told) return;
      open.told = true;
      open.done(error);
    });
    // It was not refused.
    this.#open.push(open);
  }
}

/** One that is closed while it is synced is opened once more where its sync has to be done over. */
class HastyFile implements DiskFile {
  readonly path: string;
  readonly #disk: Disk;
  readonly #file: DiskFile;
  readonly #begin: Begin;
  #closed = false;

  constructor(disk: Disk, file: DiskFile, begin: Begin) {
    this.path = file.path;
    this.#disk = disk;
    this.#file = file;
    this.#begin = begin;
  }

  sizeBytes(): number {
    return this.#file.sizeBytes();
  }

  // oxlint-disable-next-line max-params
  read(position: number, target: Uint8Array, start: number, end: number): number {
    return this.#file.read(position, target, start, end);
  }

  // oxlint-disable-next-line max-params
  write(position: number, source: Uint8Array, start: number, end: number): number {
    return this.#file.write(position, source, start, end);
  }

  truncate(sizeBytes: number): void {
    this.#file.truncate(sizeBytes);
  }

  sync(done: SyncDone): void {
    this.#begin({ now: () => this.#syncOver(), done, told: false }, (told) => this.#file.sync(told));
  }

  syncNow(): void {
    this.#file.syncNow();
  }

  close(): void {
    this.#closed = true;
    this.#file.close();
  }

  #syncOver(): void {
    if (!this.#closed) return this.#file.syncNow();
    const file = this.#disk.open(this.path, "write");
    const error = outcomeOf(() => file.syncNow());
    file.close();
    if (error !== null) throw error;
  }
}

function outcomeOf(sync: () => void): DiskError | null {
  try {
    sync();
    return null;
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    return error;
  }
}
