import { expect, test } from "vitest";
import { Crashed, TestWorld } from "../core/engine/test-world.test-support.ts";
import type { Env } from "../core/env/env.ts";
import { NokvError } from "../core/errors.ts";
import type { Proposed } from "./journal.ts";
import { LocalJournal } from "./local-journal.ts";
import type { RootEvent } from "./root-event.ts";
import { emptyState } from "./state.ts";

// Goal: what was told durable is there after any crash, and damage is told from a torn end.

const directory = "/root";
const options = { owner: "test", fileBytesMax: 600 };

function open(env: Env): Promise<LocalJournal> {
  return LocalJournal.open(env, directory, options);
}

function propose(journal: LocalJournal, event: RootEvent): Promise<Proposed> {
  return new Promise((resolve) => journal.propose(event, resolve));
}

function config(name: string, value: string): RootEvent {
  return { kind: "ConfigSet", name, value };
}

test("events survive, places go up, and each opening is a new term", async () => {
  const world = new TestWorld();
  const first = await world.run(open(world.boot()));
  expect(first.state).toEqual(emptyState);
  expect(first.token).toEqual({ term: 1, index: 0 });
  const told = await world.run(Promise.all([propose(first, config("a", "1")), propose(first, config("b", "2"))]));
  expect(told.map((proposed) => proposed.error === null && proposed.token.index)).toEqual([1, 2]);
  const again = await world.run(propose(first, config("a", "1")));
  expect(again).toMatchObject({ assessment: { decision: "SKIP", accepted: true }, token: { term: 1, index: 2 } });
  world.powerLoss();
  const second = await world.run(open(world.boot()));
  expect(second.token).toEqual({ term: 2, index: 2 });
  expect(second.state.config).toEqual([{ name: "a", value: "1" }, { name: "b", value: "2" }]);
  await world.run(second.close());
  expect(world.disk.openFiles).toBe(0);
  expect((await world.run(propose(second, config("c", "3")))).error?.code).toBe("STOPPED");
});

test("many events take few files and little room", async () => {
  const world = new TestWorld();
  const journal = await world.run(open(world.boot()));
  for (let i = 0; i < 60; i++) await world.run(propose(journal, config("name", String(i))));
  const names = world.live.disk.list(directory).filter((name) => name.startsWith("journal-"));
  expect(names).toHaveLength(1);
  expect(names[0]).not.toBe("journal-000001.log");
  world.powerLoss();
  const after = await world.run(open(world.boot()));
  expect(after.state.config).toEqual([{ name: "name", value: "59" }]);
  expect(after.token).toEqual({ term: 2, index: 60 });
});

test("a crash at every call, with every loss of power, keeps what was told", async () => {
  for (let call = 1; ; call++) {
    const world = new TestWorld(call, { tornWrite: 500_000, lostWrite: 500_000, entryLost: 500_000 });
    const acknowledged: number[] = [];
    let crashed = false;
    world.boot().crashInCalls(call, () => {
      crashed = true;
    });
    const env = world.live;
    const life = async (): Promise<void> => {
      const journal = await open(env);
      for (let i = 1; i <= 14; i++) {
        const proposed = await propose(journal, { kind: "IDAllocatorFenced", fence: i });
        if (proposed.error === null) acknowledged.push(i);
      }
    };
    let over = false;
    void life().then(() => { over = true; }, (error: unknown) => {
      if (!(error instanceof Crashed)) throw error;
    });
    await world.until(() => over || crashed);
    world.powerLoss(call % 7);
    const journal = await world.run(open(world.boot()));
    expect(journal.state.idFence).toBeGreaterThanOrEqual(acknowledged.at(-1) ?? 0);
    await world.run(propose(journal, { kind: "IDAllocatorFenced", fence: 100 }));
    world.powerLoss();
    const last = await world.run(open(world.boot()));
    expect(last.state.idFence).toBe(100);
    if (!crashed) break;
  }
});

/** Flips one bit at `at` in the only journal file. */
function damage(world: TestWorld, at: number): void {
  const env = world.boot();
  const name = env.disk.list(directory).find((candidate) => candidate.endsWith(".log")) ?? "";
  const file = env.disk.open(`${directory}/${name}`, "write");
  const byte = new Uint8Array(1);
  file.read(at, byte, 0, 1);
  byte[0] = (byte[0] ?? 0) ^ 1;
  file.write(at, byte, 0, 1);
  file.syncNow();
  file.close();
}

test("a flipped bit anywhere in what was durable refuses the opening and names the file", async () => {
  for (let at = 0; at < 400; at += 3) {
    const world = new TestWorld();
    const journal = await world.run(open(world.boot()));
    for (const value of ["1", "2"]) await world.run(propose(journal, config("name", value)));
    const size = sizeOf(world);
    world.powerLoss();
    // The last frame is a witness that nothing vouches for.
    if (at >= size - 32) break;
    damage(world, at);
    const failure = await world.run(open(world.boot()).then(() => null, (error: unknown) => error));
    expect(failure, `bit at ${at}`).toBeInstanceOf(NokvError);
    expect(failure).toMatchObject({ code: at >= 8 && at < 12 ? expect.any(String) : "NOKV_CORRUPTION" });
    expect(String(failure)).toMatch(/journal-000001\.log/);
  }
});

function sizeOf(world: TestWorld): number {
  const file = world.live.disk.open(`${directory}/journal-000001.log`, "read");
  const size = file.sizeBytes();
  file.close();
  return size;
}

test("after a failed sync nothing is promised, and the next opening tells what was kept", async () => {
  const world = new TestWorld();
  const journal = await world.run(open(world.boot()));
  world.live.refuse = (operation) => (operation === "sync" ? "EIO" : null);
  const told = await world.run(Promise.all([propose(journal, config("a", "1")), propose(journal, config("b", "2"))]));
  expect(told.map(({ error }) => error?.code)).toEqual(["ROOT_UNDETERMINED", "ROOT_UNDETERMINED"]);
  world.live.refuse = () => null;
  expect((await world.run(propose(journal, config("c", "3")))).error?.code).toBe("ROOT_UNAVAILABLE");
  expect(journal.state.config).toEqual([]);
  expect(journal.status.role).toBe("none");
});

test("a full disk is waited for", async () => {
  const world = new TestWorld();
  const journal = await world.run(open(world.boot()));
  world.faults.quotaBytes = 1;
  const told = propose(journal, config("a", "x".repeat(2_000)));
  await world.pass(1_000);
  world.faults.quotaBytes = 1_000_000;
  expect((await world.run(told)).error).toBeNull();
});

test("a second process and somebody else's directory are refused", async () => {
  const world = new TestWorld();
  await world.run(open(world.boot()));
  const locked = world.run(LocalJournal.open(world.neighbour(), directory, options));
  await expect(locked).rejects.toMatchObject({ code: "NOKV_LOCKED" });
  const other = new TestWorld();
  const env = other.boot();
  env.disk.mkdir("/photos");
  env.disk.open("/photos/cat.jpg", "create").close();
  const foreign = other.run(LocalJournal.open(env, "/photos", options));
  await expect(foreign).rejects.toMatchObject({ code: "NOKV_FOREIGN_DIRECTORY" });
  expect(env.disk.list("/photos")).toEqual(["cat.jpg"]);
});
