// HOT: every commit waits here once.
import { assert } from "../assert.ts";
import type { NokvError } from "../errors.ts";

export type Done = (error: NokvError | null) => void;

/** Entries that were told are given back when so many have gathered at the front. */
const toldMax = 1024;

/**
 * Who waits for which version. Told in the order of versions, and of arrival within one. A callback may add
 * waiters and tell others.
 */
export class Waiters {
  readonly #versions: number[] = [];
  readonly #dones: (Done | null)[] = [];
  /** Entries before it were told. */
  #first = 0;
  /** The promise of the newest waiter, while commits of the same group may join it. */
  #shared: Promise<void> | null = null;
  #sharedGroup = -1;

  get count(): number {
    return this.#versions.length - this.#first;
  }

  add(version: number, done: Done): void {
    this.#shared = null;
    const versions = this.#versions;
    let at = versions.length;
    // Nearly always the newest: commits arrive in the order of their versions.
    while (at > this.#first && (versions[at - 1] as number) > version) at--;
    if (at === versions.length) {
      versions.push(version);
      this.#dones.push(done);
      return;
    }
    versions.splice(at, 0, version);
    this.#dones.splice(at, 0, done);
  }

  /**
   * Resolved when `version`, which is newer than all others, is told. Versions of one `group` that follow each
   * other share a promise, and are told together.
   */
  promise(version: number, group: number): Promise<void> {
    const last = this.#versions.length - 1;
    if (this.#shared !== null && this.#sharedGroup === group && last >= this.#first) {
      this.#versions[last] = version;
      return this.#shared;
    }
    this.#shared = new Promise((resolve, reject) => {
      this.add(version, (error) => {
        if (error === null) resolve();
        else reject(error);
      });
    });
    this.#sharedGroup = group;
    return this.#shared;
  }

  /** Tells everybody who waits for `version` or an older one. What a callback throws ends the telling. */
  tell(version: number): void {
    while (this.#first < this.#versions.length && (this.#versions[this.#first] as number) <= version) {
      this.#shift()(null);
    }
  }

  /** Tells everybody that it will not come. */
  fail(error: NokvError): void {
    while (this.#first < this.#versions.length) this.#shift()(error);
  }

  /** Takes the waiter out before it is called: told exactly once, whatever it does. */
  #shift(): Done {
    const done = this.#dones[this.#first] ?? null;
    assert(done !== null, "a waiter is told once");
    this.#dones[this.#first] = null;
    this.#first++;
    if (this.#first === this.#versions.length) this.#shared = null;
    if (this.#first === this.#versions.length || this.#first === toldMax) {
      this.#versions.splice(0, this.#first);
      this.#dones.splice(0, this.#first);
      this.#first = 0;
    }
    return done;
  }
}
