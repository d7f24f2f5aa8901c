import type { Clock, Timer } from "../../core/env/clock.ts";
import type {
  Address,
  Connection,
  ConnectionHandler,
  Network,
  NetworkError,
} from "../../core/env/network.ts";
import type { Reply } from "./reply.ts";
import { ReplyError, ReplyParser } from "./reply-parser.ts";
import { RequestEncoder, type Token } from "./request-encoder.ts";

/**
 * What became of a request. `error`: the server refused it. `undetermined`: it was handed to the network and
 * no reply came; it may have been executed, or be executed later. `not-sent`: it never left, and never will.
 */
export type RequestOutcome =
  | { readonly kind: "reply"; readonly reply: Reply }
  | { readonly kind: "error"; readonly code: string; readonly message: string }
  | { readonly kind: "undetermined"; readonly reason: string }
  | { readonly kind: "not-sent"; readonly reason: string };

export type RequestDone = (outcome: RequestOutcome) => void;

export interface ClientOptions {
  /** 3 sends HELLO 3 first. */
  readonly protocol: 2 | 3;
  /** Until the connection is open. */
  readonly connectMs: number;
  /** Without any reply while one is awaited; then the connection is given up. */
  readonly replyMs: number;
  /** Requests that await their reply; more are not sent. */
  readonly inFlightMax: number;
  /** What the server says unasked. */
  readonly onPush: (reply: Reply) => void;
}

const clientOptionsDefault: ClientOptions = {
  protocol: 2,
  connectMs: 5000,
  replyMs: 30_000,
  inFlightMax: 65_536,
  onPush: () => undefined,
};

type Phase = "connecting" | "open" | "closed";

/**
 * One connection to a Redis server. Requests may be sent at once and again before replies arrive; those of
 * one turn share a write. It does not reconnect: who wants to go on makes another client, and decides what to
 * do about requests whose outcome is not known.
 */
export class RedisClient implements ConnectionHandler {
  readonly #options: ClientOptions;
  readonly #clock: Clock;
  readonly #connection: Connection;
  readonly #parser = new ReplyParser();
  readonly #encoder = new RequestEncoder();
  /** Awaiting replies, oldest first, from `#first` on. */
  #awaiting: RequestDone[] = [];
  #first = 0;
  /** How many of them have been handed to the network. */
  #sent = 0;
  #phase: Phase = "connecting";
  #reason = "";
  #flushAsked = false;
  #timer: Timer | null = null;
  /** The last sign of life. */
  #aliveUs: number;
  readonly #closeCallbacks: (() => void)[] = [];

  constructor(
    world: { readonly network: Network; readonly clock: Clock },
    address: Address,
    options: Partial<ClientOptions> = {},
  ) {
    this.#options = { ...clientOptionsDefault, ...options };
    this.#clock = world.clock;
    this.#aliveUs = world.clock.monotonicUs();
    this.#connection = world.network.connect(address, this);
    this.#arm(this.#options.connectMs);
    if (this.#options.protocol === 3) this.send(["HELLO", "3"], (outcome) => this.#greeted(outcome));
  }

  /** Requests can be sent. */
  get open(): boolean {
    return this.#phase === "open";
  }

  get closed(): boolean {
    return this.#phase === "closed";
  }

  /** Why it was closed; "" before. */
  get closeReason(): string {
    return this.#reason;
  }

  get inFlight(): number {
    return this.#awaiting.length - this.#first;
  }

  /** `done` is called exactly once, never inside this call; after a crash of this incarnation, never. */
  send(tokens: readonly Token[], done: RequestDone): void {
    if (this.#phase === "closed" || this.inFlight >= this.#options.inFlightMax) {
      const reason = this.#phase === "closed" ? this.#reason : "too many requests await a reply";
      this.#clock.soon(() => done({ kind: "not-sent", reason }));
      return;
    }
    if (this.inFlight === 0) this.#aliveUs = this.#clock.monotonicUs();
    this.#encoder.append(tokens);
    this.#awaiting.push(done);
    if (this.#phase === "open") this.#askFlush();
  }

  request(tokens: readonly Token[]): Promise<RequestOutcome> {
    return new Promise((resolve) => this.send(tokens, resolve));
  }

  /** Gives the connection up; what awaits a reply is settled. */
  close(): void {
    this.#fail("closed by the client");
  }

  /** `callback` is called when the connection is gone; soon when it is already. */
  onceClosed(callback: () => void): void {
    if (this.#phase === "closed") this.#clock.soon(callback);
    else this.#closeCallbacks.push(callback);
  }

  onOpen(): void {
    if (this.#phase !== "connecting") return;
    this.#phase = "open";
    this.#aliveUs = this.#clock.monotonicUs();
    this.#timer?.cancel();
    this.#timer = null;
    this.#flush();
  }

  onData(bytes: Uint8Array): void {
    if (this.#phase === "closed") return;
    this.#aliveUs = this.#clock.monotonicUs();
    this.#parser.feed(bytes);
    try {
      for (let reply = this.#parser.next(); reply !== null; reply = this.#parser.next()) {
        this.#replied(reply);
        if ((this.#phase as Phase) === "closed") return;
      }
    } catch (error) {
      if (!(error instanceof ReplyError)) throw error;
      this.#fail(`reply not understood: ${error.message}`);
    }
  }

  onEnd(): void {
    this.#fail("the server hung up");
  }

  onDrain(): void {
    // Bounded by `inFlightMax`, not by the network.
  }

  onClose(error: NetworkError | null): void {
    this.#fail(error === null ? "the connection was closed" : error.message);
  }

  #replied(reply: Reply): void {
    if (reply.kind === "push") {
      this.#options.onPush(reply);
      return;
    }
    const done = this.#awaiting[this.#first];
    if (done === undefined || this.#sent === 0) {
      // A word before being asked: how a server says why it will not serve.
      this.#fail(reply.kind === "error" ? reply.text : "a reply without a request");
      return;
    }
    this.#first++;
    this.#sent--;
    if (this.#first === this.#awaiting.length || this.#first > 4096) {
      this.#awaiting = this.#awaiting.slice(this.#first);
      this.#first = 0;
    }
    done(reply.kind === "error" ? refusal(reply.text) : { kind: "reply", reply });
  }

  #greeted(outcome: RequestOutcome): void {
    if (outcome.kind === "error") this.#fail(`HELLO was refused: ${outcome.message}`);
  }

  #askFlush(): void {
    if (this.#flushAsked) return;
    this.#flushAsked = true;
    this.#clock.soon(() => {
      this.#flushAsked = false;
      if (this.#phase === "open") this.#flush();
    });
  }

  #flush(): void {
    if (this.#encoder.length === 0) return;
    this.#connection.write(this.#encoder.view());
    this.#encoder.clear();
    this.#sent = this.inFlight;
    if (this.#timer === null) this.#arm(this.#options.replyMs);
  }

  #arm(ms: number): void {
    this.#timer = this.#clock.after(ms * 1000, () => this.#timeUp());
  }

  /** One timer for all requests: it is renewed for as long as replies keep coming. */
  #timeUp(): void {
    this.#timer = null;
    if (this.#phase === "closed") return;
    if (this.#phase === "connecting") {
      this.#fail("no connection in time");
      return;
    }
    if (this.inFlight === 0) return;
    const silentUs = this.#clock.monotonicUs() - this.#aliveUs;
    const leftMs = this.#options.replyMs - Math.floor(silentUs / 1000);
    if (leftMs <= 0) this.#fail("no reply in time");
    else this.#arm(leftMs);
  }

  #fail(reason: string): void {
    if (this.#phase === "closed") return;
    this.#phase = "closed";
    this.#reason = reason;
    this.#timer?.cancel();
    this.#connection.destroy();
    const awaiting = this.#awaiting.slice(this.#first);
    const sent = this.#sent;
    this.#awaiting = [];
    this.#first = 0;
    this.#clock.soon(() => {
      for (const [i, done] of awaiting.entries()) {
        done({ kind: i < sent ? "undetermined" : "not-sent", reason });
      }
      for (const callback of this.#closeCallbacks) callback();
    });
  }
}

function refusal(text: string): RequestOutcome {
  const end = text.indexOf(" ");
  const code = end < 0 ? text : text.slice(0, end);
  // The server itself does not know: the connection is fine, the outcome is not.
  if (code === "UNDETERMINED") return { kind: "undetermined", reason: text };
  return { kind: "error", code, message: text };
}
