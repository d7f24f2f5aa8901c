// HOT: the turn of one client: bytes in, requests executed, replies out in one write.
import type { Connection, ConnectionHandler, NetworkError } from "../../core/env/network.ts";
import { keyLengthMax } from "../../core/bytes/record.ts";
import { Call } from "./call.ts";
import type { Entry } from "./command-table.ts";
import { errorText } from "./error-text.ts";
import type { Client, Gateway } from "./gateway.ts";
import type { QueuedTransaction } from "./queued-transaction.ts";
import { ReplyQueue } from "./reply-queue.ts";
import { type ParserState, RequestParser } from "./request-parser.ts";
import { Session } from "./session.ts";
import { unknownCommandText, unknownSubcommandText, wrongArityText } from "./unknown-command.ts";

/** Who runs the turns of a connection. */
export interface ConnectionOwner {
  /** Calls `turn` soon, once, however often it was asked. */
  wake(connection: GatewayConnection): void;
  /** Calls `check` now and then until it returns false. */
  watch(): void;
  closed(connection: GatewayConnection): void;
}

/** `leaving`: nothing more is read; what is pending is answered, then the connection ends. */
type Phase = "open" | "leaving" | "ended" | "closed";

/** The server's side of one client connection. */
export class GatewayConnection implements ConnectionHandler, Client {
  readonly session: Session;
  readonly #gateway: Gateway;
  readonly #owner: ConnectionOwner;
  readonly #network: Connection;
  readonly #parser: RequestParser;
  readonly #queue: ReplyQueue;
  readonly #call: Call;
  #phase: Phase = "open";
  /** `#work` is on the stack. */
  #working = false;
  /** Requests wait in the parser although it was their turn. */
  #backlog = false;
  /** The network has taken too little; `onDrain` will tell. */
  #throttled = false;
  #paused = false;
  /** The client will send no more. */
  #inputEnded = false;
  /** Since when a request has been incomplete; -1: none is. */
  #incompleteSinceUs = -1;
  /** Since when the client has been expected to close its side. */
  #endedUs = 0;

  constructor(gateway: Gateway, owner: ConnectionOwner, network: Connection, id: number) {
    this.#gateway = gateway;
    this.#owner = owner;
    this.#network = network;
    this.session = new Session(id, network.remote, gateway.clock.monotonicUs(), gateway.open);
    this.#parser = new RequestParser(gateway.options, !gateway.open);
    this.#queue = new ReplyQueue(gateway.writers, () => this.#replied());
    this.#call = new Call(gateway, this.session, this.#parser.args, this.#queue);
  }

  get queuedBytes(): number {
    return this.#parser.bufferedBytes;
  }

  get replyBytes(): number {
    return this.#queue.heldBytes + (this.#phase === "closed" ? 0 : this.#network.pendingBytes());
  }

  onOpen(): void {
    // An accepted connection is open from the start.
  }

  onData(bytes: Uint8Array): void {
    this.#gateway.statistics.inputBytes += bytes.length;
    if (this.#phase !== "open") return;
    if (this.#parser.bufferedBytes > this.#gateway.options.requestBytesMax) {
      this.#gateway.statistics.queryLimitDisconnections++;
      this.#network.destroy();
      return;
    }
    this.#parser.feed(bytes);
    this.#work();
  }

  onEnd(): void {
    this.#inputEnded = true;
    if (this.#phase === "open" && !this.#backlog) this.#leave();
  }

  onDrain(): void {
    if (!this.#throttled) return;
    this.#throttled = false;
    // While replies did not leave, the client could not be expected to finish its request.
    if (this.#incompleteSinceUs >= 0) this.#incompleteSinceUs = this.#gateway.clock.monotonicUs();
    this.#owner.wake(this);
  }

  onClose(error: NetworkError | null): void {
    void error;
    this.#phase = "closed";
    this.#queue.close();
    this.#owner.closed(this);
  }

  /** Says `text` instead of serving. */
  refuse(text: string): void {
    this.#queue.writer(2).error(text);
    this.#phase = "leaving";
    this.#owner.wake(this);
  }

  /** Answers what was begun, then hangs up. */
  shutDown(): void {
    if (this.#phase === "open") this.#leave();
  }

  /** Hangs up at once; pending replies are lost. */
  abort(): void {
    if (this.#phase !== "closed") this.#network.destroy();
  }

  /** Goes on with what had to wait. */
  turn(): void {
    if (this.#phase === "closed" || this.#phase === "ended") return;
    if (this.#phase === "open" && this.#backlog) this.#work();
    else this.#finishTurn();
  }

  /** Enforces the limits on time. False: nothing here needs watching. */
  check(nowUs: number): boolean {
    const { incompleteMs, idleMs, lingerMs } = this.#gateway.options;
    if (this.#phase === "ended") {
      if (nowUs - this.#endedUs >= lingerMs * 1000) this.#network.destroy();
      return true;
    }
    if (this.#phase !== "open") return false;
    if (this.#incompleteSinceUs >= 0 && !this.#throttled) {
      if (nowUs - this.#incompleteSinceUs >= incompleteMs * 1000) {
        this.#giveUp("timeout in the middle of a request");
      }
      return true;
    }
    if (idleMs === 0) return false;
    if (this.#queue.inFlight === 0 && nowUs - this.session.activeUs >= idleMs * 1000) this.#leave();
    return true;
  }

  /** An answer came from the store. */
  #replied(): void {
    if (this.#working) return;
    // Alone, it is sent at once; among others of one group commit, together with them.
    if (this.#queue.inFlight === 0 && !this.#backlog) this.#finishTurn();
    else this.#owner.wake(this);
  }

  #mayExecute(): boolean {
    const { outputBytesPause } = this.#gateway.options;
    const queue = this.#queue;
    if (this.#phase !== "open" || this.#throttled || queue.blocked) return false;
    return queue.inFlight < this.#gateway.inFlightMax && queue.heldBytes < outputBytesPause;
  }

  #work(): void {
    this.#working = true;
    this.session.activeUs = this.#gateway.clock.monotonicUs();
    let state: ParserState | "later" = "later";
    for (let budget = this.#gateway.options.requestsPerTurnMax; budget > 0; budget--) {
      if (!this.#mayExecute()) break;
      state = this.#parser.next();
      if (state !== "request") break;
      this.#dispatch();
      state = "later";
    }
    this.#working = false;
    if (this.#phase !== "closed") this.#parser.retain();
    this.#backlog = state === "later" && this.#parser.bufferedBytes > 0;
    if (state === "failed") this.#protocolError();
    else this.#watchIncomplete(state === "more" && this.#parser.incomplete);
    if (this.#inputEnded && !this.#backlog && this.#phase === "open") this.#phase = "leaving";
    this.#finishTurn();
  }

  #dispatch(): void {
    const { session } = this;
    session.skips = session.skipsNext;
    session.skipsNext = false;
    this.#queue.muted = session.silent || session.skips;
    const { transaction } = session;
    const entry = this.#resolve();
    if (entry === null) {
      if (transaction !== null) transaction.broken = true;
      return;
    }
    if (transaction !== null && entry.inTransaction !== "immediate") {
      this.#enqueue(transaction, entry);
      return;
    }
    const { statistics } = this.#gateway;
    statistics.commandsProcessed++;
    statistics.calls[entry.index] = (statistics.calls[entry.index] as number) + 1;
    session.lastCommand = entry.command.name;
    entry.command.run(this.#call);
    this.#parser.restricted = !session.authenticated;
    if (session.leaving && this.#phase === "open") this.#phase = "leaving";
  }

  /** Between MULTI and EXEC. */
  #enqueue(transaction: QueuedTransaction, entry: Entry): void {
    const { requestBytesMax } = this.#gateway.options;
    const { inTransaction } = entry;
    if (inTransaction !== "refused" && transaction.add(entry, this.#parser.args, requestBytesMax)) {
      this.#call.reply.simple("QUEUED");
      return;
    }
    transaction.broken = true;
    const tooLong = `ERR transaction is longer than ${requestBytesMax} bytes`;
    this.#reject(entry, inTransaction === "refused" ? errorText.notInTransaction : tooLong);
  }

  /** The command of the request when it may run; null when the request is answered already. */
  #resolve(): Entry | null {
    const { args } = this.#parser;
    const table = this.#gateway.commands;
    let entry = table.find(args, 0);
    if (entry === null) {
      if (args.is(0, "post") || args.is(0, "host:")) this.#expel();
      else this.#reject(null, unknownCommandText(args));
      return null;
    }
    if (entry.subcommands.length > 0 && args.count > 1) {
      const subcommand = table.findSubcommand(entry, args);
      if (subcommand === null) return this.#reject(entry, unknownSubcommandText(entry, args));
      entry = subcommand;
    }
    if (!entry.accepts(args.count)) return this.#reject(entry, this.#wrongArity(entry));
    if (!this.session.authenticated && !entry.noAuth) return this.#reject(entry, errorText.noAuth);
    if (entry.firstKey > 0) {
      const last = entry.lastKey < 0 ? args.count + entry.lastKey : entry.lastKey;
      for (let i = entry.firstKey; i <= last; i += entry.keyStep) {
        if (args.length(i) > keyLengthMax) {
          return this.#reject(entry, `ERR key is longer than ${keyLengthMax} bytes`);
        }
      }
    }
    return entry;
  }

  /** EXEC that is not understood ends the transaction, as with Redis. */
  #wrongArity(entry: Entry): string {
    const text = wrongArityText(entry);
    if (entry.command.name !== "exec" || this.session.transaction === null) return text;
    this.session.endTransaction();
    return `EXECABORT Transaction discarded because of: ${text.slice("ERR ".length)}`;
  }

  #reject(entry: Entry | null, text: string): null {
    const { rejectedCalls } = this.#gateway.statistics;
    if (entry !== null) rejectedCalls[entry.index] = (rejectedCalls[entry.index] as number) + 1;
    this.#call.error(text);
    return null;
  }

  /** An HTTP client, that is, a web page that was made to talk to us: not a word about it. */
  #expel(): void {
    this.#gateway.trace.emit("redis/cross-protocol", { client: this.session.id });
    this.#leave();
  }

  #protocolError(): void {
    this.#gateway.statistics.protocolErrors++;
    this.#giveUp(`Protocol error: ${this.#parser.failure}`);
  }

  #giveUp(why: string): void {
    this.#queue.muted = false;
    this.#call.error(`ERR ${why}`);
    this.#leave();
  }

  #leave(): void {
    this.#phase = "leaving";
    if (!this.#working) this.#finishTurn();
  }

  /** Sends what is ready and settles how the connection goes on. */
  #finishTurn(): void {
    this.#flush();
    if (this.#phase === "leaving" && this.#queue.inFlight === 0 && this.#queue.output === null) {
      this.#phase = "ended";
      this.#endedUs = this.#gateway.clock.monotonicUs();
      this.#network.end();
      this.#resume();
      this.#owner.watch();
      return;
    }
    if (this.#phase !== "open") return;
    if (this.#backlog && this.#mayExecute()) this.#owner.wake(this);
    if (this.#backlog || this.#throttled) this.#pause();
    else this.#resume();
  }

  #flush(): void {
    const output = this.#queue.output;
    if (output === null) return;
    const { statistics, options } = this.#gateway;
    statistics.errorReplies += output.errors;
    output.errors = 0;
    if (output.length > 0 && this.#phase !== "ended" && this.#phase !== "closed") {
      if (output.length + this.#network.pendingBytes() > options.outputBytesMax) {
        statistics.outputLimitDisconnections++;
        this.#gateway.trace.emit("redis/output-limit", { client: this.session.id, bytes: output.length });
        this.#phase = "ended";
        this.#network.destroy();
      } else {
        statistics.outputBytes += output.length;
        if (this.#queue.inFlight === 0 && !this.#backlog) {
          statistics.latencies.record(this.#gateway.clock.monotonicUs() - this.session.activeUs);
        }
        const taken = this.#network.write(output.view());
        if (!taken && this.#network.pendingBytes() >= options.outputBytesPause) this.#throttled = true;
      }
    }
    this.#queue.releaseOutput();
  }

  #watchIncomplete(incomplete: boolean): void {
    if (!incomplete) {
      this.#incompleteSinceUs = -1;
    } else if (this.#incompleteSinceUs < 0) {
      this.#incompleteSinceUs = this.session.activeUs;
      this.#owner.watch();
    }
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#network.pause();
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#network.resume();
  }
}
