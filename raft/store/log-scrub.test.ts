// Goal: of a log that serves, no byte of any segment rots unseen, and a segment that is taken back in the middle of a
// pass is nobody's damage.
// Method: a log of several segments, open, scrubbed by slices of one frame; every third byte is another one in turn.
import { expect, test } from "vitest";
import { scrubOptionsDefault, Scrubber } from "../../core/engine/scrubber.ts";
import { bytesOf, TestWorld } from "../../core/engine/test-world.test-support.ts";
import type { NokvError } from "../../core/errors.ts";
import type { LogChange } from "./log-change.ts";
import { RaftLog, raftLogOptionsDefault } from "./raft-log.ts";

const directory = "/raft";
const options = { ...raftLogOptionsDefault, segmentBytes: 400, livePercentMin: 50 };
const pace = { ...scrubOptionsDefault, passMs: 50, sliceBytes: 1 };

async function filled(world: TestWorld): Promise<RaftLog> {
  world.boot().disk.mkdir(directory);
  const log = await world.run(RaftLog.open(world.live, directory, options, () => {}));
  for (let i = 1; i <= 12; i++) {
    const entry = { index: i, term: 1, kind: 0, data: bytesOf(`entry ${i} of a test of some length`) };
    await submit(world, log, [{ op: "entries", group: 1, entries: [entry] }]);
  }
  return log;
}

function submit(world: TestWorld, log: RaftLog, changes: readonly LogChange[]): Promise<void> {
  return world.run(new Promise((resolve) => log.submit(changes, true, resolve)));
}

interface Watched {
  readonly scrubber: Scrubber;
  damage: NokvError | null;
}

function scrubbing(world: TestWorld, log: RaftLog): Watched {
  const damaged = (error: NokvError): void => void (watched.damage = error);
  const files = (): ReturnType<RaftLog["scrubFiles"]> => log.scrubFiles();
  const watched: Watched = { scrubber: new Scrubber({ env: world.live, files, options: pace, damaged }), damage: null };
  watched.scrubber.start();
  return watched;
}

function overwrite(world: TestWorld, path: string, at: number, byte: number): void {
  const file = world.neighbour().disk.open(path, "write");
  file.write(at, Uint8Array.of(byte), 0, 1);
  file.close();
}

test("no byte of an open log rots unseen", async () => {
  const world = new TestWorld();
  const log = await filled(world);
  const files = log.scrubFiles();
  expect(files.length).toBeGreaterThan(3);
  for (const { path, sizeBytes } of files) {
    const bytes = world.disk.inspect(path)?.cached ?? new Uint8Array(0);
    for (let at = 0; at < sizeBytes; at += 3) {
      overwrite(world, path, at, (bytes[at] ?? 0) ^ 0x40);
      const watched = scrubbing(world, log);
      await world.until(() => watched.damage !== null || watched.scrubber.stats().passes > 0);
      await world.run(watched.scrubber.stop());
      expect(watched.damage, `byte ${at} of ${path}`).toMatchObject({ code: "NOKV_CORRUPTION", path });
      expect(watched.damage?.offset).toBeLessThanOrEqual(at);
      overwrite(world, path, at, bytes[at] ?? 0);
    }
  }
  await world.run(log.close());
  expect(world.disk.openFiles).toBe(0);
});

test("segments that are taken back in the middle of a pass are no damage", async () => {
  const world = new TestWorld();
  const log = await filled(world);
  const watched = scrubbing(world, log);
  await world.until(() => watched.scrubber.stats().readBytes > 0);
  await submit(world, log, [{ op: "compact", group: 1, start: { index: 10, term: 1 } }]);
  await world.until(() => watched.scrubber.stats().passes > 1);
  expect(log.stats().segmentsRemoved).toBeGreaterThan(2);
  expect(watched.damage).toBeNull();
  await world.run(watched.scrubber.stop());
  await world.run(log.close());
  expect(world.disk.openFiles).toBe(0);
});
