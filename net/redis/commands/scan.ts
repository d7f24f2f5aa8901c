import { assert } from "../../../core/assert.ts";
import type { NokvError } from "../../../core/errors.ts";
import type { ScanPage } from "../../../core/kv/kv.ts";
import type { Call } from "../call.ts";
import { type Command, command } from "../command.ts";
import { errorText } from "../error-text.ts";
import type { Gateway } from "../gateway.ts";
import { Glob } from "../glob.ts";
import type { PendingReply } from "../reply-queue.ts";
import type { ReplyWriter } from "../reply-writer.ts";

/** A pattern with a star takes (pattern) x (key) steps per key: both are bounded, and so is a turn. */
const patternBytesMax = 1024;
const stepsPerTurnMax = 4_000_000;
const countDefault = 10;

interface ScanOptions {
  glob: Glob | null;
  count: number;
  /** The type asked for is one that no key has. */
  excluded: boolean;
}

function runScan(call: Call): void {
  const after = readCursor(call);
  if (after === undefined) return;
  const options = readScanOptions(call);
  if (options === null) return;
  const { gateway } = call;
  const limit = Math.min(options.count, gateway.options.scanKeysMax);
  const pending = call.defer("concurrent");
  gateway.kv.scan({ after, limit }, (error, page) => {
    pending.settle(error, (reply) => renderPage(reply, page, options, gateway));
  });
}

/** The key to go on after, null to start; undefined when the request was answered with an error. */
function readCursor(call: Call): Uint8Array | null | undefined {
  const text = call.args.text(1, 20);
  const known = /^\d{1,16}$/.test(text);
  if (known && Number(text) === 0) return null;
  const after = known ? call.gateway.cursors.recall(Number(text)) : null;
  if (after !== null) return after;
  call.error(errorText.invalidCursor);
  return undefined;
}

function readScanOptions(call: Call): ScanOptions | null {
  const { args } = call;
  const options: ScanOptions = { glob: null, count: countDefault, excluded: false };
  for (let i = 2; i < args.count; i += 2) {
    if (i + 1 === args.count) return fail(call, errorText.syntax);
    if (args.is(i, "match")) {
      const glob = readPattern(call, i + 1);
      if (glob === undefined) return null;
      options.glob = glob;
    } else if (args.is(i, "count")) {
      const count = args.integer(i + 1);
      if (count === null) return fail(call, errorText.notAnInteger);
      if (count < 1) return fail(call, errorText.syntax);
      options.count = Number(count);
    } else if (args.is(i, "type")) {
      options.excluded = !args.is(i + 1, "string");
    } else {
      return fail(call, errorText.syntax);
    }
  }
  return options;
}

function fail(call: Call, text: string): null {
  call.error(text);
  return null;
}

/** Null: the pattern takes every key. Undefined: the request was answered with an error. */
function readPattern(call: Call, index: number): Glob | null | undefined {
  const { args } = call;
  if (args.length(index) > patternBytesMax) {
    call.error(`ERR pattern is longer than ${patternBytesMax} bytes`);
    return undefined;
  }
  return args.is(index, "*") ? null : new Glob(args.bytes(index).slice());
}

function renderPage(reply: ReplyWriter, page: ScanPage | null, options: ScanOptions, gateway: Gateway): void {
  assert(page !== null, "a scan that did not fail has a page");
  const { glob } = options;
  const matched: Uint8Array[] = [];
  let seen = 0;
  for (const key of page.keys) {
    if (glob !== null && glob.steps > stepsPerTurnMax) break;
    seen++;
    if (!options.excluded && (glob === null || glob.matches(key))) matched.push(key);
  }
  const last = seen === 0 ? undefined : page.keys[seen - 1];
  const finished = seen === page.keys.length && page.exhausted;
  reply.array(2);
  reply.text(finished || last === undefined ? "0" : String(gateway.cursors.remember(last)));
  reply.array(matched.length);
  for (const key of matched) reply.bulk(key);
}

function runKeys(call: Call): void {
  const glob = readPattern(call, 1);
  if (glob === undefined) return;
  new KeysWalk(call.gateway, glob, call.defer("barrier")).step();
}

/** KEYS, a bounded number of keys per turn. Later requests of the client wait, so that order is kept. */
class KeysWalk {
  readonly #gateway: Gateway;
  readonly #glob: Glob | null;
  readonly #pending: PendingReply;
  readonly #matched: Uint8Array[] = [];
  #matchedBytes = 0;
  #after: Uint8Array | null = null;

  constructor(gateway: Gateway, glob: Glob | null, pending: PendingReply) {
    this.#gateway = gateway;
    this.#glob = glob;
    this.#pending = pending;
  }

  step(): void {
    if (this.#pending.abandoned) return;
    const limit = this.#gateway.options.scanKeysMax;
    this.#gateway.kv.scan({ after: this.#after, limit }, (error, page) => this.#take(error, page));
  }

  #take(error: NokvError | null, page: ScanPage | null): void {
    if (error !== null) {
      this.#pending.settle(error, () => assert(false, "a failed scan has no page"));
      return;
    }
    assert(page !== null, "a scan that did not fail has a page");
    const steps = this.#glob === null ? 0 : this.#glob.steps;
    let seen = 0;
    for (const key of page.keys) {
      if (this.#glob !== null && this.#glob.steps - steps > stepsPerTurnMax) break;
      seen++;
      this.#after = key;
      if (this.#glob !== null && !this.#glob.matches(key)) continue;
      this.#matched.push(key);
      this.#matchedBytes += key.length;
    }
    const { keysMax, outputBytesMax } = this.#gateway.options;
    if (this.#matched.length > keysMax || this.#matchedBytes > outputBytesMax) {
      this.#pending.settle(null, (reply) =>
        reply.error(`ERR KEYS matches more than ${keysMax} keys, use SCAN`),
      );
    } else if (seen === page.keys.length && page.exhausted) {
      this.#pending.settle(null, (reply) => this.#render(reply));
    } else {
      this.#gateway.clock.soon(() => this.step());
    }
  }

  #render(reply: ReplyWriter): void {
    reply.array(this.#matched.length);
    for (const key of this.#matched) reply.bulk(key);
  }
}

function runDbSize(call: Call): void {
  const pending = call.defer("barrier");
  call.gateway.kv.count((error, count) => pending.settle(error, (reply) => reply.integer(count)));
}

function runFlush(call: Call): void {
  const { args } = call;
  if (args.count > 2 || (args.count === 2 && !args.is(1, "async") && !args.is(1, "sync"))) {
    call.error(errorText.syntax);
    return;
  }
  const pending = call.defer("concurrent");
  call.gateway.kv.clear((error) => pending.settle(error, (reply) => reply.ok()));
}

export const scanCommands: readonly Command[] = [
  command(
    "scan",
    {
      arity: -2,
      flags: ["readonly"],
      group: "generic",
      since: "6.0.0",
      summary: "Iterates over the key names in the database.",
      caveat: "In key order; a cursor that was forgotten, or is of an earlier start, is an error. Not in MULTI.",
      inTransaction: "refused",
    },
    runScan,
  ),
  command(
    "keys",
    {
      arity: 2,
      flags: ["readonly"],
      group: "generic",
      since: "1.0.0",
      summary: "Returns all key names that match a pattern.",
      caveat: "Works in slices: keys written meanwhile by others may be missing. At most 1,000,000 keys. Not in MULTI.",
      inTransaction: "refused",
    },
    runKeys,
  ),
  command(
    "dbsize",
    {
      arity: 1,
      flags: ["readonly"],
      group: "server",
      since: "1.0.0",
      summary: "Returns the number of keys in the database.",
      caveat: "Counts: takes time in proportion to the number of keys. Not in MULTI.",
      inTransaction: "refused",
    },
    runDbSize,
  ),
  command(
    "flushall",
    {
      arity: -1,
      flags: ["write"],
      group: "server",
      since: "6.2.0",
      summary: "Removes all keys from all databases.",
      caveat: "One atomic write, however many keys there are; on a cluster, page by page. Not in MULTI.",
      inTransaction: "refused",
    },
    runFlush,
  ),
  command(
    "flushdb",
    {
      arity: -1,
      flags: ["write"],
      group: "server",
      since: "6.2.0",
      summary: "Removes all keys from the current database.",
      caveat: "The same as FLUSHALL. Not in MULTI.",
      inTransaction: "refused",
    },
    runFlush,
  ),
];
