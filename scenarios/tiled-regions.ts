import type { Topology } from "../node/topology.ts";

/**
 * Regions that begin at `starts`, the first of which is "", each up to the next one: region 1, 2 and so on. Voters are
 * on the stores that `storesOf` names for each place, and the first of those leads.
 */
export function tiledRegions(
  starts: readonly string[],
  storesOf: (at: number) => readonly number[],
): Topology["regions"] {
  const encoder = new TextEncoder();
  return starts.map((start, at) => {
    const id = at + 1;
    const stores = storesOf(at);
    const peers = stores.map((storeId) => ({ peerId: storeId * 100 + id, storeId, role: "voter" as const }));
    const range = { start: encoder.encode(start), end: encoder.encode(starts[id] ?? "") };
    const epoch = { version: 1, confVer: 1 };
    const region = { id, ...range, epoch, peers: peers.toSorted((a, b) => a.peerId - b.peerId) };
    return { region, leaderStoreId: stores[0] ?? 0 };
  });
}

/** `count` stores of 1 to `stores`, from another one for each place. */
export function inTurn(stores: number, count: number): (at: number) => readonly number[] {
  return (at) => Array.from({ length: count }, (_, i) => ((at + i) % stores) + 1);
}
