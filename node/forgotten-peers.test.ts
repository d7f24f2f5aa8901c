// Goal: a replica that hears of nobody asks, in time and not too often, and what it is told reaches the store, which
// decides by the epoch. Method: a store and a Coordinator by hand, a clock by hand.
import { expect, test } from "vitest";
import { CoordinatorError } from "../coordinator/coordinator-error.ts";
import { ManualClock } from "../net/redis/memory-network.test-support.ts";
import type { Status } from "../raft/raft.ts";
import type { RegionMeta } from "../raft/region.ts";
import { ForgottenPeers } from "./forgotten-peers.ts";

const none = new Uint8Array(0);
const tickUs = 100_000;

function meta(confVer: number): RegionMeta {
  const peers = [{ peerId: 7, storeId: 2, role: "voter" as const }];
  return { id: 1, start: none, end: none, epoch: { version: 1, confVer }, peers };
}

class Stage {
  readonly clock = new ManualClock();
  readonly asked: number[] = [];
  readonly gone: string[] = [];
  answer: RegionMeta | null = meta(5);
  silentTicks = 0;
  leadingTerm = 0;
  quiesced = false;
  down = false;
  readonly forgotten: ForgottenPeers;

  constructor() {
    this.forgotten = new ForgottenPeers({
      clock: this.clock,
      client: {
        descriptor: (regionId, done) => {
          this.asked.push(regionId);
          const error = this.down ? new CoordinatorError("ROOT_UNAVAILABLE", "down") : null;
          this.clock.soon(() => done(error, error === null ? { region: this.answer } : null));
        },
      },
      store: {
        options: { tickUs },
        regions: () => [{
          peerId: 3, region: meta(2), leadingTerm: this.leadingTerm, silentTicks: this.silentTicks,
          status: () => ({ quiesced: this.quiesced }) as Status,
        }],
        gone: (peerId, region) => void this.gone.push(`${peerId} by ${region.epoch.confVer}`),
      },
      afterMs: 4_000,
    });
    this.forgotten.start();
  }
}

test("it asks after so long a silence, again after as long, and tells the store what it heard", () => {
  const stage = new Stage();
  stage.silentTicks = 39;
  stage.clock.advance(2_000);
  expect(stage.asked).toEqual([]);
  stage.silentTicks = 40;
  stage.clock.advance(1_000);
  expect(stage.asked).toEqual([1]);
  expect(stage.gone).toEqual(["3 by 5"]);
  stage.clock.advance(3_000);
  expect(stage.asked).toEqual([1]);
  stage.clock.advance(1_000);
  expect(stage.asked).toEqual([1, 1]);
});

test("nobody asks for who leads, sleeps or is heard of; no answer, no consequence", () => {
  const stage = new Stage();
  stage.silentTicks = 1_000;
  stage.leadingTerm = 4;
  stage.clock.advance(10_000);
  stage.leadingTerm = 0;
  stage.quiesced = true;
  stage.clock.advance(10_000);
  expect(stage.asked).toEqual([]);
  stage.quiesced = false;
  stage.down = true;
  stage.clock.advance(4_000);
  stage.down = false;
  stage.answer = null;
  stage.clock.advance(4_000);
  expect(stage.asked.length).toBeGreaterThan(1);
  expect(stage.gone).toEqual([]);
});
