// HOT: every command of this process leaves here.
import { MalformedError } from "../../core/bytes/byte-reader.ts";
import { ByteWriter } from "../../core/bytes/byte-writer.ts";
import type { Clock } from "../../core/env/clock.ts";
import type { Caller } from "../../coordinator/service/group-caller.ts";
import type { CallHandle } from "../../net/rpc/call.ts";
import type { RpcError } from "../../net/rpc/rpc-error.ts";
import { messageClass } from "../../net/rpc/wire.ts";
import type { Command } from "../percolator/command.ts";
import { commandFormatVersion, writeCommand } from "../server/command-codec.ts";
import { txnMethod } from "../server/methods.ts";
import { type Answer, readAnswers } from "../server/response-codec.ts";
import { type CommandOutcome, isAnswer, outcomeOf } from "./command-outcome.ts";
import type { Region } from "../client/region-cache.ts";
import type { RegionPlaces } from "./region-places.ts";
import type { StoreLiveness } from "./store-liveness.ts";

export interface SenderParts {
  readonly clock: Clock;
  readonly caller: Caller;
  readonly places: RegionPlaces;
  readonly liveness: StoreLiveness;
  /** A request that is not answered by then is given up; one to a store that was too slow for that gets more. */
  readonly attemptMs: number;
}

/** Commands of one request, and their bytes, unless one alone has more. */
const commandsMax = 256;
const requestBytesMax = 256 * 1024;
/** A store that needs less than one part in so many of its time gets less of it. */
const quickPart = 4;
/** So often a command follows the word of a store about who leads, before it waits as others do. */
const hopsMax = 2;

export interface SendOrder {
  readonly region: Region;
  readonly command: Command;
  /** Of what it is a part of, on the monotonic clock; in the past: it has its time as what follows has. */
  readonly deadlineUs: number;
}

/** A command on its way. */
class Sending {
  readonly isRead: boolean;
  /** As it travels. */
  readonly bytes: Uint8Array;
  readonly region: Region;
  readonly deadlineUs: number;
  hops = 0;
  isOver = false;
  request: Request | null = null;
  readonly #done: (outcome: CommandOutcome) => void;

  constructor({ region, command, deadlineUs }: SendOrder, done: (outcome: CommandOutcome) => void) {
    this.region = region;
    this.deadlineUs = deadlineUs;
    this.isRead = isRead(command);
    const writer = new ByteWriter();
    writeCommand(writer, command);
    this.bytes = writer.toBytes();
    this.#done = done;
  }

  finish(outcome: CommandOutcome): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#done(outcome);
  }

  /** Nobody wants to hear of it any more. */
  cancel(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.request?.cancelled();
  }
}

/** Whom it went to, when, and how long its answer is waited for. */
interface Attempt {
  readonly store: number;
  readonly timeoutMs: number;
  readonly sentUs: number;
}

/** One call to one store, with commands for one region. */
class Request {
  readonly sendings: readonly Sending[];
  readonly attempt: Attempt;
  handle: CallHandle | null = null;
  #wanted: number;

  constructor(sendings: readonly Sending[], attempt: Attempt) {
    this.sendings = sendings;
    this.attempt = attempt;
    this.#wanted = sendings.length;
    for (const sending of sendings) sending.request = this;
  }

  cancelled(): void {
    if (--this.#wanted === 0) this.handle?.cancel();
  }
}

/**
 * Sends commands to the stores that lead their regions. What one turn asks of one region goes in one request, reads and
 * writes apart: a read does not wait for the consensus that a write takes. Each command is sent at most once at a time,
 * and sent again only when a store has said that it did not execute it and who leads.
 */
export class CommandSender {
  readonly #parts: SenderParts;
  readonly #batches = new Map<string, Sending[]>();
  #scheduled = false;

  constructor(parts: SenderParts) {
    this.#parts = parts;
  }

  /** `done` is called once, on a later turn; after `cancel`, not at all. */
  send(order: SendOrder, done: (outcome: CommandOutcome) => void): CallHandle {
    const sending = new Sending(order, done);
    this.#enqueue(sending);
    return sending;
  }

  #enqueue(sending: Sending): void {
    const { region } = sending;
    const key = `${region.id}/${region.version}/${sending.isRead ? "r" : "w"}`;
    const batch = this.#batches.get(key);
    if (batch === undefined) this.#batches.set(key, [sending]);
    else batch.push(sending);
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#parts.clock.soon(() => this.#flush());
  }

  #flush(): void {
    this.#scheduled = false;
    const batches = [...this.#batches.values()];
    this.#batches.clear();
    for (const batch of batches) {
      let from = 0;
      while (from < batch.length) from = this.#sendSome(batch, from);
    }
  }

  /** One request; returns the index of the first command that is not in it. */
  #sendSome(batch: readonly Sending[], from: number): number {
    const wanted: Sending[] = [];
    let bytes = 0;
    let at = from;
    for (; at < batch.length && wanted.length < commandsMax && bytes < requestBytesMax; at++) {
      const sending = batch[at] as Sending;
      if (sending.isOver) continue;
      if (wanted.length > 0 && bytes + sending.bytes.length > requestBytesMax) break;
      wanted.push(sending);
      bytes += sending.bytes.length;
    }
    const first = wanted[0];
    if (first !== undefined) this.#sendTo(first.region, wanted);
    return at;
  }

  #sendTo(region: Region, sendings: readonly Sending[]): void {
    const { clock, caller, places, liveness } = this.#parts;
    const store = places.target(region.id, (each) => liveness.avoids(each));
    // Only a route that has not been seen for long: whoever asked will ask for it again.
    if (store === 0) return this.#failAll(sendings, { kind: "region-not-found", regionId: region.id });
    const writer = new ByteWriter();
    writer.u8(commandFormatVersion);
    writer.varint(sendings.length);
    for (const { bytes } of sendings) writer.raw(bytes);
    const timeoutMs = this.#timeoutMs(store, sendings);
    const request = new Request(sendings, { store, timeoutMs, sentUs: clock.monotonicUs() });
    request.handle = caller.call(
      store,
      {
        method: txnMethod.execute,
        payload: writer.toBytes(),
        timeoutMs,
        cls: messageClass.client,
        traceId: 0,
        region: places.header(region),
      },
      (error, payload) => this.#answered(request, error, payload),
    );
  }

  /** No attempt takes all the time there is: a leader that is silent must not be all that was tried. */
  #timeoutMs(store: number, sendings: readonly Sending[]): number {
    const { clock, liveness } = this.#parts;
    const attemptMs = this.#parts.attemptMs * liveness.patience(store);
    const nowUs = clock.monotonicUs();
    let timeoutMs = 1;
    for (const { deadlineUs } of sendings) {
      const halfMs = deadlineUs > nowUs ? Math.ceil((deadlineUs - nowUs) / 2_000) : attemptMs;
      timeoutMs = Math.max(timeoutMs, Math.min(attemptMs, halfMs));
    }
    return timeoutMs;
  }

  #answered(request: Request, error: RpcError | null, payload: Uint8Array): void {
    this.#judge(request, error);
    const { sendings, attempt: { store } } = request;
    // Whoever is told may send at once: first everybody's request is over.
    for (const sending of sendings) sending.request = null;
    if (error?.kind === "undetermined" && sendings.length > 1 && sendings.every(({ isRead }) => isRead)) {
      return this.#halve(sendings);
    }
    if (error !== null) {
      this.#learn(sendings, store, error);
      for (const sending of sendings) this.#failed(sending, store, error);
      return;
    }
    const answers = answersIn(payload);
    for (const [i, sending] of sendings.entries()) {
      const answer = answers[i];
      if (answer === undefined || answers.length !== sendings.length) {
        sending.finish({ kind: "lost" });
      } else if (answer.kind === "response") {
        sending.finish(answer);
      } else {
        this.#learn([sending], store, answer.error);
        this.#failed(sending, store, answer.error);
      }
    }
  }

  /** What an outcome says of the store. */
  #judge({ attempt: { store, timeoutMs, sentUs } }: Request, error: RpcError | null): void {
    const { clock, liveness } = this.#parts;
    if (error === null) liveness.executed(store, quickPart * (clock.monotonicUs() - sentUs) < 1_000 * timeoutMs);
    else if (isAnswer(error)) liveness.answered(store);
    else if (error.kind !== "cancelled") liveness.failed(store, error.kind === "deadline-exceeded" && error.sent);
  }

  /** Their answers together may be more than a response holds; to ask for a part of them once more harms nobody. */
  #halve(sendings: readonly Sending[]): void {
    const wanted = sendings.filter(({ isOver }) => !isOver);
    const half = Math.ceil(wanted.length / 2);
    for (const part of [wanted.slice(0, half), wanted.slice(half)]) {
      const first = part[0];
      if (first !== undefined) this.#sendTo(first.region, part);
    }
  }

  /** What an error tells of the region, or of the store that should lead it. */
  #learn(sendings: readonly Sending[], store: number, error: RpcError): void {
    const { places } = this.#parts;
    const region = sendings[0]?.region;
    if (region === undefined) return;
    if (error.kind === "epoch-not-match") {
      for (const hint of error.current) places.learnHint(hint, region.id, store);
    } else if (error.kind === "not-leader") {
      places.passOver(region.id, store);
      if (error.leaderStore !== 0 && error.leaderStore !== store) places.lead(region.id, error.leaderStore);
    } else if (error.kind !== "server-busy" && error.kind !== "cancelled") {
      places.passOver(region.id, store);
    }
  }

  #failed(sending: Sending, store: number, error: RpcError): void {
    const isHint = error.kind === "not-leader" && error.leaderStore !== 0 && error.leaderStore !== store;
    if (isHint && !sending.isOver && sending.hops < hopsMax) {
      sending.hops++;
      this.#enqueue(sending);
    } else {
      sending.finish(outcomeOf(error));
    }
  }

  /** Later, for nobody is told inside the call that asked. */
  #failAll(sendings: readonly Sending[], error: RpcError): void {
    this.#parts.clock.soon(() => {
      for (const sending of sendings) sending.finish(outcomeOf(error));
    });
  }
}

function isRead({ kind }: Command): boolean {
  return kind === "get" || kind === "scan" || kind === "refresh" || kind === "scan-locks";
}

/** None where they can not be understood: what they were about may have been executed. */
function answersIn(payload: Uint8Array): readonly Answer[] {
  try {
    // What was read keeps parts of it, and the network will use its own again.
    return readAnswers(payload.slice());
  } catch (error) {
    if (error instanceof MalformedError) return [];
    throw error;
  }
}
