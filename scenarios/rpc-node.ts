import type { Env } from "../core/env/env.ts";
import type { Hello } from "../net/rpc/hello.ts";
import type { IncomingRequest } from "../net/rpc/incoming-request.ts";
import type { NetHooks } from "../net/rpc/net-world.ts";
import { type NetOptions, netOptions } from "../net/rpc/options.ts";
import { Transport } from "../net/rpc/transport.ts";
import { type MessageClass, messageClass } from "../net/rpc/wire.ts";
import type { Dice } from "../sim/dice.ts";
import type { World } from "../sim/world.ts";
import {
  type Ask,
  type CallRecord,
  type RpcLedger,
  askedError,
  decodeRequest,
  encodeRequest,
  encodeResponse,
  tooLate,
} from "./rpc-ledger.ts";
import { MessageJudge, encodeMessage, messageTypes } from "./rpc-messages.ts";
import type { RpcSizes } from "./rpc-sizes.ts";
import { type StreamLedger, StreamMeter, type StreamRecord, StreamTaker, sourceOf } from "./rpc-streams.ts";

const rpcPort = 7001;
const methodAsk = 7;
/** Timers of one clock may be so far apart. */
const tickUs = 2_000;
/** Or so far, where that clock stands still now and then: timers look at it every 10 ms, each at times of its own. */
const frozenTickUs = 100_000;
const regions = 4;

/** What the nodes of a run have in common. */
export interface RpcStage {
  readonly world: World;
  readonly sizes: RpcSizes;
  readonly stores: number;
  readonly calls: RpcLedger;
  readonly streams: StreamLedger;
  /** Addresses are not always known. */
  resolverFails: boolean;
  /** Nothing new is begun. */
  quiet: boolean;
}

export interface RpcNodeParts {
  readonly env: Env;
  readonly name: string;
  readonly storeId: number;
  readonly incarnation: number;
  /** It says that it belongs to another cluster. */
  readonly stranger: boolean;
}

/** One message to send. */
export interface Told {
  readonly to: number;
  readonly cls: typeof messageClass.control | typeof messageClass.append;
  readonly region: number;
  readonly type: number;
  readonly sizeBytes: number;
}

/** One process: a transport, handlers that do as they are asked, and checks of what its callers were promised. */
export class RpcNode implements NetHooks {
  readonly transport: Transport;
  readonly judge: MessageJudge;
  unreachable = 0;
  readonly #stage: RpcStage;
  readonly #parts: RpcNodeParts;
  readonly #dice: Dice;
  readonly #options: NetOptions;
  readonly #meter: StreamMeter;
  readonly #calls = new Set<CallRecord>();
  readonly #streams = new Set<StreamRecord>();
  readonly #tickUs: number;
  #sequence = 0;

  constructor(stage: RpcStage, parts: RpcNodeParts) {
    this.#stage = stage;
    this.#parts = parts;
    const { env, name, storeId, incarnation, stranger } = parts;
    this.#dice = stage.world.dice(`node/${name}`, incarnation);
    this.judge = new MessageJudge(stage.world, name);
    this.#options = netOptions(stage.sizes.options);
    const { clock, faultFree } = stage.world.options;
    this.#tickUs = faultFree || clock.freezeGapMs === 0 ? tickUs : frozenTickUs;
    this.#meter = new StreamMeter(stage.world, env.clock, this.#options);
    this.transport = new Transport(env, {
      identity: { clusterId: stranger ? "other" : "sim", storeId, incarnation, role: "store", features: 0 },
      options: stage.sizes.options,
      resolve: (id, done) => this.#resolve(id, done),
      hooks: this,
      streams: new StreamTaker(stage.streams, name, this.#meter, this.#dice),
    });
    this.transport.handle(methodAsk, (request) => this.#answer(request));
  }

  /** Resolves when others can connect. */
  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.transport.listen({ host: "0.0.0.0", port: rpcPort }, { onListening: () => resolve(), onError: reject });
    });
  }

  onMessage(from: Hello, cls: MessageClass, type: number, body: Uint8Array): void {
    this.judge.take(from, cls, type, body);
  }

  onUnreachable(): void {
    this.unreachable++;
  }

  /** The process is gone: nobody here hears of anything any more. */
  dead(): void {
    for (const record of this.#calls) this.#stage.calls.orphaned(record);
    for (const record of this.#streams) this.#stage.streams.orphaned(record);
  }

  /** A little of everything, again and again, until the stage is quiet. */
  act(): void {
    if (this.#stage.quiet) return;
    const dice = this.#dice;
    this.checkBounds();
    const count = dice.chance(1, 8) ? dice.skewed(1, 40) : 1;
    for (let i = 0; i < count; i++) this.#once();
    this.#parts.env.clock.after(dice.skewed(200, 400_000), () => this.act());
  }

  /** One call; tells its outcome to `heard`. */
  // oxlint-disable-next-line max-params
  call(to: number, ask: Ask, timeoutMs: number, heard: (record: CallRecord) => void): CallRecord {
    const { calls, sizes, quiet } = this.#stage;
    const dice = this.#dice;
    const sizeBytes = quiet ? 10 : dice.skewed(1, sizes.payloadBytesMax);
    const forbidden = this.#parts.stranger;
    const record = calls.begin({ from: this.#parts.name, to: `store-${to}`, ask, timeoutMs, sizeBytes, forbidden });
    this.#calls.add(record);
    const payload = encodeRequest(record, dice.skewed(1, 300));
    const cls = !quiet && dice.chance(1, 4) ? messageClass.coordinator : messageClass.client;
    const region = dice.chance(1, 2) ? null : { regionId: record.token, confVer: 1, version: 2, peerId: 3 };
    let inside = true;
    const order = { method: methodAsk, payload, timeoutMs, cls, traceId: record.token, region };
    const handle = this.transport.call(to, order, (error, response) => {
      if (inside) this.#stage.world.fail("reentrancy", `call ${record.token} ends inside the call that began it`);
      this.#calls.delete(record);
      calls.ended(record, error, response);
      heard(record);
    });
    inside = false;
    this.#expectEnd(record);
    if (!quiet && dice.chance(1, 6)) {
      this.#parts.env.clock.after(dice.skewed(1, 1 + timeoutMs * 1_500), () => {
        if (record.outcome !== null) return;
        record.cancelled = true;
        handle.cancel();
        if (ask === "hold") this.#expectCancel(record);
      });
    }
    return record;
  }

  /** Returns the message's number. */
  message(to: number, cls: typeof messageClass.control | typeof messageClass.append, sizeBytes: number): number {
    const region = this.#dice.between(1, regions);
    return this.tell({ to, cls, region, type: this.#dice.pick(messageTypes), sizeBytes });
  }

  tell({ to, cls, region, type, sizeBytes }: Told): number {
    const { storeId, incarnation } = this.#parts;
    const sequence = ++this.#sequence;
    const body = encodeMessage(storeId, incarnation, sequence, region, sizeBytes);
    this.transport.send(to, { cls, type, region, body });
    return sequence;
  }

  /** Queues are within their bounds, whatever happens. */
  checkBounds(): void {
    const { world, sizes } = this.#stage;
    const state = this.transport.state();
    const options = this.#options;
    const frame = sizes.payloadBytesMax + 400;
    const bounds: readonly [string, number, number][] = [
      ["controlMessages", state.controlMessages, options.controlMessagesMax],
      ["appendBytes", state.appendBytes, Math.max(options.appendBytesMax, frame)],
      ["requests", state.requests, 2 * options.requestsMax],
      ["inFlight", state.inFlight, options.inFlightTotalMax],
      // What was admitted may answer after reading stopped.
      ["responseBytes", state.responseBytes, this.#responseBytesMax(frame) * Math.max(1, state.connections)],
      ["connections", state.connections, 2 * options.connectionsMax],
    ];
    const { malformed } = this.transport.statistics;
    if (malformed > 0 && world.faultCount("net.corrupt") === 0) {
      world.fail("protocol", `${this.#parts.name} was sent ${malformed} frames that make no sense`);
    }
    for (const [what, value, max] of bounds) {
      if (value > max) world.fail("bounds", `${this.#parts.name}: ${what} is ${value}, the bound ${max}`);
    }
  }

  /** Nothing is under way: nothing may be left. */
  checkIdle(): void {
    const state = this.transport.state();
    const { pendingCalls, inFlight, deadlines, streamsOut, requests } = state;
    if (pendingCalls + inFlight + deadlines + streamsOut + requests > 0) {
      this.#stage.world.fail("leaks", `${this.#parts.name}: ${JSON.stringify(state)}`);
    }
  }

  #responseBytesMax(frame: number): number {
    const { responseBytesMax, inFlightMax, windowBytes } = this.#options;
    return responseBytesMax + inFlightMax * frame + 64 * 1024 + windowBytes;
  }

  #resolve(storeId: number, done: (address: { host: string; port: number } | null) => void): void {
    const { resolverFails, stores } = this.#stage;
    const known = !resolverFails || !this.#dice.chance(1, 15);
    // An address that has moved on to somebody else.
    const host = resolverFails && this.#dice.chance(1, 15) ? this.#dice.between(1, stores) : storeId;
    const address = known ? { host: `store-${host}`, port: rpcPort } : null;
    if (this.#dice.chance(1, 2)) done(address);
    else this.#parts.env.clock.after(this.#dice.skewed(1, 20_000), () => done(address));
  }

  #otherStore(): number {
    const { stores } = this.#stage;
    const other = this.#dice.below(stores - 1) + 1;
    return other >= this.#parts.storeId && this.#parts.storeId <= stores ? other + 1 : other;
  }

  #once(): void {
    const dice = this.#dice;
    const to = this.#otherStore();
    const what = dice.below(20);
    const { payloadBytesMax } = this.#stage.sizes;
    if (what < 11) this.call(to, dice.pick(["echo", "echo", "slow", "fail", "hold"]), this.#timeoutMs(), () => {});
    else if (what < 15) this.message(to, messageClass.control, dice.skewed(1, Math.min(200, payloadBytesMax)));
    else if (what < 19) this.message(to, messageClass.append, dice.skewed(1, payloadBytesMax));
    else this.#stream(to);
  }

  #timeoutMs(): number {
    const { calmMs } = this.#stage.sizes;
    if (this.#dice.chance(1, 30)) return 0;
    return this.#dice.chance(1, 3) ? this.#dice.skewed(1, 500) : calmMs + this.#dice.skewed(1, 4_000);
  }

  #stream(to: number): void {
    const { streams, sizes } = this.#stage;
    const { env, name, stranger } = this.#parts;
    if (stranger || streams.open > 6) return;
    const record = streams.begin(this.#dice, name, `store-${to}`, sizes.streamBytesMax);
    this.#streams.add(record);
    const handle = this.transport.stream(to, sourceOf(record, this.#meter, this.#dice), (outcome) => {
      this.#streams.delete(record);
      streams.ended(record, outcome);
    });
    if (!this.#dice.chance(1, 10)) return;
    env.clock.after(this.#dice.skewed(1, 3_000_000), () => {
      if (record.outcome !== null) return;
      record.cancelled = true;
      handle.cancel();
    });
  }

  /** With nothing wrong, a handler hears of a cancellation long before its deadline. */
  #expectCancel(record: CallRecord): void {
    const { world, sizes } = this.#stage;
    const waitMs = 4 * sizes.calmMs + 100;
    if (!world.options.faultFree || record.timeoutMs < 2 * waitMs) return;
    this.#parts.env.clock.after(waitMs * 1_000, () => {
      if (record.executions === 0 || record.heardCancel) return;
      world.fail("cancel", `call ${record.token} was cancelled ${waitMs} ms ago, and its handler does not know`);
    });
  }

  /** The caller hears in time, by its own clock. */
  #expectEnd(record: CallRecord): void {
    const { clock } = this.#parts.env;
    clock.after(record.timeoutMs * 1_000 + this.#tickUs, () => {
      if (record.outcome !== null) return;
      // After a pause everything is due at once, in any order.
      clock.after(this.#tickUs, () => {
        if (record.outcome !== null) return;
        const { token, ask, to, timeoutMs } = record;
        this.#stage.world.fail("deadline", `call ${token} (${ask} to ${to}) has no end after ${timeoutMs} ms`);
      });
    });
  }

  #answer(request: IncomingRequest): void {
    const { world, calls } = this.#stage;
    const { name, env } = this.#parts;
    const order = decodeRequest(request.payload);
    if (order === null) return world.fail("corruption", `${name} gets a request that nobody sent`);
    const { token, timeoutMs, ask, delayMs, sizeBytes } = order;
    if (request.traceId !== token || (request.region !== null && request.region.regionId !== token)) {
      world.fail("corruption", `call ${token} arrives with the header of another one`);
    }
    calls.executed(token, name);
    this.judge.log?.push({ cls: messageClass.client, sequence: token });
    if (request.remainingMs > timeoutMs) {
      world.fail("deadline", `call ${token} of ${timeoutMs} ms has ${request.remainingMs} ms left at ${name}`);
    }
    if (ask === "echo") request.respond(encodeResponse(token, sizeBytes));
    else if (ask === "fail") request.fail(askedError);
    else if (ask === "hold") this.#hold(request, token, timeoutMs);
    else env.clock.after(delayMs * 1_000, () => request.respond(encodeResponse(token, sizeBytes)));
  }

  /** Works on nothing until nobody waits any more. */
  #hold(request: IncomingRequest, token: number, timeoutMs: number): void {
    const { clock } = this.#parts.env;
    const { calls } = this.#stage;
    request.onCancel(() => {
      calls.heardCancel(token);
      if (request.answered) this.#stage.world.fail("cancel", `call ${token} is cancelled after its answer`);
      clock.after(this.#dice.skewed(1, 50_000), () => request.fail(tooLate));
    });
    clock.after((timeoutMs + 1) * 1_000 + this.#tickUs, () => {
      if (request.cancelled) return;
      clock.after(this.#tickUs, () => {
        if (request.cancelled) return;
        this.#stage.world.fail("deadline", `call ${token} is still worked on after its ${timeoutMs} ms`);
      });
    });
  }
}
