// Goal: failpoints can be armed from outside a real process, and their crash leaves no time for anything.
import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { flushBeforeManifest, walAfterSync, walBeforeSync } from "../failpoints/catalog.ts";
import { Failpoints } from "../failpoints/failpoints.ts";
import { armFailpoints, openHostEnv } from "./env.ts";

function registry(): Failpoints {
  return new Failpoints({
    draw: () => 0,
    crash: (name) => {
      throw new Error(`crash at ${name}`);
    },
  });
}

describe("armFailpoints", () => {
  test("arms each point of a list", () => {
    const failpoints = registry();
    armFailpoints(failpoints, "core/wal/before-sync=1*error, core/wal/after-sync=50%crash");
    expect(failpoints.hit(walBeforeSync)).toBe("error");
    expect(failpoints.hit(walBeforeSync)).toBeNull();
    expect(() => failpoints.hit(walAfterSync)).toThrow("crash at core/wal/after-sync");
    expect(failpoints.hit(flushBeforeManifest)).toBeNull();
  });

  test.each([
    ["core/wal/no-such-place=crash", 'failpoint "core/wal/no-such-place" is not in the catalog'],
    ["core/wal/before-sync=explode", 'failpoint action "explode"'],
    ["core/wal/before-sync", 'failpoint action ""'],
    ["core/wal/after-sync=error", "failpoint core/wal/after-sync does not allow error"],
  ])("refuses %s", (text, message) => {
    expect(() => armFailpoints(registry(), text)).toThrow(message);
  });
});

describe("openHostEnv", () => {
  test("is quiet and unarmed by default", () => {
    const env = openHostEnv({ failpoints: null });
    expect(env.trace.enabled).toBe(false);
    expect(env.failpoints.hit(walBeforeSync)).toBeNull();
    expect(env.jobs.shared(8).buffer).toBeInstanceOf(SharedArrayBuffer);
  });

  test("a crash kills the process on the spot, finally and exit handlers included", () => {
    const program = `
      import { openHostEnv } from "./host/env.ts";
      import { walAfterSync } from "./failpoints/catalog.ts";
      process.on("exit", () => console.log("exit handler"));
      const env = openHostEnv();
      console.log("before");
      try { env.failpoints.hit(walAfterSync); } finally { console.log("finally"); }
      console.log("after");`;
    const child = spawnSync(process.execPath, ["--input-type=module", "--eval", program], {
      cwd: new URL("..", import.meta.url),
      encoding: "utf8",
      env: { ...process.env, NOKV_FAILPOINTS: "core/wal/after-sync=crash" },
    });
    expect(child.signal).toBe("SIGKILL");
    expect(child.stdout).toBe("before\n");
  });

  test("threads do not hold the process: it ends although a worker was started", () => {
    const program = `
      import { openHostEnv } from "./host/env.ts";
      const { jobs } = openHostEnv();
      jobs.run({ kind: "no such kind" }, (error) => console.log(error === null ? "done" : "failed"));`;
    const child = spawnSync(process.execPath, ["--input-type=module", "--eval", program], {
      cwd: new URL("..", import.meta.url),
      encoding: "utf8",
      timeout: 30_000,
    });
    expect(child.stdout).toBe("failed\n");
    expect(child.status).toBe(0);
  });
});
