// Goal: TCP and the simulated network keep the same promises, over loopback and between machines.
// Method: the simulated links are those of many seeds (slow, throttled, cut into crumbs), without resets.
import { describe, expect, test } from "vitest";
import { HostNetwork } from "../../host/network.ts";
import { inSimulation } from "../in-simulation.test-support.ts";
import { networkCases } from "./network.ts";

const seeds = 6;

for (const { name, run } of networkCases) {
  describe(`${name}`, () => {
    test("on the host", async () => {
      const network = new HostNetwork();
      const subject = { server: network, client: network, bindHost: "127.0.0.1", connectHost: "127.0.0.1" };
      await expect(run(subject)).resolves.toBeUndefined();
    });

    test("in the simulator, between machines", async () => {
      for (let seed = 0; seed < seeds; seed++) {
        const result = await inSimulation({
          seed,
          run: async (world) => {
            Object.assign(world.network.faults, world.options.network.faults, { reset: 0, refused: 0 });
            const server = world.machine("server").boot().network;
            const client = world.machine("client").boot().network;
            await run({ server, client, bindHost: "0.0.0.0", connectHost: "server" });
          },
        });
        expect(result.verdict).toBe("clean");
      }
    });

    test("in the simulator, within a machine", async () => {
      const result = await inSimulation({
        seed: 1,
        run: async (world) => {
          const { network } = world.machine("node").boot();
          await run({ server: network, client: network, bindHost: "127.0.0.1", connectHost: "localhost" });
        },
      });
      expect(result.verdict).toBe("clean");
    });
  });
}
