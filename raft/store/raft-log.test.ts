// Goal: damage of a log at rest is refused with its file and place, or changes nothing, and nothing is lost by the
// refusal; a newer format and another log's segment are refused; entries are read in parts as asked.
// Method: a log of several segments, closed; every byte of every file flipped in turn.
import { describe, expect, test } from "vitest";
import { flip, paths, read } from "../../core/engine/damaged.test-support.ts";
import { bytesOf, TestWorld, textOf } from "../../core/engine/test-world.test-support.ts";
import { NokvError } from "../../core/errors.ts";
import { beginIncarnation } from "./ident.ts";
import type { LogChange } from "./log-change.ts";
import { RaftLog, raftLogOptionsDefault } from "./raft-log.ts";

const directory = "/raft";
const options = { ...raftLogOptionsDefault, segmentBytes: 400, livePercentMin: 1 };

function openLog(world: TestWorld): Promise<RaftLog> {
  return world.run(RaftLog.open(world.boot(), directory, options, () => {}));
}

function submit(world: TestWorld, log: RaftLog, changes: readonly LogChange[]): Promise<void> {
  return world.run(new Promise((resolve) => log.submit(changes, true, resolve)));
}

function entries(group: number, first: number, texts: readonly string[]): LogChange {
  const list = texts.map((text, i) => ({ index: first + i, term: 1 + group, kind: 0, data: bytesOf(text) }));
  return { op: "entries", group, entries: list };
}

function contentOf(log: RaftLog): string {
  return log
    .groups()
    .map((id) => {
      const group = log.group(id);
      if (group === null || group.last === group.start.index) return `${id}:`;
      const list = log.entries(id, group.start.index + 1, group.last, 1_000_000);
      const texts = list.map((entry) => `${entry.index}@${entry.term}=${textOf(entry.data) ?? ""}`);
      return `${id}: ${group.hard.term}/${group.hard.vote} ${texts.join(" ")}`;
    })
    .join("\n");
}

async function filled(world: TestWorld): Promise<string> {
  const env = world.boot();
  env.disk.mkdir(directory);
  const log = await openLog(world);
  for (let i = 0; i < 8; i++) {
    await submit(world, log, [
      entries(1, 1 + 2 * i, [`first ${i}`, `second ${i}`]),
      { op: "hard", group: 2, hard: { term: 1 + i, vote: 3, commit: i } },
    ]);
  }
  await submit(world, log, [entries(2, 1, ["only"])]);
  const content = contentOf(log);
  await world.run(log.close());
  return content;
}

describe("a store's log", () => {
  test("refuses damage of any byte, or holds what it held", async () => {
    const world = new TestWorld();
    const content = await filled(world);
    world.processCrash();
    const image = world.disk.snapshot();
    let refused = 0;
    let unharmed = 0;
    for (const path of paths(world, /raft-/)) {
      const size = read(world, path).length;
      for (let at = 0; at < size; at += 3) {
        world.disk.restore(image);
        flip(world, path, at);
        try {
          const log = await openLog(world);
          expect(contentOf(log), `${path} byte ${at}`).toBe(content);
          unharmed++;
        } catch (error) {
          if (!(error instanceof NokvError)) throw error;
          expect(`${error.code} ${error.path ?? ""}`).toMatch(/NOKV_(?:CORRUPTION|FORMAT) \/raft/);
          refused++;
        }
      }
    }
    world.disk.restore(image);
    expect(contentOf(await openLog(world))).toBe(content);
    expect(refused).toBeGreaterThan(10 * unharmed);
  });

  test("refuses a log of one segment without its header, unless it never began", async () => {
    const world = new TestWorld();
    world.boot().disk.mkdir(directory);
    const log = await openLog(world);
    const begun = read(world, `${directory}/raft-000001.log`).length;
    await submit(world, log, [entries(1, 1, ["only"])]);
    await world.run(log.close());
    world.processCrash();
    const [path = ""] = paths(world, /raft-/);
    flip(world, path, 0);
    const image = world.disk.snapshot();
    for (let opening = 0; opening < 2; opening++) {
      await expect(openLog(world)).rejects.toThrow(/^\/raft\/raft-000001.log: offset 0: the file header is damaged/);
      expect(paths(world, /raft-/)).toEqual([path]);
    }
    world.disk.restore(image);
    const { disk } = world.boot();
    const file = disk.open(path, "write");
    // Header and first frame, without the witness that follows when both are durable.
    file.truncate(begun - 32);
    file.close();
    expect((await openLog(world)).groups()).toEqual([]);
  });

  test("reads entries in parts, at least one", async () => {
    const world = new TestWorld();
    await filled(world);
    const log = await openLog(world);
    expect(log.entries(1, 3, 9, 1).map((entry) => entry.index)).toEqual([3]);
    expect(log.entries(1, 3, 9, 70).map((entry) => entry.index)).toEqual([3, 4]);
    expect(log.entries(1, 3, 9, 1_000_000).map((entry) => entry.index)).toEqual([3, 4, 5, 6, 7, 8, 9]);
    expect(log.group(1)?.terms()).toEqual([{ index: 1, term: 2 }]);
  });

  test("takes segments back that an idle group would hold", async () => {
    const world = new TestWorld();
    await filled(world);
    const log = await world.run(RaftLog.open(world.boot(), directory, { ...options, livePercentMin: 50 }, () => {}));
    for (let i = 8; i < 40; i++) {
      await submit(world, log, [
        entries(1, 1 + 2 * i, [`first ${i}`, `second ${i}`]),
        { op: "compact", group: 1, start: { index: 2 * i, term: 2 } },
      ]);
    }
    const { segments, segmentsRemoved } = log.stats();
    expect(segmentsRemoved).toBeGreaterThan(5);
    expect(segments).toBeLessThan(8);
    expect(contentOf(log)).toMatch(/^2: 8\/3 1@3=only$/m);
  });

  test("tells who awaits a submit that the disk refused it, and whoever comes later", async () => {
    const world = new TestWorld();
    const env = world.boot();
    env.disk.mkdir(directory);
    let failures = 0;
    const log = await world.run(RaftLog.open(env, directory, options, () => failures++));
    await world.run(log.submitted([entries(1, 1, ["first"])]));
    env.refuse = (operation) => (operation === "write" ? "EIO" : null);
    await expect(world.run(log.submitted([entries(1, 2, ["second"])]))).rejects.toThrow(/^the Raft log failed/);
    await expect(world.run(log.submitted([entries(1, 3, ["third"])]))).rejects.toThrow(/^the Raft log failed/);
    expect(failures).toBe(1);
    await world.run(log.close());
  });

  test("an incarnation that the disk refuses is an error, not an opening that never ends", async () => {
    const world = new TestWorld();
    const env = world.boot();
    env.disk.mkdir(directory);
    const log = await world.run(RaftLog.open(env, directory, options, () => {}));
    env.refuse = (operation) => (operation === "write" ? "EIO" : null);
    await expect(world.run(beginIncarnation(log, "c", 1))).rejects.toThrow(/^the Raft log failed/);
    await world.run(log.close());
  });
});
