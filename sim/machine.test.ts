// Goal: an incarnation ends completely: nothing of it is heard again, and nothing but the disk is left.
import { describe, expect, test } from "vitest";
import type { Env } from "../core/env/env.ts";
import { walBeforeSync } from "../failpoints/catalog.ts";
import { inSimulation, simulateOnce } from "./in-simulation.test-support.ts";
import type { CrashKind } from "./machine.ts";
import type { World } from "./world.ts";

/** Runs `body` with seeds enough for both outcomes of most draws. */
async function withSeeds(body: (world: World) => Promise<void>, seeds = 5): Promise<void> {
  for (let seed = 0; seed < seeds; seed++) {
    const result = await inSimulation({ seed, run: body });
    expect(result.verdict).toBe("clean");
  }
}

function check(world: World, holds: boolean, fact: string): void {
  if (!holds) world.fail("machine", fact);
}

function write(env: Env, path: string, text: string): void {
  const file = env.disk.open(path, env.disk.kind(path) === null ? "create" : "write");
  file.write(0, new TextEncoder().encode(text), 0, text.length);
  file.close();
}

describe("an incarnation's end", () => {
  test("drops timers, completions and turns, and every later call throws", async () => {
    await withSeeds(async (world) => {
      const machine = world.machine("node");
      const env = machine.boot();
      const heard: string[] = [];
      env.clock.after(1_000, () => heard.push("timer"));
      env.clock.soon(() => heard.push("soon"));
      env.jobs.run({ kind: "toy" }, () => heard.push("job"));
      const file = env.disk.open("/a", "create");
      file.sync(() => heard.push("sync"));
      env.network.connect({ host: "node", port: 1 }, silent(heard));
      machine.crash("process");
      await world.sleep(10_000);
      check(world, heard.length === 0, `heard ${heard.join()}`);
      const calls: (() => unknown)[] = [
        () => env.clock.monotonicUs(),
        () => env.clock.wallMs(),
        () => env.clock.after(0, () => {}),
        () => env.clock.soon(() => {}),
        () => env.random.u32("s", 0, 0),
        () => env.disk.list("/"),
        () => file.sizeBytes(),
        () => env.jobs.shared(1),
        () => env.network.connect({ host: "node", port: 1 }, silent(heard)),
      ];
      for (const call of calls) {
        let name = "nothing";
        try {
          call();
        } catch (error) {
          name = error instanceof Error ? error.name : "?";
        }
        check(world, name === "NodeCrashed", `a dead incarnation's call threw ${name}`);
      }
    });
  });

  test("settles machine.run with crashed, whatever the work was waiting for", async () => {
    await withSeeds(async (world) => {
      const machine = world.machine("node");
      const works: ((env: Env) => Promise<void>)[] = [
        () => new Promise(() => {}),
        (env) => new Promise((resolve) => env.clock.after(1_000_000_000, resolve)),
        async (env) => {
          await world.sleep(20);
          env.clock.monotonicUs();
        },
      ];
      const outcomes = works.map((work) => machine.run(work));
      await world.sleep(10);
      machine.crash("process");
      for (const outcome of await Promise.all(outcomes)) {
        check(world, outcome.kind === "crashed", outcome.kind);
      }
      await world.sleep(100);
      check(world, machine.incarnation === 1 && !machine.up, "one incarnation, and it is down");
    });
  });

  test("makes rejections of its last moments meaningless", async () => {
    await withSeeds(async (world) => {
      const machine = world.machine("node");
      const env = machine.boot();
      env.clock.after(10, () => {
        void Promise.resolve().then(() => {
          throw new Error("nobody is left to hear this");
        });
        machine.crashAtCall(1, "process");
        env.clock.monotonicUs();
      });
      await world.sleep(10);
      check(world, !machine.up, "it crashed in the call");
    });
  });

  test("tells the scenario, on a turn of the world, once for each end", async () => {
    await withSeeds(async (world) => {
      const machine = world.machine("node");
      const ends: CrashKind[] = [];
      machine.onDown((kind) => {
        ends.push(kind);
        if (ends.length < 3) machine.boot();
      });
      machine.boot();
      for (const kind of ["process", "power", "process"] as const) {
        machine.crash(kind);
        check(world, !machine.up, "down at once");
        await world.sleep(1);
      }
      check(world, ends.join() === "process,power,process", ends.join());
      check(world, machine.incarnation === 3, "three incarnations");
    });
  });
});

describe("crash points", () => {
  test("the n-th call has no effect, those before it have", async () => {
    for (let n = 1; n <= 6; n++) {
      const result = await inSimulation({
        seed: n,
        run: async (world) => {
          const machine = world.machine("node");
          const env = machine.boot();
          machine.crashAtCall(n, "process");
          const outcome = await machine.run(async () => {
            for (let i = 1; i <= 5; i++) env.disk.mkdir(`/${i}`);
          });
          check(world, outcome.kind === (n <= 5 ? "crashed" : "done"), outcome.kind);
          const made = machine.disk.paths().length;
          check(world, made === Math.min(5, n - 1), "directories made before the crash");
          check(world, machine.callCount === Math.min(5, n), "calls are counted");
        },
      });
      expect(result.faults["process.crash-at-call"] ?? 0).toBe(n <= 5 ? 1 : 0);
    }
  });

  test("can be taken back", async () => {
    await withSeeds(async (world) => {
      const machine = world.machine("node");
      const env = machine.boot();
      machine.crashAtCall(2, "power");
      machine.spare();
      for (let i = 0; i < 10; i++) env.clock.monotonicUs();
      check(world, machine.up, "it lives");
    });
  });

  test("a failpoint crashes the incarnation where it stands", async () => {
    const result = await inSimulation({
      seed: 1,
      run: async (world) => {
        const machine = world.machine("node");
        const outcome = await machine.run(async (env) => {
          machine.failpoints.arm(walBeforeSync, { kind: "crash", percent: 100, count: 0 });
          env.failpoints.hit(walBeforeSync);
          env.disk.mkdir("/after");
        });
        check(world, outcome.kind === "crashed", outcome.kind);
        check(world, machine.disk.paths().length === 0, "nothing happened after it");
      },
    });
    expect(result.faults).toEqual({ failpoint: 1, "process.crash": 1 });
  });

  test("swallowing the crash does not undo it", async () => {
    await withSeeds(async (world) => {
      const machine = world.machine("node");
      const outcome = await machine.run(async (env) => {
        machine.crashAtCall(1, "process");
        try {
          env.clock.monotonicUs();
        } catch {
          return "alive";
        }
        return "unreached";
      });
      check(world, outcome.kind === "crashed", outcome.kind);
    });
  });
});

describe("what a crash leaves", () => {
  test("a process crash keeps the page cache, a power loss keeps what was synced", async () => {
    const kept = { process: 0, power: 0 };
    for (let seed = 0; seed < 30; seed++) {
      for (const kind of ["process", "power"] as const) {
        const result = await inSimulation({
          seed,
          run: async (world) => {
            const machine = world.machine("node");
            write(machine.boot(), "/unsynced", "abc");
            machine.crash(kind);
            const env = machine.boot();
            if (env.disk.kind("/unsynced") !== null) kept[kind]++;
          },
        });
        expect(result.verdict).toBe("clean");
      }
    }
    expect(kept.process).toBe(30);
    expect(kept.power).toBeLessThan(25);
    expect(kept.power).toBeGreaterThan(0);
  });

  test("a power loss of a machine that is down still takes what was not durable", async () => {
    let kept = 0;
    for (let seed = 0; seed < 30; seed++) {
      const result = await inSimulation({
        seed,
        run: async (world) => {
          const machine = world.machine("node");
          write(machine.boot(), "/unsynced", "abc");
          machine.crash("process");
          machine.crash("power");
          if (machine.boot().disk.kind("/unsynced") !== null) kept++;
        },
      });
      expect(result.faults["process.power-loss"]).toBe(1);
    }
    expect(kept).toBeLessThan(25);
  });
});

describe("time of a machine", () => {
  test("a pause delays its turns and nobody else's", async () => {
    await withSeeds(async (world) => {
      const paused = world.machine("paused");
      const other = world.machine("other");
      const woken: Record<string, number> = {};
      for (const machine of [paused, other]) {
        machine.boot().clock.after(1_000, () => {
          woken[machine.name] = world.nowUs;
        });
      }
      paused.pause(5_000);
      await world.sleep(10_000);
      check(world, (woken["other"] ?? 0) < 1_100, "the other was on time");
      check(world, (woken["paused"] ?? 0) >= 5_000_000, "the paused one was late");
    });
  });

  test("a slow disk costs the node its own time", async () => {
    await withSeeds(async (world) => {
      const machine = world.machine("node");
      machine.disk.faults.operationUs = 1_000;
      const outcome = await machine.run(async (env) => {
        const beganUs = env.clock.monotonicUs();
        for (let i = 0; i < 10; i++) env.disk.list("/");
        return env.clock.monotonicUs() - beganUs;
      });
      const tookUs = outcome.kind === "done" ? outcome.value : 0;
      check(world, tookUs >= 10_000, "ten operations took ten milliseconds");
    });
  });

  test("randomness differs between machines and incarnations", async () => {
    await withSeeds(async (world) => {
      const draws = new Set<number>();
      for (const name of ["a", "b"]) {
        const machine = world.machine(name);
        for (let i = 0; i < 3; i++) {
          draws.add(machine.boot().random.u32("s", 0, 0));
          machine.crash("process");
        }
      }
      check(world, draws.size === 6, "no two draws agree");
    });
  });
});

test("using a crash's wreckage outside machine.run is reported as such", async () => {
  const result = await simulateOnce({
    seed: 1,
    run: async (world) => {
      const machine = world.machine("node");
      const env = machine.boot();
      machine.crash("process");
      env.clock.monotonicUs();
    },
  });
  expect(result.oracle).toBe("exception");
  expect(result.message).toContain("outside machine.run");
});

function silent(heard: string[]): Parameters<Env["network"]["connect"]>[1] {
  return {
    onOpen: () => void heard.push("open"),
    onData: () => void heard.push("data"),
    onEnd: () => void heard.push("end"),
    onDrain: () => void heard.push("drain"),
    onClose: () => void heard.push("close"),
  };
}
