import { assert } from "../../core/assert.ts";
import { DiskError } from "../../core/env/disk.ts";
import type { Disk, DiskFile, SyncDone } from "../../core/env/disk.ts";
import { directoryCases } from "./disk-directory-cases.ts";
import { fileCases } from "./disk-file-cases.ts";

/** A disk under test, fresh for every case. */
export interface DiskSubject {
  readonly disk: Disk;
  /** What another process sees of the same storage. */
  readonly other: Disk;
  /** An existing, empty directory. */
  readonly root: string;
  /** Lets completions arrive: runs pending events in a simulator, nothing where they come by themselves. */
  pump(): void;
  /** Memory as `env.jobs.shared` gives it. */
  shared(sizeBytes: number): Uint8Array;
}

/** The part of a test runner that the suite needs. `equal` compares deeply and throws on a difference. */
export interface ConformanceKit {
  test(name: string, body: () => Promise<void>): void;
  equal(actual: unknown, expected: unknown): void;
}

/** One promise of `core/env/disk.ts`, checked by what a caller can see. */
export interface DiskCase {
  readonly name: string;
  run(probe: DiskProbe): Promise<void> | void;
}

/** Registers every case of the suite against disks made by `make`. */
export function diskConformance(kit: ConformanceKit, make: () => DiskSubject): void {
  for (const conformance of diskCases()) {
    kit.test(conformance.name, async () => {
      await conformance.run(new DiskProbe(make(), kit));
    });
  }
}

function diskCases(): readonly DiskCase[] {
  return [...fileCases, ...directoryCases];
}

/** Short words for what the cases do over and over. */
class DiskProbe {
  readonly disk: Disk;
  readonly other: Disk;
  readonly root: string;
  readonly #subject: DiskSubject;
  readonly #kit: ConformanceKit;

  constructor(subject: DiskSubject, kit: ConformanceKit) {
    this.disk = subject.disk;
    this.other = subject.other;
    this.root = subject.root;
    this.#subject = subject;
    this.#kit = kit;
  }

  equal(actual: unknown, expected: unknown): void {
    this.#kit.equal(actual, expected);
  }

  path(name: string): string {
    return `${this.root}/${name}`;
  }

  shared(sizeBytes: number): Uint8Array {
    return this.#subject.shared(sizeBytes);
  }

  /** A new file with `text`, closed. */
  put(name: string, text: string): void {
    const file = this.disk.open(this.path(name), "create");
    this.write(file, 0, text);
    file.close();
  }

  /** Creates a file that stays open. */
  create(name: string): DiskFile {
    return this.disk.open(this.path(name), "create");
  }

  write(file: DiskFile, position: number, text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.writeAll(file, position, bytes, 0);
  }

  /** Writes `source` from `start` on, however short the writes are. */
  writeAll(file: DiskFile, position: number, source: Uint8Array, start: number): void {
    for (let at = start; at < source.length; ) {
      const count = file.write(position + at - start, source, at, source.length);
      assert(count > 0 && count <= source.length - at, "a write takes at least one byte");
      at += count;
    }
  }

  /** Fills `target` from `start` on as far as the file goes; returns how many bytes that were. */
  readAll(file: DiskFile, position: number, target: Uint8Array, start: number): number {
    let at = start;
    while (at < target.length) {
      const count = file.read(position + at - start, target, at, target.length);
      assert(count >= 0 && count <= target.length - at, "a read stays within its range");
      if (count === 0) break;
      at += count;
    }
    return at - start;
  }

  /** Up to `length` bytes from `position`; a NUL shows as "0". */
  read(file: DiskFile, position: number, length: number): string {
    const bytes = new Uint8Array(length);
    const filled = this.readAll(file, position, bytes, 0);
    return new TextDecoder().decode(bytes.subarray(0, filled)).replaceAll("\0", "0");
  }

  /** The whole content of the file at `path` below the root; a NUL shows as "0". */
  content(name: string): string {
    const file = this.disk.open(this.path(name), "read");
    const text = this.read(file, 0, file.sizeBytes());
    file.close();
    return text;
  }

  /** The code of the `DiskError` that `action` throws, or "nothing thrown". */
  code(action: () => unknown): string {
    return this.error(action)?.code ?? "nothing thrown";
  }

  error(action: () => unknown): DiskError | null {
    try {
      action();
      return null;
    } catch (error) {
      if (error instanceof DiskError) return error;
      throw error;
    }
  }

  /** Starts a sync by `begin` and waits for its completion. */
  async completion(begin: (done: SyncDone) => void): Promise<DiskError | null> {
    return await new Promise<DiskError | null>((resolve) => {
      let inside = true;
      begin((error) => {
        assert(!inside, "a completion never comes inside the call that asked for it");
        resolve(error);
      });
      inside = false;
      this.#subject.pump();
    });
  }

  async synced(file: DiskFile): Promise<void> {
    this.equal(await this.completion((done) => file.sync(done)), null);
  }
}
