// Goal: what the journal says survives a power loss, a torn or rotten one is refused, and it is one process's.
// Method: the simulated disk, power cut at every call of a write; every byte of the text changed.
import { expect, test } from "vitest";
import type { Env } from "../../core/env/env.ts";
import { inSimulation } from "../../sim/in-simulation.test-support.ts";
import type { Machine } from "../../sim/machine.ts";
import { ExpandJournal, parseJournal, readExpandTargets, type TargetProgress } from "./expand-journal.ts";

const first: TargetProgress = { regionId: 1, storeId: 2, peerId: 7, step: "reserved" };
const second: TargetProgress = { regionId: 1, storeId: 3, peerId: 8, step: "reserved" };

/** What the process came to; throws what it threw. */
async function inProcess(machine: Machine, work: (env: Env) => Promise<void>): Promise<void> {
  const outcome = await machine.run(work);
  if (outcome.kind === "failed") throw outcome.error;
}

test("after a power loss at any call it holds what was acknowledged, and more only whole", async () => {
  await inSimulation({
    seed: 1,
    run: async (world) => {
      for (let call = 1; call < 60; call++) {
        const machine = world.machine(`operator-${call}`);
        let acknowledged: TargetProgress[] = [];
        machine.boot();
        machine.crashAtCall(call, "power");
        await inProcess(machine, async (env) => {
          const journal = await ExpandJournal.open(env, "/journal", "test", "one");
          await journal.put([first]);
          acknowledged = [first];
          await journal.put([second, { ...first, step: "added" }]);
          acknowledged = [{ ...first, step: "added" }, second];
          await journal.forget([second]);
          acknowledged = [{ ...first, step: "added" }];
          journal.close();
        });
        machine.crash("power");
        await inProcess(machine, async (env) => {
          const journal = await ExpandJournal.open(env, "/journal", "test", "two");
          const states: TargetProgress[][] = [
            [], [first], [{ ...first, step: "added" }, second], [{ ...first, step: "added" }],
          ];
          const at = states.findIndex((state) => JSON.stringify(state) === JSON.stringify(journal.targets));
          const least = states.findIndex((state) => JSON.stringify(state) === JSON.stringify(acknowledged));
          expect(at).toBeGreaterThanOrEqual(least);
          journal.close();
        });
      }
    },
  });
});

test("one process at a time, of one cluster", async () => {
  await inSimulation({
    seed: 2,
    run: async (world) => {
      await inProcess(world.machine("operator"), async (env) => {
        const journal = await ExpandJournal.open(env, "/journal", "test", "pid 1");
        await journal.put([first]);
        await expect(ExpandJournal.open(env, "/journal", "test", "pid 2")).rejects.toMatchObject({
          code: "NOKV_LOCKED",
        });
        journal.close();
        await expect(ExpandJournal.open(env, "/journal", "other", "pid 2")).rejects.toMatchObject({
          code: "NOKV_FOREIGN_DIRECTORY",
        });
      });
    },
  });
});

test("damage anywhere is seen", async () => {
  await inSimulation({
    seed: 3,
    run: async (world) => {
      await inProcess(world.machine("operator"), async (env) => {
        const journal = await ExpandJournal.open(env, "/journal", "test", "one");
        await journal.put([first, second]);
        const file = env.disk.open(journal.path, "read");
        const bytes = new Uint8Array(file.sizeBytes());
        file.read(0, bytes, 0, bytes.length);
        file.close();
        const text = new TextDecoder().decode(bytes);
        expect(text.startsWith('{"v":1,"clusterId":"test","targets":[{"regionId":1,"storeId":2,')).toBe(true);
        expect(text.endsWith('"step":"reserved"}],"crc":"093b2377"}\n')).toBe(true);
        expect(parseJournal(text)).toMatchObject({ targets: [first, second] });
        for (let at = 0; at < text.length; at++) {
          const other = text[at] === "1" ? "2" : "1";
          expect(typeof parseJournal(text.slice(0, at) + other + text.slice(at + 1))).toBe("string");
          expect(typeof parseJournal(text.slice(0, at))).toBe("string");
        }
        journal.close();
      });
    },
  });
});

test("who only looks sees what is whole, while another process works; of another cluster nothing", async () => {
  await inSimulation({
    seed: 4,
    run: async (world) => {
      await inProcess(world.machine("operator"), async (env) => {
        expect(readExpandTargets(env.disk, "/journal", "test")).toEqual([]);
        const journal = await ExpandJournal.open(env, "/journal", "test", "pid 1");
        await journal.put([second, first]);
        expect(readExpandTargets(env.disk, "/journal", "test")).toEqual([first, second]);
        expect(readExpandTargets(env.disk, "/journal", "other")).toEqual([]);
        const file = env.disk.open(journal.path, "write");
        file.write(3, Uint8Array.of(0xff), 0, 1);
        file.close();
        expect(() => readExpandTargets(env.disk, "/journal", "test")).toThrow("its checksum does not fit");
        journal.close();
      });
    },
  });
});
