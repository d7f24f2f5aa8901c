// Goal: the cluster is a `Kv`, wherever its regions end. Method: the conformance of `Kv`, over stores in memory.
import { expect, test } from "vitest";
import type { NokvError } from "../../core/errors.ts";
import { conformance } from "../../core/kv/conformance.test-support.ts";
import { ClusterKv } from "./cluster-kv.ts";
import { MemoryCluster } from "./memory-cluster.test-support.ts";

for (const bounds of [[], ["b"], ["a\0", "k5", "m", "x"]]) {
  conformance(`a cluster of ${bounds.length + 1} regions`, (tell) => {
    const cluster = new MemoryCluster({ pageEntriesMax: 2 }, ...bounds);
    const { clock } = cluster;
    return tell({
      kv: new ClusterKv(cluster.client, clock),
      // All operations of a run together take less than lies between a lifetime's end and the passes around it.
      settle: () => clock.advance(50),
      pass: (ms) => clock.advance(ms),
      nowMs: () => clock.wallMs(),
    });
  });
}

test("a key that no transaction can have is refused at once, by every operation", () => {
  const { client, clock } = new MemoryCluster({});
  const kv = new ClusterKv(client, clock);
  const key = new Uint8Array(65_530).fill(1);
  const codes: (string | undefined)[] = [];
  const note = (error: NokvError | null): void => void codes.push(error?.code);
  const mutation = { kind: "take", key } as const;
  kv.read([key], note);
  kv.mutate(mutation, note);
  kv.watch([key], note);
  kv.transact({ operations: [{ kind: "read", keys: [key] }], watched: [] }, note);
  kv.transact({ operations: [{ kind: "mutate", mutation }], watched: [] }, note);
  clock.advance(1);
  expect(codes).toEqual(Array.from({ length: 5 }, () => "NOKV_INVALID_ARGUMENT"));
});
