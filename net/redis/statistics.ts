import { LatencyHistogram } from "../../core/stats/latency-histogram.ts";

/** Counters of a gateway since its start or CONFIG RESETSTAT. */
export class Statistics {
  connectionsReceived = 0;
  connectionsRejected = 0;
  commandsProcessed = 0;
  errorReplies = 0;
  protocolErrors = 0;
  inputBytes = 0;
  outputBytes = 0;
  outputLimitDisconnections = 0;
  queryLimitDisconnections = 0;
  /** By `Entry.index`; unknown commands have no entry, so their number is not up to clients. */
  readonly calls: Float64Array;
  readonly rejectedCalls: Float64Array;
  /** From what a client sent last to the moment when all that it asked is answered, µs. */
  readonly latencies = new LatencyHistogram();

  constructor(commandCount: number) {
    this.calls = new Float64Array(commandCount);
    this.rejectedCalls = new Float64Array(commandCount);
  }

  reset(): void {
    this.connectionsReceived = 0;
    this.connectionsRejected = 0;
    this.commandsProcessed = 0;
    this.errorReplies = 0;
    this.protocolErrors = 0;
    this.inputBytes = 0;
    this.outputBytes = 0;
    this.outputLimitDisconnections = 0;
    this.queryLimitDisconnections = 0;
    this.calls.fill(0);
    this.rejectedCalls.fill(0);
    this.latencies.reset();
  }
}
