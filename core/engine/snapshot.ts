import { closed } from "./failure.ts";

/** The versions that live snapshots read at. */
export class Pins {
  readonly #counts = new Map<number, number>();
  #closed = false;
  /** Called when a version is pinned no more. */
  onUnpinned: () => void = () => {};

  get count(): number {
    let count = 0;
    for (const held of this.#counts.values()) count += held;
    return count;
  }

  /** Ascending: what a flush or a compaction must leave readable. */
  versions(): number[] {
    return [...this.#counts.keys()].sort((a, b) => a - b);
  }

  pin(version: number, readAtMs: number): Snapshot {
    this.#counts.set(version, (this.#counts.get(version) ?? 0) + 1);
    return new Snapshot(this, version, readAtMs);
  }

  unpin(version: number): void {
    const count = this.#counts.get(version) ?? 0;
    if (count > 1) this.#counts.set(version, count - 1);
    else if (this.#counts.delete(version)) this.onUnpinned();
  }

  /** Every snapshot is invalid from now on. */
  close(): void {
    this.#closed = true;
    this.#counts.clear();
  }

  get isClosed(): boolean {
    return this.#closed;
  }
}

/** A view of the database as it was at one instant. Holds back the space of what it sees until released. */
export class Snapshot {
  readonly version: number;
  /** The instant at which it judges expiry, Unix milliseconds. */
  readonly readAtMs: number;
  /** Called once, when it is released. */
  onReleased: (() => void) | null = null;
  readonly #pins: Pins;
  #released = false;

  constructor(pins: Pins, version: number, readAtMs: number) {
    this.#pins = pins;
    this.version = version;
    this.readAtMs = readAtMs;
  }

  get released(): boolean {
    return this.#released;
  }

  /** Throws `NOKV_CLOSED` when it can not be read any more. */
  check(pins: Pins): void {
    if (this.#released || this.#pins.isClosed) throw closed("snapshot");
    // Another database's versions mean nothing here.
    if (this.#pins !== pins) throw closed("snapshot's database");
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#pins.unpin(this.version);
    this.onReleased?.();
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
