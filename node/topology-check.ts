import { tilingProblem } from "../coordinator/region-map.ts";
import type { Address } from "../core/env/network.ts";
import { describeKey, regionProblem } from "../raft/region.ts";
import type { Topology } from "./topology.ts";
import { mergeBytesMost } from "./merge-limits.ts";
import type { Problems } from "./topology-fields.ts";

/** What no single field shows: doubles, unknown stores, ranges that leave out keys or share them. */
export function checkTopology(topology: Topology, problems: Problems): void {
  const { stores, regions } = topology;
  for (const storeId of doubles(stores.map((store) => store.storeId))) {
    problems.add("stores", { store_id: storeId }, "each store has an id of its own");
  }
  checkSizes(topology, problems);
  checkMembers(topology, problems);
  checkPlaces(topology, problems);
  for (const id of doubles(regions.map(({ region }) => region.id))) {
    problems.add("regions", { id }, "each region has an id of its own");
  }
  const peerIds = regions.flatMap(({ region }) => region.peers.map(({ peerId }) => peerId));
  for (const peerId of doubles(peerIds)) {
    problems.add("regions", { peer_id: peerId }, "each peer of every region has an id of its own");
  }
  checkRegions(topology, problems);
}

function checkRegions({ stores, regions }: Topology, problems: Problems): void {
  const known = stores.map((store) => store.storeId);
  const before = problems.list.length;
  for (const { region, leaderStoreId } of regions) {
    const place = `region ${region.id}`;
    const range = { start_key: describeKey(region.start, "-"), end_key: describeKey(region.end, "-") };
    const wrong = regionProblem(region);
    if (wrong !== null) problems.add(place, range, `${wrong}; mend it`);
    for (const { storeId } of region.peers) {
      if (known.includes(storeId)) continue;
      problems.add(place, { store_id: storeId }, `there is no such store; there are ${known.join(", ")}`);
    }
    if (leaderStoreId === 0 || region.peers.some(({ storeId }) => storeId === leaderStoreId)) continue;
    problems.add(place, { leader_store_id: leaderStoreId }, "name a store that holds one of its peers, or 0 for any");
  }
  // None: those of a seed are the first, and the Coordinator hears of them from its store.
  if (problems.list.length > before || regions.length === 0) return;
  const gap = tilingProblem(regions.map(({ region }) => region));
  const ranges = regions.map(({ region: { id, start, end } }) => [id, describeKey(start, "-"), describeKey(end, "-")]);
  if (gap === null) return;
  problems.add("regions", ranges, `${gap}: let each end_key be the next start_key, the first and the last empty`);
}

/** What two regions come to that are merged must be well below what is divided, or the two would go on for ever. */
function checkSizes(topology: Topology, problems: Problems): void {
  const { regionMergeBytes: mergeBytes } = topology;
  const most = mergeBytesMost(topology);
  if (mergeBytes === undefined || most === 0 || mergeBytes <= most) return;
  problems.add("region_merge_bytes", mergeBytes, `write at most ${most}, a quarter of region_split_bytes; 0: never`);
}

/** Ids of members are counted from the Coordinator's place in the transport: there is room, but no more. */
const memberIdMax = 1_000;

function checkMembers({ coordinators }: Topology, problems: Problems): void {
  const ids = coordinators.map(({ memberId }) => memberId);
  for (const id of doubles(ids)) problems.add("coordinators", { id }, "each member has an id of its own");
  for (const id of ids.filter((memberId) => memberId > memberIdMax)) {
    problems.add("coordinators", { id }, `write a whole number from 1 to ${memberIdMax}`);
  }
}

/** Two processes of one machine cannot listen at one port, nor write to one directory. */
function checkPlaces({ coordinators, redis, redisMetrics, stores }: Topology, problems: Problems): void {
  const places = [...coordinators, ...stores];
  const others = [redis, redisMetrics, ...places.map(({ metrics }) => metrics)];
  const listening = [...places.map(({ listen }) => listen), ...others.filter((address) => address !== null)];
  for (const address of doubles(places.map((place) => show(place.address)))) {
    problems.add("addr", address, "each process has an address of its own");
  }
  // In containers every process has its own machine: there the ports may be equal.
  const oneMachine = places.every(({ address }) => isLocal(address));
  for (const address of oneMachine ? doubles(listening.map(show)) : []) {
    problems.add("listen_addr", address, "each process of one machine listens at a port of its own");
  }
  for (const workDir of oneMachine ? doubles(places.map((place) => place.workDir)) : []) {
    problems.add("work_dir", workDir, "each process has a directory of its own");
  }
}

function isLocal({ host }: Address): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}

function show({ host, port }: Address): string {
  return `${host}:${port}`;
}

function doubles<T extends string | number>(values: readonly T[]): T[] {
  return [...new Set(values.filter((value, i) => values.indexOf(value) !== i))];
}
