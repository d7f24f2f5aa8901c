// Goal: the topologies that we hand out are sound, and directories in a file are found from the file's own place.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseTopology } from "../node/topology.ts";
import { defaultTopology } from "./default-topology.ts";
import { CommandError } from "./exit-code.ts";
import { loadTopology } from "./topology-file.ts";

test("a playground's topology: three stores, a region led by each, ports of their own", () => {
  for (const basePort of [null, 40_000]) {
    const { clusterId, stores, regions, redis } = parseTopology(defaultTopology("mine", basePort), "file", "host");
    expect(clusterId).toBe("mine");
    expect(redis?.port).toBe(basePort ?? 6380);
    expect(stores.map(({ storeId }) => storeId)).toEqual([1, 2, 3]);
    expect(regions.map(({ leaderStoreId }) => leaderStoreId)).toEqual([1, 2, 3]);
    expect(regions.every(({ region }) => region.peers.length === 3)).toBe(true);
  }
});

test("a playground with three Coordinators is as sound", () => {
  for (const basePort of [null, 40_000]) {
    const { coordinators } = parseTopology(defaultTopology("mine", basePort, 3), "file", "host");
    expect(coordinators.map(({ memberId, workDir }) => [memberId, workDir])).toEqual([
      [1, "./coordinator-1"], [2, "./coordinator-2"], [3, "./coordinator-3"],
    ]);
    expect(coordinators.every(({ metrics }) => metrics !== null)).toBe(true);
  }
});

test("the example in the repository, in both scopes", () => {
  const path = join(import.meta.dirname, "../raft_config.example.json");
  const host = loadTopology(path, "host");
  expect(host.stores.map(({ workDir }) => workDir)).toEqual(
    [1, 2, 3].map((id) => join(import.meta.dirname, `../artifacts/cluster/store-${id}`)),
  );
  expect(loadTopology(path, "docker").coordinators[0]?.workDir).toBe("/var/lib/nokv-coordinator");
});

test("directories are found from the file; a file that is not there is named", () => {
  const root = mkdtempSync(join(tmpdir(), "nokv-topology-"));
  const path = join(root, "cluster.json");
  expect(() => loadTopology(path, "host")).toThrow(CommandError);
  expect(() => loadTopology(path, "host")).toThrow(`--config: cannot read ${path}: there is no such file`);
  writeFileSync(path, defaultTopology("mine", null));
  expect(loadTopology(path, "host").coordinators[0]?.workDir).toBe(join(root, "coordinator"));
  rmSync(root, { recursive: true });
});
