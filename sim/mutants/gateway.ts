import type { Mutant } from "./mutant.ts";

const untrue = ["linearizability", "ledger", "counters", "replies"];
const lost = ["liveness", "replies", "linearizability", "ledger", "stuck"];

/** Connections, parsing and the order of replies. */
export const gatewayMutants: readonly Mutant[] = [
  {
    name: "replies-in-order-of-completion",
    file: "net/redis/reply-queue.ts",
    find: `if (pending.previous === null) return (this.#output ??= this.#pool.borrow());`,
    replace: `if (!pending.muted) return (this.#output ??= this.#pool.borrow());`,
    oracles: untrue,
    scenario: "gateway-clients",
    why: "A pipelining client takes the reply to one request for that to another.",
  },
  {
    name: "instant-replies-overtake",
    file: "net/redis/reply-queue.ts",
    find: `    if (tail === null) return (this.#output ??= this.#pool.borrow());`,
    replace: `    if (tail !== this.#head || tail === null) return (this.#output ??= this.#pool.borrow());`,
    oracles: untrue,
    scenario: "gateway-clients",
    why: "A reply that needs no store overtakes those before it on the same connection.",
  },
  {
    name: "settled-tail-loses-its-reply",
    file: "net/redis/reply-queue.ts",
    find: `        previous.after.append(pending.own);`,
    replace: ``,
    oracles: lost,
    scenario: "gateway-clients",
    why: "A reply is lost, and every later one on the connection answers the wrong request.",
  },
  {
    name: "undetermined-told-as-error",
    file: "net/redis/error-text.ts",
    find: "return `UNDETERMINED the write",
    replace: "return `ERR the write",
    oracles: untrue,
    scenario: "gateway-clients",
    why: "A client is told that its write failed, and it survives.",
  },
  {
    name: "undetermined-told-as-ok",
    file: "net/redis/reply-queue.ts",
    find: `    if (error !== null) {
      reply.error(storeErrorText(error));`,
    replace: `    if (error !== null && error.code === "NOKV_UNDETERMINED") {
      reply.ok();
    } else if (error !== null) {
      reply.error(storeErrorText(error));`,
    oracles: untrue,
    scenario: "gateway-clients",
    why: "A client is told OK for a write that the next start does not find.",
  },
  {
    name: "header-cut-before-line-feed",
    file: "net/redis/request-parser.ts",
    find: `    if (i + 1 === this.#end) return headerMore;`,
    replace: ``,
    oracles: lost,
    scenario: "gateway-clients",
    why: "A request whose bytes arrive in two pieces, cut at the wrong place, ends the connection.",
  },
  {
    name: "argument-cut-before-line-feed",
    file: "net/redis/request-parser.ts",
    find: `if (end + 1 >= this.#end) return "more";`,
    replace: `if (end >= this.#end) return "more";`,
    oracles: lost,
    scenario: "gateway-clients",
    why: "A request whose bytes arrive in two pieces, cut at the wrong place, ends the connection.",
  },
  {
    name: "rest-of-piece-not-moved",
    file: "net/redis/request-parser.ts",
    find: `      if (this.#start > 0) this.#own.copyWithin(0, this.#start, this.#end);`,
    replace: ``,
    oracles: ["any"],
    scenario: "gateway-clients",
    why: "Behind a pipelined request the next one is read from stale bytes.",
  },
  {
    name: "drain-does-not-wake",
    file: "net/redis/connection.ts",
    find: `monotonicUs();
    this.#owner.wake(this);`,
    replace: `monotonicUs();`,
    oracles: lost,
    scenario: "gateway-clients",
    why: "A client whose replies once filled the network's buffer is never answered again.",
  },
  {
    name: "backlog-never-goes-on",
    file: "net/redis/connection.ts",
    find: `    if (this.#backlog && this.#mayExecute()) this.#owner.wake(this);`,
    replace: ``,
    oracles: lost,
    scenario: "gateway-clients",
    why: "Of a long pipeline only the first requests are answered.",
  },
  {
    name: "paused-client-not-read-again",
    file: "net/redis/connection.ts",
    find: `    if (this.#backlog || this.#throttled) this.#pause();
    else this.#resume();`,
    replace: `    if (this.#backlog || this.#throttled) this.#pause();`,
    oracles: lost,
    scenario: "gateway-clients",
    why: "After a burst a client's next request is never read.",
  },
  {
    name: "end-of-input-drops-replies",
    file: "net/redis/connection.ts",
    find: `this.#phase === "leaving" && this.#queue.inFlight === 0 && this.#queue.output === null`,
    replace: `this.#phase === "leaving"`,
    oracles: lost,
    scenario: "gateway-clients",
    why: "A client that sends its last requests with QUIT, or closes its half, gets no replies to them.",
  },
  {
    name: "scan-successor-skips",
    file: "core/kv/engine-kv.ts",
    find: `const bound = after === null ? {} : { gt: after };`,
    replace: `const bound = after === null ? {} : { gte: after.with(-1, ((after.at(-1) ?? 0) + 1) & 0xff) };`,
    oracles: ["scan"],
    scenario: "gateway-clients",
    why: "SCAN leaves out keys that begin with the last key of a page.",
  },
  {
    name: "scan-ends-after-first-page",
    file: "core/kv/engine-kv.ts",
    find: `const exhausted = keys.length < limit || !iterator.next();`,
    replace: `const exhausted = keys.length <= limit;`,
    oracles: ["scan"],
    scenario: "gateway-clients",
    why: "SCAN says that it has seen all keys after its first page.",
  },
];
