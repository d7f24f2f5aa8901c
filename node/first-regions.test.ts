// Goal: the regions of the first day begin once, and never on a store that lost what it had. Method: a store and a
// Coordinator by hand, a clock by hand.
import { expect, test } from "vitest";
import { CoordinatorError } from "../coordinator/coordinator-error.ts";
import type { StoreStatus } from "../coordinator/store-view.ts";
import { NokvError } from "../core/errors.ts";
import { ManualClock } from "../net/redis/memory-network.test-support.ts";
import type { RegionMeta } from "../raft/region.ts";
import { FirstRegions, type FirstRegionsParts } from "./first-regions.ts";

const none = new Uint8Array(0);

function meta(id: number, ...storeIds: number[]): RegionMeta {
  const peers = storeIds.map((storeId) => ({ peerId: storeId * 100 + id, storeId, role: "voter" as const }));
  return { id, start: none, end: none, epoch: { version: 1, confVer: 1 }, peers };
}

interface Play {
  /** What the Coordinator knows; null: it does not answer. */
  known: readonly number[] | null;
  /** What the store holds already. */
  readonly held?: readonly number[];
  readonly isNew?: boolean;
  readonly refuse?: NokvError;
}

function play(given: Play): { readonly log: string[]; readonly clock: ManualClock; readonly first: FirstRegions } {
  const clock = new ManualClock();
  const log: string[] = [];
  const parts: FirstRegionsParts = {
    clock,
    client: {
      stores: (done) => {
        log.push("ask");
        const stores = given.known?.map((storeId): StoreStatus => {
          return { storeId, address: "", liveness: "up", membership: "member", heartbeat: null };
        });
        clock.soon(() => {
          if (stores === undefined) done(new CoordinatorError("ROOT_UNAVAILABLE", "down"), null);
          else done(null, stores);
        });
      },
    },
    store: {
      storeId: 1,
      admin: { campaign: (regionId) => void log.push(`campaign ${regionId}`) },
      regions: () => (given.held ?? []).map((id) => ({ region: meta(id, 1) })),
      bootstrap: async (region) => {
        log.push(`begin ${region.id}`);
        await Promise.resolve();
        if (given.refuse !== undefined) throw given.refuse;
      },
    },
    regions: [
      { region: meta(1, 1, 2, 3), leaderStoreId: 1 },
      { region: meta(2, 2, 3), leaderStoreId: 2 },
      { region: meta(3, 1, 2), leaderStoreId: 2 },
    ],
    promotion: null,
    isNew: given.isNew ?? true,
    noteJoined: () => {
      log.push("note");
      return Promise.resolve();
    },
    retryMs: 100,
    begun: () => void log.push("begun"),
    failed: (error) => void log.push(error.message),
  };
  const first = new FirstRegions(parts);
  first.begin();
  return { log, clock, first };
}

async function settle({ clock }: { readonly clock: ManualClock }): Promise<void> {
  for (let i = 0; i < 20; i++) {
    clock.run();
    await Promise.resolve();
  }
}

test("a store that nobody knows begins what the topology gives it, and campaigns where it is to lead", async () => {
  const playing = play({ known: [2] });
  await settle(playing);
  expect(playing.log).toEqual(["ask", "begin 1", "begin 3", "campaign 1", "note", "begun"]);
  expect(playing.first.takesPart).toBe(true);
});

test("what is there is left alone, whoever answers", async () => {
  const playing = play({ known: null, held: [1, 3, 7], isNew: false });
  await settle(playing);
  expect(playing.log).toEqual(["begun"]);
});

test("a store whose first life ended among its first regions takes part, and begins the others", async () => {
  const given: Play = { known: null, held: [1], isNew: false };
  const playing = play(given);
  await settle(playing);
  expect(playing.first.takesPart).toBe(true);
  expect(playing.log).toEqual(["ask"]);
  given.known = [2];
  playing.clock.advance(150);
  await settle(playing);
  expect(playing.log).toEqual(["ask", "ask", "begin 3", "begun"]);
});

test("regions that were moved away do not begin again", async () => {
  const playing = play({ known: [1, 2], held: [1], isNew: false });
  await settle(playing);
  expect(playing.first.takesPart).toBe(true);
  expect(playing.log).toEqual(["ask", "begun"]);
});

test("a store that has joined and has no regions any more begins none", async () => {
  const playing = play({ known: [1, 2], isNew: false });
  await settle(playing);
  expect(playing.log).toEqual(["ask", "begun"]);
});

test("a store that has joined and comes with an empty directory is refused", async () => {
  const playing = play({ known: [1, 2] });
  await settle(playing);
  expect(playing.log[1]).toMatch(/store 1 has joined before, and its directory is empty/);
  expect(playing.log.length).toBe(2);
  expect(playing.first.takesPart).toBe(false);
});

test("a Coordinator that does not answer is asked again until somebody stops it", async () => {
  const given: Play = { known: null };
  const playing = play(given);
  await settle(playing);
  playing.clock.advance(150);
  await settle(playing);
  expect(playing.log).toEqual(["ask", "ask"]);
  given.known = [];
  playing.clock.advance(100);
  await settle(playing);
  expect(playing.log.at(-1)).toBe("begun");
  const stopped = play({ known: null });
  void stopped.first.stop();
  stopped.clock.advance(1_000);
  expect(stopped.log).toEqual(["ask"]);
});

test("a disk that refuses is told, and nothing is over", async () => {
  const playing = play({ known: [], refuse: new NokvError("NOKV_IO", "no disk") });
  await settle(playing);
  expect(playing.log).toEqual(["ask", "begin 1", "begin 3", "no disk"]);
  expect(playing.first.takesPart).toBe(false);
});
