import { decode, encode, type Layout } from "../../core/bytes/layout.ts";
import type { Clock } from "../../core/env/clock.ts";
import type { CallOrder } from "../../net/rpc/call.ts";
import type { RpcError } from "../../net/rpc/rpc-error.ts";
import { messageClass } from "../../net/rpc/wire.ts";
import type { NumberRange, RangeReply } from "../allocators.ts";
import type { HeartbeatReply, PublishReply, StoreReply, Transitions } from "../coordinator.ts";
import { CoordinatorError } from "../coordinator-error.ts";
import { noToken } from "../journal.ts";
import type { RegionMeta } from "../../raft/region.ts";
import type { RegionHeartbeat } from "../region-report.ts";
import type { RootEvent } from "../root-event.ts";
import type { RouteAnswer, RouteRequest } from "../route.ts";
import type { StoreHeartbeat, StoreStatus } from "../store-view.ts";
import { fromRpcError, isEpochMismatch, knownRegion, mayHaveHappened, type Silence } from "./errors.ts";
import { type Caller, GroupCaller } from "./group-caller.ts";
import {
  type ClusterIdentity,
  clusterLayout,
  countLayout,
  fenceLayout,
  descriptorLayout,
  nothingLayout,
  officeLayout,
  operatorsLayout,
  publishedLayout,
  publishRequestLayout,
  rangeLayout,
  regionHeartbeatLayout,
  regionIdLayout,
  routeAnswerLayout,
  routeRequestLayout,
  storeHeartbeatLayout,
  storesLayout,
  transitionsLayout,
} from "./messages.ts";
import { coordinatorId, type CoordinatorMethod, coordinatorMethod } from "./methods.ts";
import { TimestampQueue } from "./timestamp-queue.ts";

/** What is not said is: strong, whatever was seen before, within `requestMs`. */
export interface RouteQuestion extends Partial<Omit<RouteRequest, "key">> {
  readonly key: Uint8Array;
  readonly timeoutMs?: number;
}

/** Exactly one of the two is null. */
export type Answer<T> = (error: CoordinatorError | null, value: T | null) => void;

/** How long a request waits for its answer when nobody says otherwise. */
export const requestMs = 2_000;

const noRoot: Silence = { unavailable: "ROOT_UNAVAILABLE", undetermined: "ROOT_UNDETERMINED" };
/** Asked again, it says the same: nobody has to wonder what became of it. */
const noRootAtAll: Silence = { unavailable: "ROOT_UNAVAILABLE", undetermined: "ROOT_UNAVAILABLE" };
const noTimestamps: Silence = { unavailable: "TSO_UNAVAILABLE", undetermined: "TSO_UNAVAILABLE" };
const noIds: Silence = { unavailable: "ID_UNAVAILABLE", undetermined: "ID_UNAVAILABLE" };
const noRoute: Silence = { unavailable: "ROUTE_UNAVAILABLE", undetermined: "ROUTE_UNAVAILABLE" };

interface Exchange<Q, A> {
  readonly method: CoordinatorMethod;
  readonly ask: Layout<Q>;
  readonly answer: Layout<A>;
  readonly silence: Silence;
  /** Who does not lead may answer, too. */
  readonly anyMember?: boolean;
}

/**
 * The Coordinator from afar, one that is alone or a group of which one member leads. Replies never come inside the
 * call that asked, each exactly once; errors are those of `CoordinatorError`, whether the Coordinator refuses or
 * cannot be reached. Timestamps are asked for again until their deadline, and everything is where there is a group;
 * else once. Nothing is cached: what may be used without the Coordinator (warm routes, a commit timestamp in hand) is
 * its holder's to keep, and a timestamp from a store of them would be older than its request.
 */
export class CoordinatorClient {
  readonly #group: GroupCaller;
  readonly #timestamps: TimestampQueue;

  /** `members`: where the Coordinator is reached, one place or those of a group. */
  constructor(clock: Clock, caller: Caller, members: readonly number[] = [coordinatorId]) {
    this.#group = new GroupCaller(clock, caller, members);
    this.#timestamps = new TimestampQueue(clock, (count, timeoutMs, done) => {
      this.#numbers("timestamps", count, timeoutMs, done);
    });
  }

  /** Callers that wait for timestamps. */
  get waiting(): number {
    return this.#timestamps.waiting;
  }

  /** Who is asked first: who led when it was asked last. */
  get member(): number {
    return this.#group.current;
  }

  /** `count` timestamps, each later than all that were given to anybody before this call. */
  timestamps(count: number, timeoutMs: number, done: RangeReply): void {
    this.#timestamps.take(count, timeoutMs, done);
  }

  allocateIds(count: number, timeoutMs: number, done: RangeReply): void {
    this.#numbers("allocateIds", count, timeoutMs, done);
  }

  route(question: RouteQuestion, done: Answer<RouteAnswer>): void {
    const { key, freshness = "STRONG", requiredToken = noToken, maxRootLag = 0, timeoutMs = requestMs } = question;
    const request = { key, freshness, requiredToken, maxRootLag };
    const exchange = {
      method: "route", ask: routeRequestLayout, answer: routeAnswerLayout, silence: noRoute,
      anyMember: freshness !== "STRONG",
    } as const;
    this.#ask(exchange, request, timeoutMs, done);
  }

  /** ROOT_UNDETERMINED: publishing it again is safe. `expectedClusterEpoch` 0: whatever it is. */
  publish(event: RootEvent, expectedClusterEpoch: number, done: PublishReply): void {
    const exchange = {
      method: "publish", ask: publishRequestLayout, answer: publishedLayout, silence: noRoot,
    } as const;
    this.#ask(exchange, { event, expectedClusterEpoch }, requestMs, done);
  }

  regionHeartbeat(heartbeat: RegionHeartbeat, done: HeartbeatReply): void {
    const exchange = {
      method: "regionHeartbeat", ask: regionHeartbeatLayout, answer: officeLayout, silence: noRootAtAll,
    } as const;
    const whole = { ...heartbeat, seq: heartbeat.seq ?? 0, report: heartbeat.report ?? null };
    this.#ask(exchange, whole, requestMs, (error, reply, why) => {
      done(error, why === null ? null : knownRegion(why), reply?.office ?? 0);
    });
  }

  storeHeartbeat(heartbeat: StoreHeartbeat, done: StoreReply): void {
    const exchange = {
      method: "storeHeartbeat", ask: storeHeartbeatLayout, answer: operatorsLayout, silence: noRootAtAll,
    } as const;
    this.#ask(exchange, heartbeat, requestMs, (error, reply) => {
      done(error, reply?.operators ?? [], reply?.office ?? 0);
    });
  }

  stores(done: Answer<readonly StoreStatus[]>): void {
    const exchange = { method: "stores", ask: nothingLayout, answer: storesLayout, silence: noRootAtAll } as const;
    this.#ask(exchange, {}, requestMs, (error, reply) => done(error, reply?.stores ?? null));
  }

  /** A region as the Coordinator knows it; null: not at all. It may be older than what a store knows. */
  descriptor(regionId: number, done: Answer<{ readonly region: RegionMeta | null }>): void {
    const exchange = {
      method: "descriptor", ask: regionIdLayout, answer: descriptorLayout, silence: noRootAtAll,
    } as const;
    this.#ask(exchange, { regionId }, requestMs, done);
  }

  transitions(done: Answer<Transitions>): void {
    const exchange = {
      method: "transitions", ask: nothingLayout, answer: transitionsLayout, silence: noRootAtAll,
    } as const;
    this.#ask(exchange, {}, requestMs, done);
  }

  /** Names the cluster unless it has a name, and tells which it has. With `clusterId` 0 it only asks. */
  bootstrap(wanted: ClusterIdentity, done: Answer<ClusterIdentity>): void {
    const exchange = { method: "bootstrap", ask: clusterLayout, answer: clusterLayout, silence: noRootAtAll } as const;
    this.#ask(exchange, wanted, requestMs, done);
  }

  /** When it is answered, no timestamp up to `through` is given out any more, by whomever. May be repeated. */
  fenceTimestamps(through: number, done: (error: CoordinatorError | null) => void): void {
    const exchange = {
      method: "fenceTimestamps", ask: fenceLayout, answer: nothingLayout, silence: noRootAtAll,
    } as const;
    this.#ask(exchange, { through }, requestMs, (error) => done(error));
  }

  /** Whoever waits for timestamps hears so; other requests end with the transport. */
  close(): void {
    this.#group.close();
    this.#timestamps.close();
  }

  // oxlint-disable-next-line max-params
  #numbers(method: "timestamps" | "allocateIds", count: number, timeoutMs: number, done: RangeReply): void {
    const silence = method === "timestamps" ? noTimestamps : noIds;
    this.#ask<{ readonly count: number }, NumberRange>(
      { method, ask: countLayout, answer: rangeLayout, silence },
      { count },
      timeoutMs,
      (error, range) => {
        if (range === null || range.count === count) return done(error, range);
        done(new CoordinatorError("INVALID", `${count} numbers were asked for, and ${range.count} came`), null);
      },
    );
  }

  // oxlint-disable-next-line max-params
  #ask<Q, A>(
    { method, ask, answer, silence, anyMember = false }: Exchange<Q, A>,
    question: Q,
    timeoutMs: number,
    done: (error: CoordinatorError | null, value: A | null, why: RpcError | null) => void,
  ): void {
    const order: CallOrder = {
      method: coordinatorMethod[method],
      payload: encode(ask, question),
      timeoutMs,
      cls: messageClass.coordinator,
      traceId: 0,
      region: null,
    };
    this.#group.call(order, anyMember, (error, payload, hadNoAnswer) => {
      if (error !== null) return done(refusal(error, silence, hadNoAnswer), null, error);
      const decoded = decode(answer, payload);
      if (typeof decoded !== "string") return done(null, decoded.value, null);
      done(new CoordinatorError("INVALID", `the Coordinator's answer is malformed: ${decoded}`), null, null);
    });
  }
}

/** Of several attempts: what the last one says holds for the request only if no earlier one may have been executed. */
function refusal(error: RpcError, silence: Silence, hadNoAnswer: boolean): CoordinatorError {
  const told = fromRpcError(error, silence);
  if (!hadNoAnswer || mayHaveHappened(error)) return told;
  // The last one was refused, which says nothing of the first.
  const isRefused = told.code === silence.unavailable || told.code === "BUSY" || told.code === "STOPPED";
  if (isRefused) return new CoordinatorError(silence.undetermined, told.message);
  if (!isEpochMismatch(error)) return told;
  return new CoordinatorError(silence.undetermined, `it may have been done by an earlier attempt: ${told.message}`);
}
