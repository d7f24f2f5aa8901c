import type { Transport } from "../net/rpc/transport.ts";
import type { VarTree } from "./metrics-text.ts";

export function transportVars(transport: Transport): VarTree {
  const { statistics } = transport;
  const state = transport.state();
  return {
    connections: state.connections,
    connections_opened: statistics.connectionsOpened,
    connections_accepted: statistics.connectionsAccepted,
    connections_lost: statistics.connectionsLost,
    refusals: statistics.refusals,
    malformed: statistics.malformed,
    slow_peers: statistics.slowPeers,
    silent_peers: statistics.silentPeers,
    bytes_in: statistics.bytesIn,
    bytes_out: statistics.bytesOut,
    frames_in: statistics.framesIn,
    writes: statistics.writes,
    messages_dropped: statistics.messagesDropped,
    messages_superseded: statistics.messagesSuperseded,
    calls_pending: state.pendingCalls,
    calls_refused: statistics.callsRefused,
    requests_in_flight: state.inFlight,
    requests_refused: statistics.requestsRefused,
    requests_expired: statistics.requestsExpired,
    late_responses: statistics.lateResponses,
    streams_out: state.streamsOut,
    streams_in: state.streamsIn,
  };
}
