import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { dirname } from "node:path";
import { assert } from "../core/assert.ts";
import { DiskError } from "../core/env/disk.ts";
import type { DiskLock } from "../core/env/disk.ts";
import { systemCode, toDiskError } from "./disk-error.ts";
import { currentIdentity, decodeIdentity, encodeIdentity, mayBeAlive } from "./process-identity.ts";

const encoder = new TextEncoder();

/** Part of util-linux. */
export const flockCommand = "flock";

/** Bound of what is read of a lock file: an owner's text and one line. */
const lockFileBytesMax = 4_096;

/** How `flock` says that somebody else holds the lock. */
const flockBusy = 1;

/**
 * Holds `path` exclusively: against other processes and against a second call in this one.
 *
 * The lock is the kernel's flock on our descriptor, taken by the `flock` program on a duplicate of it: it
 * belongs to the open file, so it outlives the helper and ends with the process, however that dies. It is
 * never a matter of time, so a stopped process keeps it. `path` then holds `owner` and a line for programs.
 *
 * Without that program the lock is a file `path.owner` with the same text, created exclusively, which others
 * take over once the process it names is gone.
 *
 * Either kind publishes itself first and then looks for the other, so the two never hold together. `path`
 * itself is never removed: somebody may be about to lock it.
 */
export function lockFile(path: string, owner: string, flock: string): DiskLock {
  const text = `${owner}\n${encodeIdentity(currentIdentity())}\n`;
  assert(encoder.encode(text).length <= lockFileBytesMax, "an owner's text is short");
  try {
    const descriptor = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o644);
    try {
      const byKernel = takeFlock(path, descriptor, flock, "-x");
      if (byKernel) publish(path, descriptor, text);
      else createOwnerFile(path, text);
      return new HostLock(path, descriptor, byKernel);
    } catch (error) {
      fs.closeSync(descriptor);
      throw error;
    }
  } catch (error) {
    throw error instanceof DiskError ? error : toDiskError(error, "lock", path);
  }
}

/**
 * Holds `path` beside others who do the same and against `lockFile`, and changes nothing: a shared flock on a
 * descriptor that can only read. Without the `flock` program nothing is held; a holder is still noticed.
 */
export function lockFileShared(path: string, flock: string): DiskLock {
  try {
    const descriptor = openIfPresent(path);
    if (descriptor === null) {
      refuseLive(path, ownerPath(path));
      return { release: () => {} };
    }
    try {
      if (!takeFlock(path, descriptor, flock, "-s")) refuseLive(path, path);
      refuseLive(path, ownerPath(path));
    } catch (error) {
      fs.closeSync(descriptor);
      throw error;
    }
    return { release: () => fs.closeSync(descriptor) };
  } catch (error) {
    throw error instanceof DiskError ? error : toDiskError(error, "lock-shared", path);
  }
}

function openIfPresent(path: string): number | null {
  let descriptor: number;
  try {
    // A FIFO would wait for a writer.
    descriptor = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  } catch (error) {
    if (systemCode(error) === "ENOENT" && fs.existsSync(dirname(path))) return null;
    throw error;
  }
  if (!fs.fstatSync(descriptor).isDirectory()) return descriptor;
  fs.closeSync(descriptor);
  throw new DiskError("EISDIR", "lock-shared", path);
}

/** Throws ELOCKED when the process that `claimPath` names may still run. */
function refuseLive(path: string, claimPath: string): void {
  const claim = readClaim(claimPath);
  if (claim.live) throw locked(path, claim.owner);
}

class HostLock implements DiskLock {
  readonly #path: string;
  readonly #descriptor: number;
  readonly #byKernel: boolean;
  #held = true;

  constructor(path: string, descriptor: number, byKernel: boolean) {
    this.#path = path;
    this.#descriptor = descriptor;
    this.#byKernel = byKernel;
  }

  release(): void {
    assert(this.#held, "a lock is released once");
    this.#held = false;
    try {
      // Nobody may be found named in it once the lock is free.
      if (this.#byKernel) fs.ftruncateSync(this.#descriptor, 0);
      else fs.unlinkSync(ownerPath(this.#path));
    } catch (error) {
      throw toDiskError(error, "unlock", this.#path);
    } finally {
      fs.closeSync(this.#descriptor);
    }
  }
}

/** True: held. False: there is no such program, or it cannot lock here. Throws ELOCKED. */
function takeFlock(path: string, descriptor: number, flock: string, mode: "-x" | "-s"): boolean {
  const helper = spawnSync(flock, ["-n", mode, "3"], {
    stdio: ["ignore", "ignore", "ignore", descriptor],
  });
  if (helper.error !== undefined) return false;
  if (helper.status === flockBusy) {
    const claim = readClaim(path);
    // The text is a dead process's when readers hold the lock.
    throw locked(path, claim.live ? claim.owner : "");
  }
  return helper.status === 0;
}

/** Says in the lock file who holds it; withdraws when an owner file's process may be alive. */
function publish(path: string, descriptor: number, text: string): void {
  fs.ftruncateSync(descriptor, 0);
  fs.writeSync(descriptor, text, 0);
  const rival = readClaim(ownerPath(path));
  if (!rival.live) return;
  fs.ftruncateSync(descriptor, 0);
  throw locked(path, rival.owner);
}

/** Creates `path.owner`, instead of one whose process is gone if need be. Throws ELOCKED. */
function createOwnerFile(path: string, text: string): void {
  const target = ownerPath(path);
  const draft = `${path}.${process.pid}.tmp`;
  fs.writeFileSync(draft, text);
  try {
    if (!linkNew(draft, target)) {
      const present = readClaim(target);
      if (present.live) throw locked(path, present.owner);
      replaceOwnerFile(path, draft);
    }
  } finally {
    fs.unlinkSync(draft);
  }
  const rival = readClaim(path);
  if (!rival.live) return;
  fs.unlinkSync(target);
  throw locked(path, rival.owner);
}

/**
 * One at a time: two that found the same dead owner must not both remove it, the slower one would remove the
 * faster one's claim. A process that dies in here leaves the guard, and a person has to look.
 */
function replaceOwnerFile(path: string, draft: string): void {
  const target = ownerPath(path);
  const guard = `${path}.takeover`;
  if (!linkNew(draft, guard)) {
    throw locked(path, `somebody taking over the lock of a dead process; if nobody is, remove ${guard}`);
  }
  try {
    const present = readClaim(target);
    if (present.live) throw locked(path, present.owner);
    fs.rmSync(target, { force: true });
    if (!linkNew(draft, target)) throw locked(path, readClaim(target).owner);
  } finally {
    fs.unlinkSync(guard);
  }
}

/** A link appears with its whole content or not at all, and never over another. False: the name is taken. */
function linkNew(source: string, target: string): boolean {
  try {
    fs.linkSync(source, target);
    return true;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    throw error;
  }
}

interface Claim {
  /** The owner's own words; "" when there is no claim. */
  readonly owner: string;
  /** Whether the process that made it may still run. */
  readonly live: boolean;
}

/** What a lock file or an owner file says. One without a process in it is nobody's: a lost or empty file. */
function readClaim(path: string): Claim {
  let text: string;
  try {
    text = fs.readFileSync(path, "utf8").slice(0, lockFileBytesMax);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return { owner: "", live: false };
    throw error;
  }
  const lines = text.trimEnd().split("\n");
  const identity = decodeIdentity(lines[lines.length - 1] ?? "");
  if (identity === null) return { owner: text.trimEnd(), live: false };
  return { owner: lines.slice(0, -1).join("\n"), live: mayBeAlive(identity) };
}

function ownerPath(path: string): string {
  return `${path}.owner`;
}

function locked(path: string, holder: string): DiskError {
  return new DiskError("ELOCKED", "lock", path, holder);
}
