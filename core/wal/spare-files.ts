import { type Disk, DiskError } from "../env/disk.ts";

/**
 * Files of obsolete segments, kept to be written over: bytes that have their place on the device, and their pages
 * in memory, are written and synced at half the cost.
 *
 * What they hold never validates in their next life: frames are salted with the number of their segment.
 */
export class SpareFiles {
  readonly #disk: Disk;
  readonly #max: number;
  readonly #paths: string[] = [];
  /** How often one was used again. */
  takenCount = 0;

  constructor(disk: Disk, max: number) {
    this.#disk = disk;
    this.#max = max;
  }

  get count(): number {
    return this.#paths.length;
  }

  /** Calls the file `sparePath` until it is taken. False: it stays where it is, and is the caller's. */
  give(path: string, sparePath: string): boolean {
    if (this.#paths.length >= this.#max) return false;
    try {
      this.#disk.rename(path, sparePath);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      return false;
    }
    this.#paths.push(sparePath);
    return true;
  }

  /** Calls one of them `path`. False: there is none. Throws `DiskError`, and then nothing happened. */
  take(path: string): boolean {
    const spare = this.#paths[0];
    if (spare === undefined) return false;
    this.#disk.rename(spare, path);
    this.#paths.shift();
    this.takenCount++;
    return true;
  }

  /** As far as the disk lets it: others need the room. */
  removeAll(): void {
    for (const path of this.#paths.splice(0)) {
      try {
        this.#disk.remove(path);
      } catch (error) {
        // The next opening removes it.
        if (!(error instanceof DiskError)) throw error;
      }
    }
  }
}
