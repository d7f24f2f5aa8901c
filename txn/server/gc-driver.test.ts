// Goal: garbage goes where this store leads, page by page, and the engine forgets no more than all regions allow.
// Method: two hosts over one engine, moved by hand.
import { expect, test } from "vitest";
import { columnFamily } from "../../core/bytes/record.ts";
import { bytes, put } from "../percolator/stage.test-support.ts";
import { FakeHost, increment, regionOf } from "./fake-host.test-support.ts";
import { GcDriver } from "./gc-driver.ts";
import { MemoryVersionedStore } from "./memory-versioned-store.ts";
import type { ServedRegion } from "./region-service.ts";

class Stage {
  readonly store = new MemoryVersionedStore();
  readonly hosts = [
    new FakeHost({ ...regionOf("", "m"), id: 1 }, {}, this.store),
    new FakeHost({ ...regionOf("m", ""), id: 2 }, {}, this.store),
  ] as const;
  readonly driver: GcDriver;

  constructor() {
    const served = (): ServedRegion[] => this.hosts.map((host) => Object.assign(host, { peerId: 1 }));
    const region = (id: number): ServedRegion | null => served().find((each) => each.region.id === id) ?? null;
    const options = { regionsMax: 4, pageMax: 2, stepMs: 1_000 };
    this.driver = new GcDriver({ region, regions: served }, this.store, this.hosts[0].clock, options);
    for (const host of this.hosts) host.lead(3);
  }

  /** Steps, and applies what they propose. */
  steps(count: number): void {
    for (let i = 0; i < count; i++) {
      this.driver.step();
      for (const host of this.hosts) {
        host.clock.turn();
        if (host.proposed.length > 0) host.apply();
      }
    }
  }

  increments(host: FakeHost, key: string, count: number): void {
    for (let i = 0; i < count; i++) host.ask([increment(key, 10 + i)]);
    host.clock.turn();
    host.timestamps.give();
    host.apply();
  }
}

test("the floor first, then the records page by page, then the engine", () => {
  const stage = new Stage();
  const [left, right] = stage.hosts;
  stage.increments(left, "a", 5);
  stage.increments(left, "b", 5);
  stage.driver.want({ floor: 2_000, safePoint: 0 });
  stage.steps(3);
  expect([left.machine.gcFloor, right.machine.gcFloor, left.machine.gcSafePoint]).toEqual([2_000, 2_000, 0]);
  expect([stage.store.liveCount(columnFamily.txn), stage.store.safePoint]).toEqual([10, 0]);
  stage.driver.want({ floor: 2_000, safePoint: 2_000 });
  stage.steps(1);
  // Of one key all records go at once.
  expect(stage.store.liveCount(columnFamily.txn)).toBe(5);
  stage.steps(4);
  expect([stage.store.liveCount(columnFamily.txn), stage.store.safePoint]).toEqual([0, 2_000]);
  const proposals = left.proposed.length;
  stage.steps(3);
  expect(left.proposed.length).toBe(proposals);
});

test("the engine forgets what the region that is least far allows, also of regions that are led elsewhere", () => {
  const stage = new Stage();
  const [, right] = stage.hosts;
  right.stepDown();
  stage.driver.want({ floor: 2_000, safePoint: 2_000 });
  stage.steps(5);
  expect([stage.hosts[0].machine.gcSafePoint, stage.store.safePoint]).toEqual([2_000, 0]);
  right.lead(5);
  stage.steps(5);
  expect(stage.store.safePoint).toBe(2_000);
});

test("a lock below the safe point stops the region's collection until it is resolved", () => {
  const stage = new Stage();
  const [left] = stage.hosts;
  const fixed = { primary: bytes("a"), ttlMs: 1, txnSize: 1, minCommitTs: 0, checks: [] };
  left.ask([{ kind: "prewrite", startTs: 20, mutations: [put("a", "1")], ...fixed }]);
  left.clock.turn();
  left.apply();
  stage.driver.want({ floor: 2_000, safePoint: 2_000 });
  stage.steps(4);
  expect([left.machine.gcFloor, left.machine.gcSafePoint, stage.driver.safePoint]).toEqual([2_000, 0, 0]);
  left.ask([{ kind: "rollback", startTs: 20, primary: bytes("a"), keys: [bytes("a")] }]);
  left.clock.turn();
  left.apply();
  stage.steps(4);
  expect([left.machine.gcSafePoint, stage.driver.safePoint]).toEqual([2_000, 2_000]);
});
