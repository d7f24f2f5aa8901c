// HOT: every request of a client passes here.
import { MalformedError } from "../../core/bytes/byte-reader.ts";
import { ByteWriter } from "../../core/bytes/byte-writer.ts";
import type { IncomingRequest } from "../../net/rpc/incoming-request.ts";
import type { RegionHint, RpcError } from "../../net/rpc/rpc-error.ts";
import { bodyBytesMaxControl } from "../../net/rpc/wire.ts";
import type { RegionHeader } from "../../net/rpc/request-codec.ts";
import { type RegionMeta, rangeContains } from "../../raft/region.ts";
import type { RegionMachine } from "../../raft/store/region-machine.ts";
import type { Command } from "../percolator/command.ts";
import { readsOf } from "../percolator/reads.ts";
import { type CommandLimits, commandLimitsDefault, commandProblem, keyOutside, limited } from "./command-check.ts";
import { readCommands } from "./command-codec.ts";
import { txnMethod } from "./methods.ts";
import type { RequestMeter } from "./request-meter.ts";
import { hintOf, notLeader, staleEpoch } from "./region-errors.ts";
import { type Answer, writeAnswers } from "./response-codec.ts";
import { TxnRegion } from "./txn-region.ts";
import type { TxnRequest } from "./txn-request.ts";

/** A replica on this store, as far as requests to it are concerned; a store's `PeerView` is one. */
export interface ServedRegion {
  readonly peerId: number;
  readonly region: RegionMeta;
  /** It does nothing until it is merged, or not. */
  readonly isMerging?: boolean;
  readonly machine: RegionMachine;
  /** 0: it does not lead. */
  readonly leadingTerm: number;
  /** 0: nobody knows. */
  readonly leaderStore: number;
}

/** Which replicas a store has. */
export interface RegionDirectory {
  region(id: number): ServedRegion | null;
  /** Ascending by id. */
  regions(): readonly ServedRegion[];
}

/** What one store takes in at a time, over all of its regions. */
export interface TxnServiceOptions {
  readonly commandsMax: number;
  readonly bytesMax: number;
  /** Commands of one request. */
  readonly commandsPerRequestMax: number;
  readonly limits: CommandLimits;
}

export const txnServiceOptionsDefault: TxnServiceOptions = {
  commandsMax: 32_768,
  bytesMax: 64 * 1024 * 1024,
  commandsPerRequestMax: 4_096,
  limits: commandLimitsDefault,
};

/** An answer shares its frame with what a response has around it. */
const responseBytesMax = bodyBytesMaxControl - 256;
const hintsMax = 16;
const busyMs = 20;

/** What is needed of an `IncomingRequest`. It is answered once. */
export type TxnCall = Pick<IncomingRequest, "region" | "deadlineUs" | "cancelled" | "keep" | "respond" | "fail">;

/** Takes the handlers of a transport's methods. */
interface Methods {
  handle(method: number, handler: (request: IncomingRequest) => void): void;
}

/**
 * Answers requests for transactions: finds the region's replica, checks that the caller means the region as it is, and
 * hands the commands to its machine, all in one turn. Whoever must ask elsewhere is told where, as far as it is known.
 */
export class RegionService {
  readonly #directory: RegionDirectory;
  readonly #options: TxnServiceOptions;
  readonly #meter: RequestMeter | null;
  readonly #writer = new ByteWriter();
  #commands = 0;
  #bytes = 0;

  constructor(
    directory: RegionDirectory,
    meter: RequestMeter | null = null,
    options: TxnServiceOptions = txnServiceOptionsDefault,
  ) {
    this.#directory = directory;
    this.#options = options;
    this.#meter = meter;
  }

  /** Commands that are not answered yet, and the bytes of their requests. */
  get load(): { readonly commands: number; readonly bytes: number } {
    return { commands: this.#commands, bytes: this.#bytes };
  }

  register(methods: Methods): void {
    methods.handle(txnMethod.execute, (request) => this.execute(request));
  }

  /** Answers `request`, now or later. */
  execute(request: TxnCall): void {
    // What is decoded borrows this copy until the last answer.
    const body = request.keep();
    const commands = this.#decode(body);
    if (typeof commands === "string") return request.fail({ kind: "malformed", reason: commands });
    const refusal = this.#overload(commands.length, body.length);
    if (refusal !== null) return request.fail(refusal);
    const found = this.#find(request.region, commands);
    if (!(found instanceof TxnRegion)) return request.fail(found);
    if (commands.length === 0) return request.respond(this.#encode([]));
    this.#meter?.note(request.region?.regionId ?? 0, commands);
    this.#commands += commands.length;
    this.#bytes += body.length;
    found.execute(this.#open(request, commands, body.length));
  }

  #open(request: TxnCall, commands: readonly Command[], bytes: number): TxnRequest {
    return {
      commands,
      version: request.region?.version ?? 0,
      deadlineUs: request.deadlineUs,
      get cancelled() {
        return request.cancelled;
      },
      done: (answers) => {
        this.#commands -= commands.length;
        this.#bytes -= bytes;
        this.#answer(request, answers);
      },
    };
  }

  #answer(request: TxnCall, answers: readonly Answer[]): void {
    const [first] = answers;
    // One error for all that was asked is the call's own.
    if (first?.kind === "error" && answers.every((answer) => isSameError(answer, first))) {
      return request.fail(first.error);
    }
    const body = this.#encode(answers);
    if (body.length <= responseBytesMax) return request.respond(body);
    // Of writes nothing can be said any more: their answers would have fitted without the reads beside them.
    request.fail({ kind: "undetermined", reason: `answers of ${body.length} bytes; at most ${responseBytesMax}` });
  }

  #encode(answers: readonly Answer[]): Uint8Array {
    const writer = this.#writer;
    writer.clear();
    writeAnswers(writer, answers);
    return writer.toBytes();
  }

  /** What is wrong with it, for people. */
  #decode(body: Uint8Array): Command[] | string {
    const { commandsPerRequestMax, limits } = this.#options;
    let commands: Command[];
    try {
      commands = readCommands(body);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      return error.message;
    }
    if (commands.length > commandsPerRequestMax) {
      return `${commands.length} commands in one request; at most ${commandsPerRequestMax}`;
    }
    for (const [i, command] of commands.entries()) {
      const problem = commandProblem(command);
      if (problem !== null) return `command ${i}, ${command.kind}: ${problem}`;
      commands[i] = limited(command, limits);
    }
    return commands;
  }

  #overload(commands: number, bytes: number): RpcError | null {
    const { commandsMax, bytesMax } = this.#options;
    if (this.#commands + commands > commandsMax) {
      return { kind: "server-busy", retryAfterMs: busyMs, reason: `${this.#commands} commands are under way` };
    }
    // A request that is alone is let in, whatever its size.
    if (this.#bytes === 0 || this.#bytes + bytes <= bytesMax) return null;
    return { kind: "server-busy", retryAfterMs: busyMs, reason: `${this.#bytes} bytes of requests are under way` };
  }

  /** The machine that may execute the commands now, or why there is none. */
  #find(header: RegionHeader | null, commands: readonly Command[]): TxnRegion | RpcError {
    if (header === null) return { kind: "malformed", reason: "a request for transactions names its region" };
    const { regionId, version, peerId } = header;
    const served = this.#directory.region(regionId);
    if (served === null || !(served.machine instanceof TxnRegion)) return { kind: "region-not-found", regionId };
    const { region, leaderStore } = served;
    if (served.leadingTerm === 0) return notLeader(region, leaderStore);
    if (served.isMerging === true) {
      return { kind: "server-busy", retryAfterMs: busyMs, reason: `region ${regionId} is being merged` };
    }
    if (version !== region.epoch.version || (peerId !== 0 && peerId !== served.peerId)) {
      return staleEpoch(...this.#hints(served, commands));
    }
    for (const command of commands) {
      const key = keyOutside(region, command);
      if (key === null) continue;
      return { kind: "key-not-in-region", regionId, key, start: region.start, end: region.end };
    }
    return served.machine;
  }

  /** The region as it is, and where on this store the rest of what was asked for lies now. */
  #hints(served: ServedRegion, commands: readonly Command[]): RegionHint[] {
    const hints = [hintOf(served.region, served.leaderStore)];
    const keys = commands.flatMap((command) => {
      const { keys: points, ranges } = readsOf(command);
      return [...points, ...ranges.map(({ start }) => start)];
    });
    for (const other of this.#directory.regions()) {
      if (hints.length >= hintsMax) break;
      if (other.region.id === served.region.id || !keys.some((key) => rangeContains(other.region, key))) continue;
      hints.push(hintOf(other.region, other.leaderStore));
    }
    return hints;
  }
}

function isSameError(answer: Answer, first: Extract<Answer, { readonly kind: "error" }>): boolean {
  return answer.kind === "error" && answer.error.kind === first.error.kind;
}
