// Stores in memory behind the real bytes of requests and answers, with every fault that a test asks for.
import { ByteWriter } from "../../core/bytes/byte-writer.ts";
import type { CallDone, CallHandle, CallOrder } from "../../net/rpc/call.ts";
import type { RpcError } from "../../net/rpc/rpc-error.ts";
import type { RouteAnswer } from "../../coordinator/route.ts";
import { CoordinatorError } from "../../coordinator/coordinator-error.ts";
import { ManualClock } from "../../net/redis/memory-network.test-support.ts";
import { rangeContains, type RegionMeta } from "../../raft/region.ts";
import type { Command, Response } from "../percolator/command.ts";
import { execute } from "../percolator/execute.ts";
import { MemoryStore } from "../percolator/memory-store.ts";
import { timestampsPerMs } from "../percolator/timestamp.ts";
import { versionEpochMs } from "../../core/lsm/drop-rules.ts";
import { readCommands } from "../server/command-codec.ts";
import { type Answer, writeAnswers } from "../server/response-codec.ts";
import type { TxnClientOptions } from "./client-options.ts";
import { TxnClient } from "./txn-client.ts";

const encoder = new TextEncoder();

/** What happens to a request at a store; null: nothing special. */
export type Intervention =
  /** Executed, and the answer never comes. */
  | { readonly kind: "lose-answer" }
  | { readonly kind: "fail"; readonly error: RpcError }
  /** The answer takes so much longer; it is executed when it would have been. */
  | { readonly kind: "delay"; readonly ms: number }
  /** Neither executed nor answered before the caller has had enough. */
  | { readonly kind: "swallow" };

export interface Asked {
  readonly store: number;
  readonly order: CallOrder;
  readonly commands: readonly Command[];
}

export class MemoryCluster {
  readonly clock = new ManualClock();
  readonly store = new MemoryStore();
  regions: RegionMeta[] = [];
  /** By region. */
  readonly leaders = new Map<number, number>();
  /** Requests in the order in which they were made: `get,get@2` went to store 2. */
  readonly story: string[] = [];
  latencyUs = 500;
  /** Null: the Coordinator is silent. */
  #lastTs = 0;
  coordinatorIsDown = false;
  /** What the Coordinator believes of leaders; empty: the truth. */
  readonly staleLeaders = new Map<number, number>();
  intervene: (asked: Asked) => Intervention | null = () => null;
  readonly client: TxnClient;
  openCalls = 0;

  constructor(options: Partial<TxnClientOptions> = {}, ...bounds: readonly string[]) {
    this.clock.offsetMs = 1_750_000_000_000;
    this.layOut(1, ...bounds);
    this.client = this.connect(options);
  }

  connect(options: Partial<TxnClientOptions> = {}): TxnClient {
    return new TxnClient({
      clock: this.clock,
      random: { u32: (_, entity, ordinal) => (entity * 31 + ordinal * 7919) >>> 0 },
      caller: this,
      coordinator: {
        timestamps: (count, _, done) => this.#later(() => {
          if (this.coordinatorIsDown) return done(new CoordinatorError("TSO_UNAVAILABLE", "down"), null);
          const first = this.timestamp();
          this.#lastTs += count - 1;
          done(null, { first, count });
        }),
        route: ({ key }, done) => this.#later(() => {
          this.story.push("route");
          if (this.coordinatorIsDown) return done(new CoordinatorError("ROUTE_UNAVAILABLE", "down"), null);
          done(null, this.#route(key));
        }),
      },
      options,
    });
  }

  /** Regions that begin at the first key and at each of `bounds`, each on stores 1 to 3, led by store 1. */
  layOut(version: number, ...bounds: readonly string[]): void {
    const starts = ["", ...bounds];
    this.regions = starts.map((start, i) => ({
      id: version * 100 + i + 1,
      start: encoder.encode(start),
      end: encoder.encode(starts[i + 1] ?? ""),
      epoch: { version, confVer: 1 },
      peers: [1, 2, 3].map((storeId) => ({ peerId: i * 10 + storeId, storeId, role: "voter" as const })),
    }));
    for (const { id } of this.regions) this.leaders.set(id, 1);
  }

  timestamp(): number {
    const ms = this.clock.wallMs() - versionEpochMs;
    this.#lastTs = Math.max(this.#lastTs + 1, ms * timestampsPerMs);
    return this.#lastTs;
  }

  call(store: number, order: CallOrder, done: CallDone): CallHandle {
    const commands = readCommands(order.payload);
    this.story.push(`${commands.map(({ kind }) => kind).join(",")}@${store}`);
    this.openCalls++;
    let isOver = false;
    const finish = (error: RpcError | null, payload: Uint8Array = new Uint8Array(0)): void => {
      if (isOver) return;
      isOver = true;
      this.openCalls--;
      done(error, payload);
      // The network uses its bytes again.
      payload.fill(0xee);
    };
    const timeout = this.clock.after(order.timeoutMs * 1_000, () => finish({ kind: "deadline-exceeded", sent: true }));
    const what = this.intervene({ store, order, commands });
    if (what?.kind === "fail") this.#later(() => finish(what.error));
    else if (what?.kind !== "swallow") {
      const delayUs = this.latencyUs + (what?.kind === "delay" ? what.ms * 1_000 : 0);
      this.clock.after(delayUs, () => {
        const answered = this.#answer(store, order, commands);
        if (what?.kind === "lose-answer") return finish({ kind: "connection-lost", reason: "told to" });
        if (answered instanceof Uint8Array) finish(null, answered);
        else finish(answered);
        timeout.cancel();
      });
    }
    return { cancel: () => this.#later(() => finish({ kind: "cancelled", sent: true })) };
  }

  #answer(store: number, order: CallOrder, commands: readonly Command[]): Uint8Array | RpcError {
    const regionId = order.region?.regionId ?? 0;
    const region = this.regions.find(({ id }) => id === regionId);
    if (region === undefined || region.epoch.version !== order.region?.version) {
      return { kind: "epoch-not-match", current: this.regions.map((each) => this.#hint(each)) };
    }
    const leader = this.leaders.get(regionId) ?? 0;
    if (leader !== store) return { kind: "not-leader", regionId, leaderStore: leader, leaderPeer: 0 };
    const answers = commands.map((command): Answer => ({ kind: "response", response: this.execute(command) }));
    const writer = new ByteWriter();
    writeAnswers(writer, answers);
    return writer.toBytes();
  }

  execute(command: Command): Response {
    const isStamped = command.kind === "atomic" || command.kind === "one-phase";
    const stamped = isStamped ? { ...command, commitTs: this.timestamp() } : command;
    const { response, writes } = execute(this.store, stamped);
    this.store.apply(writes);
    return response;
  }

  #hint({ id, start, end, epoch }: RegionMeta): Extract<RpcError, { kind: "epoch-not-match" }>["current"][number] {
    return { regionId: id, ...epoch, start, end, leaderStore: this.leaders.get(id) ?? 0 };
  }

  #route(key: Uint8Array): RouteAnswer {
    const region = this.regions.find((each) => rangeContains(each, key)) ?? null;
    const storeId = region === null ? 0 : (this.staleLeaders.get(region.id) ?? this.leaders.get(region.id) ?? 0);
    const token = { term: 1, index: 1 };
    return {
      region,
      leader: storeId === 0 ? null : { peerId: 1, storeId, term: 1 },
      servedFreshness: "STRONG",
      servedToken: token,
      currentToken: token,
      rootLag: 0,
      servedByLeader: true,
      degradedMode: "HEALTHY",
      catchUpState: "FRESH",
    };
  }

  #later(run: () => void): void {
    this.clock.after(this.latencyUs, run);
  }
}
