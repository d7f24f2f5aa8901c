// Goal: the columns that operators read, and what is said of those who are silent.
import { expect, test } from "vitest";
import type { ClusterView } from "../../node/cluster-view.ts";
import { testContext } from "../test-context.test-support.ts";
import { regionsCommand, regionsText } from "./regions.ts";

const none = new Uint8Array(0);
const m = new TextEncoder().encode("m");

test("a line per region, and who is silent", () => {
  const peers = [1, 2].map((storeId) => ({ peerId: storeId * 100, storeId, role: "voter" as const }));
  const replica = { role: "voter" as const, isLeader: false, applied: 7, lag: 0, state: "replicate" };
  const facts = { records: 1, bytes: 2_048, reads: 5, writes: 60, term: 6 };
  const view: ClusterView = {
    stores: [],
    regions: [
      {
        ...facts, leaderStore: 1, region: { id: 1, start: none, end: m, epoch: { version: 1, confVer: 4 }, peers },
        replicas: [
          { ...replica, storeId: 1, peerId: 100, isLeader: true },
          { ...replica, storeId: 2, peerId: 200, role: "learner" as const, lag: 14, state: "snapshot" },
        ],
      },
      {
        ...facts, leaderStore: 0, region: { id: 12, start: m, end: none, epoch: { version: 2, confVer: 1 }, peers },
        replicas: [{ ...replica, storeId: 3, peerId: 300, applied: null, lag: null, state: null }],
      },
    ],
    silent: [{ who: "store 3", why: "no answer in time" }],
  };
  expect(regionsText(view)).toMatchInlineSnapshot(`
    "REGION  FROM  TO   EPOCH  LEADER   TERM  REPLICAS                  RECORDS  BYTES  READS  WRITES
         1  -     "m"  1.4    store 1     6  1:100* 2:200(learner)+14        1   2048      5      60
        12  "m"   -    2.1    none        6  3:300?                          1   2048      5      60
    Silent:
      - store 3: no answer in time
    "
  `);
});

test("orders that say too little are refused before anybody is asked", async () => {
  const context = testContext();
  const run = (...argv: string[]) => regionsCommand.run(argv, context);
  await expect(run("merge", "--config", "x")).rejects.toThrow("regions merge: say which region");
  await expect(run("split", "3", "--config", "x")).rejects.toThrow("regions split: --at is missing");
  await expect(run("merges", "maybe")).rejects.toThrow("regions merges: say on or off");
  await expect(run("join", "1")).rejects.toThrow("regions has no order join");
  await expect(run("merge", "1")).rejects.toThrow("--config is missing");
});
