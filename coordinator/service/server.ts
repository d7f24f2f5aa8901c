import { decode, encode, type Layout } from "../../core/bytes/layout.ts";
import type { Handler, IncomingRequest } from "../../net/rpc/incoming-request.ts";
import type { RangeReply } from "../allocators.ts";
import type { Coordinator } from "../coordinator.ts";
import { CoordinatorError } from "../coordinator-error.ts";
import type { RouteRequest } from "../route.ts";
import { toRpcError } from "./errors.ts";
import {
  clusterLayout,
  countLayout,
  fenceLayout,
  descriptorLayout,
  type ClusterIdentity,
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
import { coordinatorMethod } from "./methods.ts";

/** The part of a transport that answers. */
export interface HandlerTable {
  handle(method: number, handler: Handler): void;
}

/** An answer is not longer: it has to fit its frame. */
const answerBytesMax = 1024 * 1024 - 256;

/**
 * Answers the Coordinator's methods on `table`. Once per table; it ends with the transport. `isFounded`: the cluster
 * has its name and its first regions; before that nobody is told anything.
 */
export function serveCoordinator(table: HandlerTable, coordinator: Coordinator, isFounded = always): void {
  const on = <Q>(method: number, layout: Layout<Q>, answer: (question: Q, request: IncomingRequest) => void): void => {
    table.handle(method, (request) => {
      const decoded = decode(layout, request.payload);
      if (typeof decoded === "string") request.fail({ kind: "malformed", reason: decoded });
      else if (!isFounded()) request.fail(toRpcError(new CoordinatorError("NOT_LEADER", "the cluster begins")));
      else answer(decoded.value, request);
    });
  };
  /** For what must not be older than the request: a member that was deposed may not know it yet. */
  const confirmed = (request: IncomingRequest, answer: () => void): void => {
    coordinator.confirm((error) => (error === null ? answer() : request.fail(toRpcError(error))));
  };
  const { timestamps, allocateIds, route, publish, bootstrap } = coordinatorMethod;
  on(timestamps, countLayout, ({ count }, request) => coordinator.timestamps(count, rangeReply(request)));
  on(allocateIds, countLayout, ({ count }, request) => coordinator.allocateIds(count, rangeReply(request)));
  on(route, routeRequestLayout, (question, request) => answerRoute(coordinator, question, request));
  on(publish, publishRequestLayout, ({ event, expectedClusterEpoch }, request) => {
    coordinator.publish(event, expectedClusterEpoch, (error, published) => {
      if (error !== null) request.fail(toRpcError(error));
      else if (published !== null) respond(request, publishedLayout, published);
    });
  });
  on(bootstrap, clusterLayout, (wanted, request) => {
    confirmed(request, () => answerBootstrap(coordinator, wanted, request));
  });
  on(coordinatorMethod.regionHeartbeat, regionHeartbeatLayout, (heartbeat, request) => {
    coordinator.regionHeartbeat(heartbeat, (error, known, office) => {
      if (error !== null) request.fail(toRpcError(error, known));
      else respond(request, officeLayout, { office });
    });
  });
  on(coordinatorMethod.storeHeartbeat, storeHeartbeatLayout, (heartbeat, request) => {
    coordinator.storeHeartbeat(heartbeat, (error, operators, office) => {
      if (error !== null) request.fail(toRpcError(error));
      else respond(request, operatorsLayout, { office, operators });
    });
  });
  on(coordinatorMethod.fenceTimestamps, fenceLayout, ({ through }, request) => {
    coordinator.fenceTimestamps(through, (error) => {
      if (error !== null) request.fail(toRpcError(error));
      else respond(request, nothingLayout, {});
    });
  });
  on(coordinatorMethod.stores, nothingLayout, (_, request) => {
    confirmed(request, () => respond(request, storesLayout, { stores: coordinator.stores() }));
  });
  on(coordinatorMethod.descriptor, regionIdLayout, ({ regionId }, request) => {
    respond(request, descriptorLayout, { region: coordinator.descriptor(regionId) });
  });
  on(coordinatorMethod.transitions, nothingLayout, (_, request) => {
    confirmed(request, () => respond(request, transitionsLayout, coordinator.transitions()));
  });
}

function always(): boolean {
  return true;
}

/** A strong route has everything that was published before it was asked for. */
function answerRoute(coordinator: Coordinator, question: RouteRequest, request: IncomingRequest): void {
  const answer = (asked: RouteRequest): void => {
    const found = coordinator.route(asked);
    if (found instanceof CoordinatorError) request.fail(toRpcError(found));
    else respond(request, routeAnswerLayout, found);
  };
  if (question.freshness !== "STRONG") return answer(question);
  // Keys are of the request's own memory, which is gone when it has been handled.
  const kept = { ...question, key: question.key.slice() };
  coordinator.confirm((error) => {
    if (error === null) answer(kept);
    else if (error.code === "NOT_LEADER") request.fail(toRpcError(error));
    else request.fail(toRpcError(new CoordinatorError("ROUTE_UNAVAILABLE", error.message)));
  });
}

/** Whoever comes first names the cluster; everybody else learns its name. */
function answerBootstrap(coordinator: Coordinator, wanted: ClusterIdentity, request: IncomingRequest): void {
  const answer = (): void => {
    const { clusterId, clusterVersion } = coordinator.state;
    respond(request, clusterLayout, { clusterId, clusterVersion });
  };
  if (wanted.clusterId === 0 || coordinator.state.clusterId !== 0) return answer();
  // Two who come at once: the second event is refused, and its sender is told the first one's id all the same.
  coordinator.publish({ kind: "ClusterBootstrapped", ...wanted }, 0, (error) => {
    if (error === null) answer();
    else request.fail(toRpcError(error));
  });
}

function rangeReply(request: IncomingRequest): RangeReply {
  return (error, range) => {
    if (error !== null) request.fail(toRpcError(error));
    else if (range !== null) respond(request, rangeLayout, range);
  };
}

function respond<A>(request: IncomingRequest, layout: Layout<A>, answer: A): void {
  const payload = encode(layout, answer);
  if (payload.length <= answerBytesMax) request.respond(payload);
  else request.fail({ kind: "entry-too-large", sizeBytes: payload.length, maxBytes: answerBytesMax });
}
