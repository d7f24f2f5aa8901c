import { expect, test } from "vitest";
import { parseTopology, type TopologyScope } from "./topology.ts";

// Goal: the original's example is understood, and every mistake is named with its field, its value and what to do.

const example = {
  max_retries: 8,
  coordinator: {
    addr: "127.0.0.1:2379", docker_addr: "nokv-coordinator:2379", work_dir: "./artifacts/cluster/coordinator",
    docker_work_dir: "/var/lib/nokv-coordinator",
  },
  store_work_dir_template: "./artifacts/cluster/store-{id}",
  store_docker_work_dir_template: "/var/lib/nokv/store-{id}",
  stores: [1, 2, 3].map((id) => ({
    store_id: id, listen_addr: `127.0.0.1:2017${id}`, addr: `127.0.0.1:2017${id}`, docker_listen_addr: "0.0.0.0:20160",
    docker_addr: `node${id}:20160`,
  })),
  regions: [
    {
      id: 1, start_key: "", end_key: "m", epoch: { version: 1, conf_version: 1 },
      peers: [{ store_id: 1, peer_id: 101 }, { store_id: 2, peer_id: 201 }, { store_id: 3, peer_id: 301 }],
      leader_store_id: 1,
    },
    {
      id: 2, start_key: "m", end_key: "", epoch: { version: 1, conf_version: 1 },
      peers: [{ store_id: 1, peer_id: 102 }, { store_id: 2, peer_id: 202 }, { store_id: 3, peer_id: 302 }],
      leader_store_id: 2,
    },
  ],
};

function parse(value: unknown, scope: TopologyScope = "host"): ReturnType<typeof parseTopology> {
  return parseTopology(JSON.stringify(value), "cluster.json", scope);
}

test("the original's example, on the host", () => {
  const topology = parse(example);
  expect(topology.coordinators).toEqual([{
    memberId: 0, address: { host: "127.0.0.1", port: 2379 }, listen: { host: "127.0.0.1", port: 2379 },
    workDir: "./artifacts/cluster/coordinator", metrics: null,
  }]);
  expect(topology.stores[2]).toEqual({
    storeId: 3, address: { host: "127.0.0.1", port: 20173 }, listen: { host: "127.0.0.1", port: 20173 },
    workDir: "./artifacts/cluster/store-3", metrics: null,
  });
  expect(topology.regions[1]).toMatchObject({
    leaderStoreId: 2, region: { id: 2, epoch: { version: 1, confVer: 1 }, end: new Uint8Array(0) },
  });
  expect(topology.maxRetries).toBe(8);
  expect(topology.redis).toBeNull();
});

test("how often a store reads all that it holds", () => {
  expect(parse(example).scrubPassSeconds).toBeUndefined();
  expect(parse({ ...example, scrub_pass_seconds: 0 }).scrubPassSeconds).toBe(0);
  const never = (): unknown => parse({ ...example, scrub_pass_seconds: -1 });
  expect(never).toThrow("cluster.json: scrub_pass_seconds is -1: write a whole number from 0 on");
});

test("the original's example, in containers; what is missing there is taken from the host", () => {
  const topology = parse(example, "docker");
  expect(topology.coordinators[0]?.workDir).toBe("/var/lib/nokv-coordinator");
  expect(topology.stores[0]).toEqual({
    storeId: 1, address: { host: "node1", port: 20160 }, listen: { host: "0.0.0.0", port: 20160 },
    workDir: "/var/lib/nokv/store-1", metrics: null,
  });
  const stores = example.stores.map(({ store_id, addr }) => ({ store_id, addr, work_dir: `/data/${store_id}` }));
  const [first] = parse({ ...example, stores }, "docker").stores;
  expect(first).toMatchObject({ address: { port: 20171 }, workDir: "/data/1" });
});

test("a gateway's address, keys in hex, and defaults", () => {
  const [first, second] = example.regions;
  const { epoch: _, leader_store_id: __, ...rest } = { ...second, start_key: "hex:00ff" };
  const regions = [{ ...first, end_key: "hex:00ff" }, rest];
  const topology = parse({ ...example, redis: { addr: "[::1]:6380" }, regions });
  expect(topology.redis).toEqual({ host: "::1", port: 6380 });
  expect(topology.regions[1]).toMatchObject({ leaderStoreId: 0, region: { start: Uint8Array.of(0, 255) } });
});

const members = [3, 1, 2].map((id) => ({ id, addr: `127.0.0.1:237${id}`, work_dir: `./coordinator-${id}` }));

test("a group of Coordinators in place of one", () => {
  const topology = parse({ ...example, coordinator: undefined, coordinators: members });
  expect(topology.coordinators.map(({ memberId, workDir }) => [memberId, workDir])).toEqual([
    [1, "./coordinator-1"], [2, "./coordinator-2"], [3, "./coordinator-3"],
  ]);
});

const groupMistakes: readonly (readonly [what: string, coordinators: readonly object[], message: RegExp])[] = [
  ["two members", members.slice(1), /coordinators is "2 members": write 3 or 5 members, or coordinator for one/],
  ["a member twice", members.map((member) => ({ ...member, id: 1 })), /coordinators is \{"id":1\}: each member has/],
  ["a member without a number", [{ addr: "a:1", work_dir: "x" }], /coordinators\[0\]\.id is missing: write a whole/],
  ["a number too high", members.map((member) => ({ ...member, id: member.id + 999 })), /\{"id":1001\}: write a whole/],
  ["one directory for two", members.map((member) => ({ ...member, work_dir: "x" })), /work_dir is "x": each process/],
  ["no members", [], /coordinators is \[\]: write a list/],
];

test.each(groupMistakes)("of a group, %s is named", (_, coordinators, message) => {
  expect(() => parse({ ...example, coordinator: undefined, coordinators })).toThrow(message);
});

test("a group and one that is alone contradict each other", () => {
  expect(() => parse({ ...example, coordinators: members })).toThrow(/coordinator is .*: write coordinator or/);
});

const [left, right] = example.regions;
const [store] = example.stores;

const mistakes: readonly (readonly [what: string, change: object, message: RegExp])[] = [
  [
    "an unknown field",
    { sotres: [] },
    /^cluster\.json: sotres is \[\]: this field is unknown; known are cluster_id, coordinator, /,
  ],
  ["a missing part", { coordinator: undefined }, /coordinator is missing: write an object/],
  ["no stores", { stores: [] }, /stores is \[\]: write a list with at least one entry/],
  [
    "an address without a port",
    { stores: [{ ...store, addr: "localhost" }] },
    /stores\[0\]\.addr is "localhost": write host:port/,
  ],
  ["a port too high", { coordinator: { addr: "a:70000", work_dir: "x" } }, /coordinator\.addr is "a:70000"/],
  ["no address", { stores: [{ store_id: 1 }] }, /stores\[0\]\.addr is missing: write a text/],
  [
    "a store's id",
    { stores: [{ ...store, store_id: 0 }] },
    /stores\[0\]\.store_id is 0: write a whole number from 1 on/,
  ],
  [
    "a template without a place",
    { store_work_dir_template: "./x" },
    /store_work_dir_template is "\.\/x": put \{id\} where/,
  ],
  [
    "no directory",
    { store_work_dir_template: undefined },
    /stores\[0\]\.work_dir is missing: name a directory here, or set/,
  ],
  [
    "a store twice",
    { stores: [...example.stores, store] },
    /stores is \{"store_id":1\}: each store has an id of its own/,
  ],
  ["a region twice", { regions: [left, { ...right, id: 1 }] }, /regions is \{"id":1\}: each region has an id/],
  [
    "a peer twice",
    { regions: [left, { ...right, peers: left?.peers }] },
    /\{"peer_id":101\}: each peer of every region/,
  ],
  [
    "a gap",
    { regions: [left, { ...right, start_key: "n" }] },
    /no region holds the keys before region 2: let each end_key/,
  ],
  ["an overlap", { regions: [left, { ...right, start_key: "k" }] }, /region 2 overlaps the one before it/],
  ["no end", { regions: [left] }, /no region holds the last keys/],
  ["an empty range", { regions: [{ ...left, start_key: "m" }, right] }, /region 1 is .*: its range is empty/],
  [
    "an unknown store",
    { stores: example.stores.slice(0, 2) },
    /region 1 is \{"store_id":3\}: there is no such store; there are 1, 2/,
  ],
  [
    "a leader elsewhere",
    { regions: [{ ...left, leader_store_id: 9 }, right] },
    /\{"leader_store_id":9\}: name a store that holds/,
  ],
  [
    "a key in bad hex",
    { regions: [{ ...left, end_key: "hex:0" }, right] },
    /regions\[0\]\.end_key is "hex:0": after hex:/,
  ],
  ["a text for a number", { max_retries: "8" }, /max_retries is "8": write a whole number from 0 on/],
  [
    "one port for two",
    { stores: example.stores.map((s) => ({ ...s, listen_addr: "127.0.0.1:1" })) },
    /listen_addr is "127\.0\.0\.1:1"/,
  ],
];

test.each(mistakes)("%s is named", (_, change, message) => {
  expect(() => parse({ ...example, ...change })).toThrow(message);
});

test("every problem is told at once, and what is no JSON is said to be none", () => {
  expect(() => parse({ ...example, max_retries: -1, oops: 1 })).toThrow(/max_retries is -1.*\n.*oops is 1/);
  expect(() => parseTopology("{", "c.json", "host")).toThrow(/c\.json: this is not JSON/);
  expect(() => parse([])).toThrow(/this is no topology: write an object$/);
});
