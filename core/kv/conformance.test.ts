import { EngineKv } from "./engine-kv.ts";
import { conformance } from "./conformance.test-support.ts";
import { limits, TestEnv } from "./engine-kv.test-support.ts";
import { MapKv } from "./map-kv.ts";

conformance("a map", (tell) => {
  let nowMs = 1_800_000_000_000;
  const kv = new MapKv(() => nowMs);
  return tell({ kv, settle: () => {}, pass: (ms) => void (nowMs += ms), nowMs: () => nowMs });
});

conformance("the embedded engine", async (tell) => {
  const world = new TestEnv();
  const engine = await world.open({ waitedSyncUs: 0 });
  await tell({
    kv: new EngineKv(engine, world.env.clock, limits),
    settle: () => world.settle(),
    pass: (ms) => void (world.nowMs += ms),
    nowMs: () => world.nowMs,
  });
});
