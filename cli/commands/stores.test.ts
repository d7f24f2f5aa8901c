// Goal: what operators and programs read of the stores.
import { expect, test } from "vitest";
import type { StoreStatus } from "../../coordinator/store-view.ts";
import { testContext } from "../test-context.test-support.ts";
import { orderNote, storesCommand, storesJson, storesText } from "./stores.ts";

const heartbeat = {
  storeId: 1, incarnation: 1, writes: 0,
  capacityBytes: 0, availableBytes: 0, regionCount: 12, leaderCount: 4, readBytesPerSecond: 0,
  writtenBytesPerSecond: 2_048, snapshotsSending: 0, snapshotsReceiving: 0, slowScore: 1,
};
const list: readonly StoreStatus[] = [
  { storeId: 1, address: "10.0.0.1:20160", liveness: "up", membership: "member", heartbeat },
  { storeId: 2, address: "10.0.0.2:20160", liveness: "down", membership: "leaving", heartbeat: null },
  { storeId: 30, address: "10.0.0.3:20160", liveness: "left", membership: "left", heartbeat: null },
];

test("a line per store", () => {
  expect(storesText(list)).toMatchInlineSnapshot(`
    "STORE  ADDRESS         STATE    HEARD  REGIONS  LEADERS  WRITTEN/S
        1  10.0.0.1:20160  member   up          12        4       2048
        2  10.0.0.2:20160  leaving  down         0        0          0
       30  10.0.0.3:20160  left     -            0        0          0
    "
  `);
});

test("for programs, what nobody reported is null", () => {
  expect(storesJson(list.slice(0, 2))).toEqual({
    stores: [
      {
        store_id: 1, address: "10.0.0.1:20160", state: "member", liveness: "up", regions: 12, leaders: 4,
        written_bytes_per_second: 2_048, capacity_bytes: 0, available_bytes: 0,
      },
      {
        store_id: 2, address: "10.0.0.2:20160", state: "leaving", liveness: "down", regions: null, leaders: null,
        written_bytes_per_second: null, capacity_bytes: null, available_bytes: null,
      },
    ],
  });
});

test("an order says what it waits for", () => {
  const [up, leaving, left] = list;
  if (up === undefined || leaving === undefined || left === undefined) throw new Error("three stores");
  const down = { ...leaving, membership: "member" } as const;
  expect(orderNote("decommission", 2, list)).toContain("store 2 leaves when it holds nothing");
  expect(orderNote("decommission", 2, list)).toContain("those that are left: 1 store");
  expect(orderNote("replicas", 3, [up, down, left])).toContain("there are 2 stores, 1 of which nobody has heard");
  expect(orderNote("replicas", 1, list)).toBe("");
  expect(orderNote("keep", 2, list)).toBe("");
});

test("orders that say too little are refused before anybody is asked", async () => {
  const context = testContext();
  const run = (...argv: string[]) => storesCommand.run(argv, context);
  await expect(run("decommission", "--config", "x")).rejects.toThrow("stores decommission: say which number");
  await expect(run("keep", "0", "--config", "x")).rejects.toThrow("stores keep: say which number");
  await expect(run("remove", "3")).rejects.toThrow("stores has no order remove");
  await expect(run("replicas", "3")).rejects.toThrow("--config is missing");
});
