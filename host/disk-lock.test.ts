/**
 * Goal: one holder at a time, whatever the others do and however the holder ends.
 * Method: real processes that try, hold and release on command, with and without the flock program; every
 * step waits for the other side's line, none for time.
 */
import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Interface } from "node:readline";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { DiskError } from "../core/env/disk.ts";
import { HostDisk } from "./disk.ts";
import { decodeIdentity, encodeIdentity, mayBeAlive, currentIdentity } from "./process-identity.ts";

const base = mkdtempSync(join(tmpdir(), "nokv-lock-"));
afterAll(() => rmSync(base, { recursive: true }));

const script = `
  import { createInterface } from "node:readline";
  import { HostDisk } from ${JSON.stringify(new URL("disk.ts", import.meta.url).href)};
  const [path, owner, flock] = process.argv.slice(1);
  const disk = new HostDisk({ flock });
  let lock = null;
  const tryLock = () => {
    try {
      lock = disk.lock(path, owner);
      return "locked";
    } catch (error) {
      return error.code + " " + error.holder;
    }
  };
  createInterface({ input: process.stdin }).on("line", (line) => {
    if (line === "try") console.log(tryLock());
    if (line !== "release") return;
    lock.release();
    console.log("released");
  });
  console.log("ready");
`;

/** A process that locks and releases on command. */
class Contender {
  readonly process: ChildProcessWithoutNullStreams;
  readonly #lines: Interface;
  readonly #heard: AsyncIterator<string>;

  constructor(path: string, owner: string, flock: string) {
    this.process = spawn(process.execPath, ["--input-type=module", "-e", script, path, owner, flock]);
    this.#lines = createInterface({ input: this.process.stdout });
    this.#heard = this.#lines[Symbol.asyncIterator]();
    started.add(this);
  }

  async hear(): Promise<string> {
    const next = await this.#heard.next();
    return next.done === true ? "gone" : next.value;
  }

  say(line: string): void {
    this.process.stdin.write(`${line}\n`);
  }

  async ask(line: string): Promise<string> {
    this.say(line);
    return await this.hear();
  }

  async kill(): Promise<void> {
    const gone = once(this.process, "exit");
    this.process.kill("SIGKILL");
    await gone;
    started.delete(this);
  }
}

const started = new Set<Contender>();

afterEach(async () => {
  for (const contender of started) await contender.kill();
});

function lockPath(): string {
  return join(mkdtempSync(join(base, "case-")), "LOCK");
}

async function contender(path: string, owner: string, flock: string): Promise<Contender> {
  const one = new Contender(path, owner, flock);
  expect(await one.hear()).toBe("ready");
  return one;
}

function refusal(disk: HostDisk, path: string): DiskError {
  try {
    disk.lock(path, "me");
  } catch (error) {
    if (error instanceof DiskError) return error;
    throw error;
  }
  throw new Error("the lock was granted");
}

/** Resolves once the kernel reports the process as stopped. */
async function stopped(pid: number): Promise<void> {
  while (!readFileSync(`/proc/${pid}/stat`, "utf8").includes(") T ")) {
    await new Promise((resolve) => void setImmediate(resolve));
  }
}

describe.each([
  ["with flock", "flock"],
  ["without flock", "no-such-program"],
])("a lock between processes, %s", (_, flock) => {
  test("the second is refused and learns the holder's words", async () => {
    const path = lockPath();
    const holder = await contender(path, "server 7 on port 6379", flock);
    const other = await contender(path, "server 8", flock);
    expect(await holder.ask("try")).toBe("locked");
    expect(await other.ask("try")).toBe("ELOCKED server 7 on port 6379");
    expect(refusal(new HostDisk({ flock }), path).holder).toBe("server 7 on port 6379");
    expect(await holder.ask("release")).toBe("released");
    expect(await other.ask("try")).toBe("locked");
  });

  test("a killed holder's lock is free", async () => {
    const path = lockPath();
    const holder = await contender(path, "victim", flock);
    expect(await holder.ask("try")).toBe("locked");
    const disk = new HostDisk({ flock });
    expect(refusal(disk, path).code).toBe("ELOCKED");
    await holder.kill();
    disk.lock(path, "heir").release();
  });

  test("a stopped holder keeps its lock", async () => {
    const path = lockPath();
    const holder = await contender(path, "sleeper", flock);
    expect(await holder.ask("try")).toBe("locked");
    holder.process.kill("SIGSTOP");
    await stopped(holder.process.pid ?? 0);
    expect(refusal(new HostDisk({ flock }), path).holder).toBe("sleeper");
    holder.process.kill("SIGCONT");
    expect(await holder.ask("release")).toBe("released");
    new HostDisk({ flock }).lock(path, "next").release();
  });

  test("of several that try at once exactly one succeeds, over and over", async () => {
    const path = lockPath();
    const all = await Promise.all(["a", "b", "c"].map((owner) => contender(path, owner, flock)));
    for (let round = 0; round < 25; round++) {
      const answers = await Promise.all(all.map((one) => one.ask("try")));
      expect(answers.filter((answer) => answer === "locked").length).toBe(1);
      expect(answers.filter((answer) => answer.startsWith("ELOCKED")).length).toBe(2);
      const winner = all[answers.indexOf("locked")];
      expect(await winner?.ask("release")).toBe("released");
    }
  });

  test("one process cannot lock twice", () => {
    const path = lockPath();
    const disk = new HostDisk({ flock });
    const lock = disk.lock(path, "first");
    expect(refusal(disk, path).holder).toBe("first");
    expect(refusal(new HostDisk({ flock }), path).holder).toBe("first");
    lock.release();
    disk.lock(path, "again").release();
  });

  test("what an earlier owner left is overwritten, longer or not", () => {
    const path = lockPath();
    writeFileSync(path, `${"x".repeat(500)}\n`);
    const disk = new HostDisk({ flock });
    const lock = disk.lock(path, "me");
    expect(refusal(disk, path).holder).toBe("me");
    lock.release();
  });
});

describe("a shared lock, with flock", () => {
  test("keeps writers out until the last reader lets go, and ends with its process", async () => {
    const path = lockPath();
    const disk = new HostDisk();
    disk.lock(path, "crashed once").release();
    writeFileSync(path, `ghost\n${encodeIdentity({ ...currentIdentity(), start: "1" })}\n`);
    const before = readFileSync(path);
    const [first, second] = [disk.lockShared(path), new HostDisk().lockShared(path)];
    // The text is a dead process's: nobody is named.
    expect(refusal(disk, path).holder).toBe("");
    first.release();
    expect(refusal(disk, path).code).toBe("ELOCKED");
    expect(readFileSync(path)).toEqual(before);
    second.release();
    const holder = await contender(path, "writer", "flock");
    expect(await holder.ask("try")).toBe("locked");
    expect(() => disk.lockShared(path)).toThrow("ELOCKED");
    await holder.kill();
    disk.lockShared(path).release();
  });

  test("notices an owner file of a machine without flock", async () => {
    const path = lockPath();
    const holder = await contender(path, "by file", "no-such-program");
    expect(await holder.ask("try")).toBe("locked");
    for (const flock of ["flock", "no-such-program"]) {
      expect(() => new HostDisk({ flock }).lockShared(path)).toThrow("ELOCKED");
    }
    await holder.kill();
  });
});

describe("an owner file", () => {
  const dead = { ...currentIdentity(), start: "1" };

  test("of a process that is gone is taken over, by one of those that try", async () => {
    const path = lockPath();
    const all = await Promise.all(["a", "b", "c"].map((owner) => contender(path, owner, "no-such-program")));
    for (let round = 0; round < 25; round++) {
      writeFileSync(`${path}.owner`, `ghost\n${encodeIdentity(dead)}\n`);
      const answers = await Promise.all(all.map((one) => one.ask("try")));
      const winners = answers.filter((answer) => answer === "locked").length;
      expect(winners).toBeLessThanOrEqual(1);
      for (const [at, answer] of answers.entries()) {
        if (answer === "locked") await all[at]?.ask("release");
      }
      if (winners > 0) expect(existsSync(`${path}.owner`)).toBe(false);
    }
    writeFileSync(`${path}.owner`, `ghost\n${encodeIdentity(dead)}\n`);
    expect(await all[0]?.ask("try")).toBe("locked");
  });

  test("without a process in it is nobody's", () => {
    const path = lockPath();
    writeFileSync(`${path}.owner`, "");
    const disk = new HostDisk({ flock: "no-such-program" });
    const lock = disk.lock(path, "me");
    expect(refusal(disk, path).holder).toBe("me");
    lock.release();
  });

  test("a takeover that was interrupted is left for a person, who is told what to do", () => {
    const path = lockPath();
    writeFileSync(`${path}.owner`, `ghost\n${encodeIdentity(dead)}\n`);
    writeFileSync(`${path}.takeover`, "");
    const error = refusal(new HostDisk({ flock: "no-such-program" }), path);
    expect(error.holder).toContain(`remove ${path}.takeover`);
  });

  test("and the kernel's lock respect each other", async () => {
    const path = lockPath();
    const kernel = await contender(path, "by kernel", "flock");
    const file = await contender(path, "by file", "no-such-program");
    expect(await kernel.ask("try")).toBe("locked");
    expect(await file.ask("try")).toBe("ELOCKED by kernel");
    expect(await kernel.ask("release")).toBe("released");
    expect(await file.ask("try")).toBe("locked");
    expect(await kernel.ask("try")).toBe("ELOCKED by file");
    await file.kill();
    expect(await kernel.ask("try")).toBe("locked");
    await kernel.kill();
    new HostDisk({ flock: "no-such-program" }).lock(path, "me").release();
  });
});

describe("a process's identity", () => {
  test("survives being written down", () => {
    const identity = currentIdentity();
    expect(decodeIdentity(encodeIdentity(identity))).toStrictEqual(identity);
    expect(decodeIdentity("pid=x start=1 boot=2 namespace=3")).toBeNull();
    expect(decodeIdentity("")).toBeNull();
  });

  test("is judged by pid, start, boot and namespace", async () => {
    const here = currentIdentity();
    expect(mayBeAlive(here)).toBe(true);
    expect(mayBeAlive({ ...here, start: "1" })).toBe(false);
    expect(mayBeAlive({ ...here, boot: "another" })).toBe(false);
    expect(mayBeAlive({ ...here, namespace: "pid:[1]", start: "1" })).toBe(true);
    expect(mayBeAlive({ ...here, start: "-", boot: "-", namespace: "-" })).toBe(true);
    const child = spawn(process.execPath, ["-e", ""]);
    const pid = child.pid ?? 0;
    await once(child, "exit");
    expect(mayBeAlive({ ...here, pid, start: "-" })).toBe(false);
  });
});
