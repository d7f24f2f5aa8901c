// Goal: connections break in the ways that TCP's do, and in no other.
// Method: a client that writes a counting pattern and a server that keeps what it got, over many seeds.
import { describe, expect, test } from "vitest";
import type { Env } from "../../core/env/env.ts";
import { Door, Peer } from "../conformance/network-peer.ts";
import { inSimulation } from "../in-simulation.test-support.ts";
import type { Machine } from "../machine.ts";
import type { SimResult } from "../run.ts";
import type { World } from "../world.ts";

const port = 7;
const hourMs = 3_600_000;

interface Line {
  readonly world: World;
  readonly server: Machine;
  readonly client: Machine;
  readonly near: Peer;
  readonly far: Peer;
}

/** An open connection from machine "client" to machine "server". */
async function open(world: World): Promise<Line> {
  const server = world.machine("server");
  const client = world.machine("client");
  const door = await Door.open(server.boot().network, { host: "server", port });
  const near = Peer.connect(client.boot().network, { host: "server", port });
  await near.until(({ opened }) => opened);
  return { world, server, client, near, far: await door.peer(0) };
}

async function forSeeds(count: number, run: (world: World) => Promise<void>): Promise<SimResult[]> {
  const results: SimResult[] = [];
  for (let seed = 0; seed < count; seed++) results.push(await inSimulation({ seed, run }));
  return results;
}

function check(world: World, holds: boolean, fact: string): void {
  if (!holds) world.fail("network", fact);
}

function count(length: number, from = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (from + i) & 255);
}

/** What arrived is the beginning of what was sent. */
function checkPrefix(world: World, received: readonly number[]): void {
  for (const [i, byte] of received.entries()) check(world, byte === (i & 255), `byte ${i} is ${byte}`);
}

describe("resets", () => {
  test("come at any byte: a prefix was delivered, then both sides know", async () => {
    const lengths = new Set<number>();
    const results = await forSeeds(40, async (world) => {
      const { near, far } = await open(world);
      world.network.faults.segmentBytesMax = 100;
      world.network.faults.reset = 100_000;
      for (let i = 0; i < 50; i++) near.write(count(100, i * 100));
      await Promise.all([near.until(({ closed }) => closed), far.until(({ closed }) => closed)]);
      check(world, near.error?.code === "ECONNRESET" && far.error?.code === "ECONNRESET", "both were reset");
      checkPrefix(world, far.received);
      lengths.add(far.received.length);
    });
    expect(lengths.size).toBeGreaterThan(20);
    for (const { faults } of results) expect(faults["net.reset"]).toBe(1);
  });

  test("by the nemesis break the connections that are open", async () => {
    const [result] = await forSeeds(1, async (world) => {
      const { near, far, server } = await open(world);
      near.write(count(10));
      world.network.resetConnections(server.name);
      await Promise.all([near.until(({ closed }) => closed), far.until(({ closed }) => closed)]);
      checkPrefix(world, far.received);
    });
    expect(result?.faults["net.reset"]).toBe(1);
  });
});

describe("corruption", () => {
  test("flips one bit of a segment, which nobody notices", async () => {
    const results = await forSeeds(10, async (world) => {
      const { near, far } = await open(world);
      world.network.faults.segmentBytesMax = 100;
      world.network.faults.corrupt = 300_000;
      for (let i = 0; i < 30; i++) near.write(count(100, i * 100));
      await far.until((peer) => peer.received.length === 3_000);
      const flipped = far.received.map((byte, i) => byte ^ (i & 255)).filter((bits) => bits !== 0);
      check(world, flipped.every((bits) => (bits & (bits - 1)) === 0), "one bit of a byte");
      check(world, flipped.length === world.faultCount("net.corrupt"), "one byte per injection");
    });
    for (const { faults } of results) expect(faults["net.corrupt"]).toBeGreaterThanOrEqual(1);
  });

  test("spares machines whose protocol has no checksums", async () => {
    await forSeeds(10, async (world) => {
      const { near, far, client } = await open(world);
      world.network.speaksPlain(client.name);
      world.network.faults.segmentBytesMax = 100;
      world.network.faults.corrupt = 1_000_000;
      for (let i = 0; i < 30; i++) near.write(count(100, i * 100));
      await far.until((peer) => peer.received.length === 3_000);
      checkPrefix(world, far.received);
      check(world, world.faultCount("net.corrupt") === 0, "nothing is damaged");
    });
  });

  test("comes only when a scenario asks for it", async () => {
    await forSeeds(30, async (world) => {
      world.machine("node").boot();
      world.startFaults();
      check(world, world.network.faults.corrupt === 0, "protocols without checksums are spared");
    });
  });
});

describe("crashes", () => {
  test("of a process end its connections, in order or not, after a prefix of what it wrote", async () => {
    const endings = new Set<string>();
    await forSeeds(40, async (world) => {
      const { near, far, server } = await open(world);
      far.write(count(50_000));
      await world.sleep(world.dice("crash").below(2));
      server.crash("process");
      await near.until(({ ended, closed }) => ended || closed);
      checkPrefix(world, near.received);
      endings.add(near.ended ? "end" : String(near.error?.code));
      check(world, !far.ended && !far.closed, "the dead hear nothing");
      near.end();
      await near.until(({ closed }) => closed);
    });
    expect([...endings].toSorted()).toEqual(["ECONNRESET", "end"]);
  });

  test("of a process are noticed by who writes to it afterwards", async () => {
    await forSeeds(10, async (world) => {
      const { near, server } = await open(world);
      server.crash("process");
      await near.until(({ ended, closed }) => ended || closed);
      near.write(count(10));
      await near.until(({ closed }) => closed);
      check(world, near.error?.code === "ECONNRESET", "reset");
    });
  });

  test("of the power are silent: a writer gives up after a while, a listener never knows", async () => {
    const [result] = await forSeeds(1, async (world) => {
      world.network.faults.halfOpen = true;
      const { near, server } = await open(world);
      server.crash("power");
      await world.sleep(hourMs);
      check(world, !near.ended && !near.closed, "nothing was heard in an hour");
      near.write(count(10));
      await near.until(({ closed }) => closed);
      check(world, near.error?.code === "ETIMEDOUT", "the writer gave up");
    });
    expect(result?.faults["net.half-open"]).toBe(1);
  });

  test("of the power are found out when the machine is back", async () => {
    await forSeeds(10, async (world) => {
      world.network.faults.halfOpen = true;
      const { near, server } = await open(world);
      server.crash("power");
      near.write(count(10));
      await world.sleep(2_000);
      check(world, !near.closed, "nothing was heard");
      server.boot();
      await near.until(({ closed }) => closed);
      check(world, near.error?.code === "ECONNRESET", "the new kernel does not know the connection");
    });
  });

  test("of the power reset at once when the seed knows no half-open connections", async () => {
    await forSeeds(5, async (world) => {
      world.network.faults.halfOpen = false;
      const { near, server } = await open(world);
      server.crash("power");
      await near.until(({ closed }) => closed);
      check(world, near.error?.code === "ECONNRESET", "reset");
    });
  });
});

describe("one-way loss", () => {
  test("holds one direction back, delivers late and in order, and leaves the other alone", async () => {
    const results = await forSeeds(10, async (world) => {
      const { near, far } = await open(world);
      const link = world.network.link("client", "server");
      link.block();
      for (let i = 0; i < 10; i++) near.write(count(100, i * 100));
      far.write(count(300));
      await near.until((peer) => peer.received.length === 300);
      check(world, far.received.length === 0, "nothing got through");
      link.heal();
      await far.until((peer) => peer.received.length === 1_000);
      checkPrefix(world, far.received);
    });
    for (const { faults } of results) expect(faults["net.one-way-loss"]).toBe(1);
  });

  test("that lasts ends the connection of who wrote, and the other side when it writes", async () => {
    await forSeeds(10, async (world) => {
      const { near, far } = await open(world);
      world.network.link("client", "server").block();
      near.write(count(10));
      await near.until(({ closed }) => closed);
      check(world, near.error?.code === "ETIMEDOUT", "the writer gave up");
      world.network.heal();
      far.write(count(10));
      await far.until(({ closed }) => closed);
      check(world, far.error?.code === "ECONNRESET", "and is not known any more");
    });
  });

  test("of acknowledgements stops a writer whose window is full", async () => {
    await forSeeds(5, async (world) => {
      const { near, far } = await open(world);
      const back = world.network.link("server", "client");
      back.block();
      near.write(count(4 * world.network.faults.windowBytes));
      await world.sleep(1_000);
      check(world, far.received.length <= 2 * world.network.faults.windowBytes, "the writer had to stop");
      back.heal();
      await far.until((peer) => peer.received.length === 4 * world.network.faults.windowBytes);
      checkPrefix(world, far.received);
    });
  });

  test("of the first packet delays the connection or times it out", async () => {
    const codes = new Set<string>();
    await forSeeds(20, async (world) => {
      world.machine("server").boot();
      const { network }: Env = world.machine("client").boot();
      const link = world.network.link("client", "server");
      link.block();
      const near = Peer.connect(network, { host: "server", port });
      await world.sleep(20_000);
      link.heal();
      await near.until(({ closed }) => closed);
      codes.add(String(near.error?.code));
    });
    expect([...codes].toSorted()).toEqual(["ECONNREFUSED", "ETIMEDOUT"]);
  });
});

describe("connecting", () => {
  async function attempt(world: World): Promise<string> {
    const near = Peer.connect(world.machine("client").boot().network, { host: "server", port });
    await near.until(({ opened, closed }) => opened || closed);
    return near.opened ? "open" : String(near.error?.code);
  }

  test("to a machine without the process is refused, to one without power times out", async () => {
    await forSeeds(5, async (world) => {
      const server = world.machine("server");
      server.boot();
      server.crash("process");
      check(world, (await attempt(world)) === "ECONNREFUSED", "refused");
    });
    await forSeeds(5, async (world) => {
      const server = world.machine("server");
      server.boot();
      server.crash("power");
      check(world, (await attempt(world)) === "ETIMEDOUT", "timed out");
    });
  });

  test("to a name that no machine has fails", async () => {
    await forSeeds(1, async (world) => {
      check(world, (await attempt(world)) === "EUNKNOWN", "unknown");
    });
  });

  test("is refused by bad luck too", async () => {
    const outcomes = new Set<string>();
    await forSeeds(20, async (world) => {
      world.network.faults.refused = 500_000;
      await Door.open(world.machine("server").boot().network, { host: "0.0.0.0", port });
      outcomes.add(await attempt(world));
    });
    expect([...outcomes].toSorted()).toEqual(["ECONNREFUSED", "open"]);
  });

  test("to a loopback listener works from the same machine only", async () => {
    await forSeeds(1, async (world) => {
      const { network } = world.machine("server").boot();
      await Door.open(network, { host: "127.0.0.1", port });
      check(world, (await attempt(world)) === "ECONNREFUSED", "another machine is refused");
      const local = Peer.connect(network, { host: "127.0.0.1", port });
      await local.until(({ opened }) => opened);
      const byName = Peer.connect(network, { host: "server", port });
      await byName.until(({ closed }) => closed);
      check(world, byName.error?.code === "ECONNREFUSED", "its own name is not the loopback");
    });
  });
});

describe("the shape of a link", () => {
  test("a throttled link takes the time that its bandwidth says", async () => {
    const results = await forSeeds(5, async (world) => {
      const { near, far } = await open(world);
      world.network.faults.throttled = 1_000_000;
      world.network.faults.bandwidthBytesPerSecond = 10_000;
      const beganUs = world.nowUs;
      near.write(count(50_000));
      await far.until((peer) => peer.received.length === 50_000);
      check(world, world.nowUs - beganUs >= 5_000_000, "five seconds");
    });
    for (const { faults } of results) expect(faults["net.bandwidth"]).toBeGreaterThanOrEqual(1);
  });

  test("a slow link is slow until it is healed", async () => {
    await forSeeds(5, async (world) => {
      const { near, far } = await open(world);
      const link = world.network.link("client", "server");
      link.slow(2_000_000);
      const beganUs = world.nowUs;
      near.write(count(10));
      await far.until((peer) => peer.received.length === 10);
      check(world, world.nowUs - beganUs >= 2_000_000, "two seconds");
    });
  });

  test("split delivery cuts writes into pieces of all sizes", async () => {
    const results = await forSeeds(5, async (world) => {
      const { near, far } = await open(world);
      world.network.faults.splitDelivery = 900_000;
      near.write(count(20_000));
      await far.until((peer) => peer.received.length === 20_000);
      checkPrefix(world, far.received);
      check(world, far.dataCalls > 3, "several pieces");
    });
    for (const { faults } of results) expect(faults["net.split-delivery"]).toBeGreaterThan(2);
  });
});
