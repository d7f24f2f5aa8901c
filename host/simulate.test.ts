// Goal: a user's program runs on simulated machines as told, the same on each run of a seed; what it does wrong, and
// what it takes from the real world, is found and named with a remedy. Method: small programs, some with a mistake.
import { readFile } from "node:fs/promises";
import * as net from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { NetworkError, type Process, realProcess, simulate, SimulationError, type SimWorld } from "./simulate.ts";

const text = new TextDecoder();

/** Runs until a seed fails, and gives its error. */
async function failing(program: (world: SimWorld) => Promise<void>): Promise<SimulationError> {
  const error: unknown = await simulate({ seeds: 1, program }).then(
    () => null,
    (reason: unknown) => reason,
  );
  if (error instanceof SimulationError) return error;
  throw new Error("no seed failed", { cause: error });
}

function onMachine(main: (process: Process) => Promise<unknown>): (world: SimWorld) => Promise<void> {
  return async (world) => void (await world.machine("node").run(main));
}

afterEach(() => vi.unstubAllEnvs());

describe("a program", () => {
  test("has disk, clocks, chance and timers of its machine, and the disk outlives a crash", async () => {
    const seen: unknown[] = [];
    const { simulatedMs, seeds } = await simulate({
      seeds: [7],
      program: async (world) => {
        const machine = world.machine("node");
        await machine.run(async (process) => {
          const db = await process.open("/data");
          const [wallMs, sinceMs] = [process.nowMs(), process.monotonicMs()];
          await process.sleep(1_500);
          const sleptMs = process.nowMs() - wallMs;
          seen.push(process.monotonicMs() - sinceMs, process.name);
          await db.set("slept", String(sleptMs));
          const chance = process.random();
          world.check(chance >= 0 && chance < 1, "chance is below 1");
          world.check(chance !== process.random(), "draws differ");
        });
        machine.crash("power");
        world.check(!machine.up, "a crash ends the process");
        const outcome = await machine.run(async (process) => {
          await using db = await process.open("/data");
          return text.decode(db.get("slept"));
        });
        seen.push(outcome);
      },
    });
    expect(seeds).toBe(1);
    expect(simulatedMs).toBeGreaterThanOrEqual(1_500);
    expect(seen.slice(0, 3)).toEqual([1_500, "node", { kind: "done", value: "1500" }]);
  });

  test("that crashes never goes on, and is started again where it is kept running", async () => {
    let lives = 0;
    await simulate({
      seeds: [1],
      program: async (world) => {
        lives = 0;
        const machine = world.machine("node");
        const pending = machine.run(async (process) => {
          await process.sleep(1_000);
          world.fail("a dead process went on");
        });
        await world.sleep(10);
        machine.crash();
        world.check((await pending).kind === "crashed", "who waits for it is told");
        machine.serve((process) => {
          lives++;
          return process.sleep(10);
        });
        await world.sleep(10_000);
        machine.crash("power");
        await world.sleep(10_000);
        machine.stop();
        await world.sleep(10_000);
      },
    });
    expect(lives).toBe(2);
  });

  test("whose disk fails is told, and its run too", async () => {
    let codes: string[] = [];
    await simulate({
      seeds: [1],
      faults: { disks: { eioMetadata: 1_000_000 } },
      program: async (world) => {
        codes = [];
        const outcome = await world.machine("node").run((process) => process.open("/data"));
        if (outcome.kind === "failed" && "code" in outcome.error) codes.push(outcome.error.code);
      },
    });
    expect(codes).toEqual(["NOKV_IO"]);
  });

  test("speaks with others over connections that break and come in pieces", async () => {
    const { faults } = await simulate({
      seeds: 20,
      faults: { network: true, partitions: { everyMs: 500, lengthMsMax: 400 }, crashes: { everyMs: 3_000 } },
      program: async (world) => {
        world.machine("server").serve((process) => {
          return process.listen(80, async (stream) => {
            const asked = await stream.text();
            stream.write(asked.toUpperCase());
            stream.end();
          });
        });
        const client = world.machine("client");
        let answered = 0;
        const ask = async (process: Process): Promise<void> => {
          while (answered < 10) {
            try {
              const stream = await process.connect("server", 80);
              process.after(2_000, () => stream.destroy());
              stream.write("a".repeat(1_000));
              stream.end();
              const answer = await stream.text();
              world.check("A".repeat(1_000).startsWith(answer), "an answer is what was asked for");
              if (answer.length === 1_000) answered++;
            } catch (error) {
              if (!(error instanceof NetworkError)) throw error;
              await process.sleep(50);
            }
          }
        };
        client.serve(ask);
        while (answered < 10) await world.sleep(1_000);
      },
    });
    expect(Object.keys(faults)).toEqual(expect.arrayContaining(["net.one-way-loss", "process.crash"]));
  });

  test("is a client of a cluster that loses a store, is cut in two and carries on", async () => {
    const cluster = simulate({
      name: "cluster",
      seeds: [3],
      faults: { crashes: { everyMs: 8_000 } },
      program: async (world) => {
        const cluster = world.cluster({ splitKeys: ["m"], coordinators: 3 });
        const outcome = await world.machine("coordinator-1").run(() => Promise.resolve(cluster.exposed));
        world.check(outcome.kind !== "failed", "machines of the cluster are known by name");
        world.stopFaults();
        await world.machine("user").run(async (process) => {
          using client = cluster.client(process, { operationMs: 60_000 });
          await client.transact((txn) => {
            txn.set("a", "1");
            txn.set("z", "1");
            return Promise.resolve();
          });
          cluster.stores[2]?.stop();
          world.check(text.decode((await client.get("z")) ?? undefined) === "1", "two of three serve");
          world.partition(["store-1"], ["store-2"]);
          await process.sleep(3_000);
          world.heal();
          world.check((await client.increment("a", 1n)) === 2n, "a healed cluster serves");
        });
      },
    });
    await expect(cluster).resolves.toMatchObject({ seeds: 1 });
  });

  test("runs the same on this machine", async () => {
    const directory = mkdtempSync(join(tmpdir(), "nokv-real-"));
    const process = realProcess("here");
    {
      await using db = await process.open(directory);
      await db.set("a", "1");
    }
    expect(Math.abs(process.nowMs() - Date.now())).toBeLessThan(5_000);
    const listener = await process.listen(0, async (stream) => {
      stream.write(`${await stream.text()}!`);
      stream.end();
    });
    const stream = await process.connect("127.0.0.1", listener.port);
    stream.write("hello");
    stream.end();
    await expect(stream.text()).resolves.toBe("hello!");
    listener.close();
    await expect(process.connect("127.0.0.1", listener.port)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    rmSync(directory, { recursive: true });
  });
});

describe("a run", () => {
  const drawing = async (world: SimWorld): Promise<void> => {
    world.machine("node").serve(async (process) => {
      const db = await process.open("/data");
      for (let i = 0; ; i++) {
        await db.set(`k${i}`, String(process.random()));
        await process.sleep(world.dice("pace").between(1, 50));
      }
    });
    await world.sleep(2_000);
  };
  const faults = { crashes: true, pauses: true, disks: true, clocks: true } as const;

  test("is the same each time, and another on another seed", async () => {
    const one = await simulate({ seeds: 6, faults, program: drawing, twiceEvery: 1 });
    const other = await simulate({ seeds: 6, faults, program: drawing });
    expect([...other.traceHashes]).toEqual([...one.traceHashes]);
    expect(new Set(one.traceHashes.values()).size).toBe(6);
  });

  test("has no fault that was not declared", async () => {
    const { faults: struck } = await simulate({ seeds: 5, program: drawing });
    expect(struck).toEqual({});
  });

  test("that remembers another run is found out, and told where it parted", async () => {
    let runs = 0;
    const error = await failing(onMachine(async (process) => {
      const db = await process.open("/data");
      await db.set("run", String(runs++));
    }));
    expect(error.oracle).toBe("run-twice");
    expect(error.message).toMatch(/first difference: .*\n.*variables of modules.*process\.random\(\)/);
  });

  test("that tells another story is found out as well", async () => {
    let runs = 0;
    const error = await failing((world) => Promise.resolve(world.story(`run ${runs++}`)));
    expect(error.oracle).toBe("run-twice");
  });

  test("that fails says what, when, after what, and how to see it again", async () => {
    const error = await failing(async (world) => {
      world.story("a word");
      await world.sleep(1_234);
      world.check(false, "nothing holds");
    });
    expect(error).toMatchObject({ seed: 1, oracle: "check", story: ["[0.000000s] a word"] });
    expect(error.message).toMatch(/^program: seed 1 fails after 1234 simulated ms, trace [0-9a-f]{16}\ncheck: nothing/);
    expect(error.message).toContain("NOKV_SIM_SEED=1");
  });

  test("is replayed by a variable of the environment, step by step", async () => {
    vi.stubEnv("NOKV_SIM_SEED", "4711");
    const lines: string[] = [];
    const { traceHashes } = await simulate({ program: drawing, trace: (line) => lines.push(line) });
    expect([...traceHashes.keys()]).toEqual([4711]);
    expect(lines.join("\n")).toContain("boot node#1");
  });
});

describe("the real world", () => {
  const touches: readonly (readonly [string, string, () => unknown])[] = [
    ["Date.now", "process.nowMs()", () => Date.now()],
    ["setTimeout", "process.sleep(ms)", () => setTimeout(() => {}, 1)],
    ["Math.random", "process.random()", () => Math.random()],
    ["fs.promises.readFile", "process.open(directory)", () => readFile("package.json")],
    ["net.connect", "process.connect(host, port)", () => net.connect(1)],
    ["net.Server.listen", "process.listen(port, serve)", () => new net.Server().listen(0)],
  ];

  test.each(touches)("%s ends the run and names %s", async (name, substitute, touch) => {
    const error = await failing(onMachine(() => Promise.resolve(touch())));
    expect(error.oracle).toBe("ambient");
    expect(error.message).toContain(`${name} called inside the simulation (at `);
    expect(error.message).toContain(substitute);
  });

  test("is as it was afterwards", async () => {
    const before = [net.connect, readFile, Date.now];
    await simulate({ seeds: 1, program: () => Promise.resolve() });
    expect([net.connect, readFile, Date.now]).toEqual(before);
    await expect(readFile("package.json", "utf8")).resolves.toContain("nokv");
  });

  test("never answers who waits for it", async () => {
    const error = await failing(onMachine(() => crypto.subtle.digest("SHA-256", new Uint8Array(1))));
    expect(error.message).toMatch(/stuck: [^]*a promise of the real world/);
  });

  test("may be written to by console", async () => {
    // oxlint-disable-next-line no-console -- what a program does that somebody debugs
    const program = (): Promise<void> => Promise.resolve(console.log("a line of a program"));
    await expect(simulate({ seeds: 1, program })).resolves.toMatchObject({ seeds: 1 });
  });
});

describe("mistakes", () => {
  test("of a program that throws end the run, with their place", async () => {
    const main = onMachine(() => Promise.reject(new Error("no such account")));
    const error = await failing(main);
    expect(error.message).toMatch(/exception: node: Error: no such account \(at .*host\/simulate\.test\.ts:/);
    const unhandled = await failing(async (world) => {
      void Promise.reject(new Error("nobody looks"));
      await world.sleep(1);
    });
    expect(unhandled.message).toContain("unhandled rejection: Error: nobody looks");
  });

  const program = (): Promise<void> => Promise.resolve();
  test.each([
    [{ program, seed: 1 }, "simulate has no option seed; it has program, name, seeds"],
    [{ program, seeds: 0 }, "seeds is 0"],
    [{ program, seeds: [-1] }, "a seed is -1"],
    [{ program: 5 }, "program must be a function"],
    [{ program, faults: { crash: true } }, "faults has no option crash; it has crashes, pauses"],
    [{ program, faults: { crashes: { everyMs: 0 } } }, "faults.crashes.everyMs is 0"],
    [{ program, faults: { crashes: { everyMs: 9, kinds: ["fire"] } } }, 'list "process", "power" or both'],
    [{ program, faults: { partitions: { everyMs: 9 } } }, "faults.partitions.lengthMsMax is undefined"],
    [{ program, faults: { disks: { eio: 1 } } }, "faults.disks has no option eio"],
  ])("of a call are refused: %o", async (options, message) => {
    const call = simulate(options as unknown as Parameters<typeof simulate>[0]);
    const expected = { code: "NOKV_INVALID_ARGUMENT", message: expect.stringContaining(message) };
    await expect(call).rejects.toMatchObject(expected);
  });

  test("in what a cluster is to be", async () => {
    const error = await failing((world) => Promise.resolve(void world.cluster({ stores: 0 })));
    expect(error.message).toContain("stores is 0; it must be an integer from 1 to 9");
  });
});
