import { expect, test } from "vitest";
import { metricsText } from "./metrics-text.ts";

// Goal: every number of the tree has one line that Prometheus reads, and those of one name stand together.

test("numbers, truths and lists; texts are left out", () => {
  const text = metricsText({
    role: "store",
    raft: { group_count: 2, leading: true },
    regions: [
      { id: 1, applied: 7, name: "a" },
      { id: 2, applied: 9, lag: { entries: 1 } },
    ],
    commands: { "GET.x": 3 },
    keys: [{ key: 'a"\n\\', count: 4 }],
    nothing: null,
    none: [],
  });
  expect(text.split("\n")).toEqual([
    "# TYPE nokv_commands_get_x untyped",
    "nokv_commands_get_x 3",
    "# TYPE nokv_keys_count untyped",
    'nokv_keys_count{key="a\\"\\n\\\\"} 4',
    "# TYPE nokv_raft_group_count untyped",
    "nokv_raft_group_count 2",
    "# TYPE nokv_raft_leading untyped",
    "nokv_raft_leading 1",
    "# TYPE nokv_regions_applied untyped",
    'nokv_regions_applied{id="1"} 7',
    'nokv_regions_applied{id="2"} 9',
    "# TYPE nokv_regions_lag_entries untyped",
    'nokv_regions_lag_entries{id="2"} 1',
    "",
  ]);
});
