import { decode, encode, type Layout } from "../../core/bytes/layout.ts";
import type { Handler, IncomingRequest } from "../../net/rpc/incoming-request.ts";
import type { RangeReply } from "../allocators.ts";
import type { Coordinator } from "../coordinator.ts";
import { CoordinatorError } from "../coordinator-error.ts";
import { toRpcError } from "./errors.ts";
import {
  clusterLayout,
  countLayout,
  type ClusterIdentity,
  nothingLayout,
  operatorsLayout,
  publishedLayout,
  publishRequestLayout,
  rangeLayout,
  regionHeartbeatLayout,
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

/** Answers the Coordinator's methods on `table`. Once per table; it ends with the transport. */
export function serveCoordinator(table: HandlerTable, coordinator: Coordinator): void {
  const on = <Q>(method: number, layout: Layout<Q>, answer: (question: Q, request: IncomingRequest) => void): void => {
    table.handle(method, (request) => {
      const decoded = decode(layout, request.payload);
      if (typeof decoded === "string") request.fail({ kind: "malformed", reason: decoded });
      else answer(decoded.value, request);
    });
  };
  const { timestamps, allocateIds, route, publish, bootstrap } = coordinatorMethod;
  on(timestamps, countLayout, ({ count }, request) => coordinator.timestamps(count, rangeReply(request)));
  on(allocateIds, countLayout, ({ count }, request) => coordinator.allocateIds(count, rangeReply(request)));
  on(route, routeRequestLayout, (question, request) => {
    const answer = coordinator.route(question);
    if (answer instanceof CoordinatorError) request.fail(toRpcError(answer));
    else respond(request, routeAnswerLayout, answer);
  });
  on(publish, publishRequestLayout, ({ event, expectedClusterEpoch }, request) => {
    coordinator.publish(event, expectedClusterEpoch, (error, published) => {
      if (error !== null) request.fail(toRpcError(error));
      else if (published !== null) respond(request, publishedLayout, published);
    });
  });
  on(bootstrap, clusterLayout, (wanted, request) => answerBootstrap(coordinator, wanted, request));
  on(coordinatorMethod.regionHeartbeat, regionHeartbeatLayout, (heartbeat, request) => {
    coordinator.regionHeartbeat(heartbeat, (error, known) => {
      if (error !== null) request.fail(toRpcError(error, known));
      else respond(request, nothingLayout, {});
    });
  });
  on(coordinatorMethod.storeHeartbeat, storeHeartbeatLayout, (heartbeat, request) => {
    coordinator.storeHeartbeat(heartbeat, (error, operators) => {
      if (error !== null) request.fail(toRpcError(error));
      else respond(request, operatorsLayout, { operators });
    });
  });
  on(coordinatorMethod.stores, nothingLayout, (_, request) => {
    respond(request, storesLayout, { stores: coordinator.stores() });
  });
  on(coordinatorMethod.transitions, nothingLayout, (_, request) => {
    respond(request, transitionsLayout, coordinator.transitions());
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
