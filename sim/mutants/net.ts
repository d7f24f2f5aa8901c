import type { Mutant } from "./mutant.ts";

const scenario = "rpc";

/** Frames, hellos, calls and queues between nodes. */
export const netMutants: readonly Mutant[] = [
  {
    name: "frame-body-not-checked",
    file: "net/rpc/frame-reader.ts",
    find: `if (bodyCrc !== crc32(bytes, bodyStart, bodyEnd, headerCrc)) {`,
    replace: `if (bodyCrc < 0) {`,
    oracles: ["any"],
    scenario,
    why: "A bit that flips on the way becomes another key, value or term.",
  },
  {
    name: "frame-header-not-checked",
    file: "net/rpc/frame-reader.ts",
    find: `if (headerCrc !== crc32(bytes, start, start + 12, (frameSeed + this.#ordinal) >>> 0)) {`,
    replace: `if (headerCrc < 0) {`,
    oracles: ["any"],
    scenario,
    why: "A bit that flips on the way gives one caller the answer of another.",
  },
  {
    name: "partial-frame-keeps-a-view",
    file: "net/rpc/frame-reader.ts",
    find: `    this.#own.set(rest);
    this.#bytes = this.#own;`,
    replace: `    this.#own = rest as Uint8Array<ArrayBuffer>;
    this.#bytes = this.#own;`,
    oracles: ["any"],
    scenario,
    why: "The rest of a frame is read from memory that the network has used again.",
  },
  {
    name: "frame-length-of-last-piece-only",
    file: "net/rpc/frame-reader.ts",
    find: `    target.set(this.#own.subarray(this.#start, this.#end));`,
    replace: `    target.set(this.#own.subarray(0, waiting));`,
    oracles: ["any"],
    scenario,
    why: "Behind a frame that was read, the next one begins at the wrong place when it comes in pieces.",
  },
  {
    name: "lost-call-sent-again",
    file: "net/rpc/peer.ts",
    find: `      const error: RpcError = call.sent`,
    replace: `      if (call.sent) {
        call.settled = false;
        call.frame.dead = false;
        this.#calls.add(call);
        deadlines.add(call);
        this.#outbox.request(call.frame);
        continue;
      }
      const error: RpcError = call.sent`,
    oracles: ["at-most-once", "exactly-once"],
    scenario,
    why: "A request is executed twice because the connection broke behind it.",
  },
  {
    name: "lost-call-told-as-unsent",
    file: "net/rpc/peer.ts",
    find: `      const error: RpcError = call.sent
        ?`,
    replace: `      const error: RpcError = call.sent && reason === ""
        ?`,
    oracles: ["definite"],
    scenario,
    why: "A client is told that its write did not happen, and it did.",
  },
  {
    name: "expired-call-told-as-unsent",
    file: "net/rpc/peer.ts",
    find: `call.finish({ kind: "deadline-exceeded", sent: call.sent }, noBytes);`,
    replace: `call.finish({ kind: "deadline-exceeded", sent: false }, noBytes);`,
    oracles: ["definite"],
    scenario,
    why: "A client whose time was up is told that its write did not happen, and it did.",
  },
  {
    name: "server-has-no-deadlines",
    file: "net/rpc/inbound.ts",
    find: `      deadlines.add(request);
`,
    replace: ``,
    oracles: ["deadline", "leaks"],
    scenario,
    why: "Work for callers that have long given up piles up on a store.",
  },
  {
    name: "deadline-sent-as-a-time",
    file: "net/rpc/call.ts",
    find: `this.#remainingMs = Math.ceil(leftUs / 1_000);`,
    replace: `this.#remainingMs = Math.ceil((this.deadlineUs / 1_000) % 80_000_000);`,
    oracles: ["deadline"],
    scenario,
    why: "With clocks that differ, a request is worked on for hours, or dropped at once.",
  },
  {
    name: "deadline-of-calls-forgotten",
    file: "net/rpc/deadlines.ts",
    find: `    if (this.#timer !== null && this.#armedUs <= first.deadlineUs) return;`,
    replace: `    if (this.#timer !== null) return;`,
    oracles: ["deadline"],
    scenario,
    why: "A call with little time waits for the deadline of one with much.",
  },
  {
    name: "cancellation-not-sent",
    file: "net/rpc/peer.ts",
    find: `    this.#outbox.urgent(new OutFrame(messageClass.control, frameType.cancel, call.id, noBytes, null));
`,
    replace: ``,
    oracles: ["cancel"],
    scenario,
    why: "A store goes on working for a client that has hung up.",
  },
  {
    name: "cancelled-call-still-answered",
    file: "net/rpc/peer.ts",
    find: `if (!this.#sent.delete(call.id)) return;`,
    replace: `if (!this.#sent.has(call.id)) return;`,
    oracles: ["exactly-once", "cancel"],
    scenario,
    why: "A caller that gave up hears an answer all the same, a second outcome of one call.",
  },
  {
    name: "settled-call-keeps-its-deadline",
    file: "net/rpc/peer.ts",
    find: `    this.#calls.delete(call);
    call.settled = true;
    this.#context.deadlines.settle();
    call.finish(error`,
    replace: `    this.#calls.delete(call);
    call.settled = true;
    call.finish(error`,
    oracles: ["leaks"],
    scenario,
    why: "Every call with a long deadline costs memory until that deadline.",
  },
  {
    name: "cancelled-request-holds-its-place",
    file: "net/rpc/incoming-request.ts",
    find: `    else this.#release();
  }`,
    replace: `  }`,
    oracles: ["leaks", "liveness"],
    scenario,
    why: "Cancelled requests fill a store's limit until it answers everybody that it is busy.",
  },
  {
    name: "in-flight-limit-ignored",
    file: "net/rpc/server.ts",
    find: `    if (this.#inFlight >= this.#context.options.inFlightTotalMax) return false;
`,
    replace: ``,
    oracles: ["bounds"],
    scenario,
    why: "A flood of requests takes a store's memory.",
  },
  {
    name: "control-keeps-the-oldest",
    file: "net/rpc/outbox.ts",
    find: `    this.#control.set(key, frame);
    this.#controlBytes += frame.bytes;`,
    replace: `    if (old === undefined) this.#control.set(key, frame);
    this.#controlBytes += frame.bytes;`,
    oracles: ["messages"],
    scenario,
    why: "Behind a slow link a store hears heartbeats of the past and votes that are void.",
  },
  {
    name: "append-overflow-in-silence",
    file: "net/rpc/peer.ts",
    find: `    world.clock.soon(() => hooks.onUnreachable(this.#storeId, "no room for append messages"));`,
    replace: `    void hooks;
    void world;`,
    oracles: ["messages"],
    scenario,
    why: "A leader takes log entries for sent that were dropped, and waits for their acknowledgement.",
  },
  {
    name: "append-queue-unbounded",
    file: "net/rpc/outbox.ts",
    find: `this.#append.bytes + frame.bytes > this.#limits.appendBytesMax) {`,
    replace: `this.#append.bytes + frame.bytes > 64 * this.#limits.appendBytesMax) {`,
    oracles: ["bounds"],
    scenario,
    why: "A peer that does not read takes the sender's memory.",
  },
  {
    name: "request-queue-unbounded",
    file: "net/rpc/outbox.ts",
    find: `(lane.count >= requestsMax || lane`,
    replace: `(lane.count >= 8 * requestsMax || lane`,
    oracles: ["bounds"],
    scenario,
    why: "A peer that does not read takes the sender's memory.",
  },
  {
    name: "append-before-control",
    file: "net/rpc/outbox.ts",
    find: `const ahead = this.#takeControl() ?? this.#append.take();`,
    replace: `const ahead = this.#append.take() ?? this.#takeControl();`,
    oracles: ["priority"],
    scenario,
    why: "Heartbeats wait behind log entries, and a busy leader is deposed.",
  },
  {
    name: "clients-have-no-share",
    file: "net/rpc/outbox.ts",
    find: `    else if (this.#owed >= client.bytes * (floorShare - 1)) return this.#takeClient();
`,
    replace: ``,
    oracles: ["priority"],
    scenario,
    why: "While a follower catches up, no client of the same store is served.",
  },
  {
    name: "stale-process-let-in",
    file: "net/rpc/server.ts",
    find: `      if (isOlder) {`,
    replace: `      if (isOlder && hello.storeId < 0) {`,
    oracles: ["stale", "order", "calm"],
    scenario,
    why: "A late connection of a dead process replaces that of its successor.",
  },
  {
    name: "replaced-connection-lives-on",
    file: "net/rpc/server.ts",
    find: `        current?.close("replaced by a younger connection");`,
    replace: `        void current;`,
    oracles: ["stale", "order", "leaks"],
    scenario,
    why: "Messages of a dead process are taken after those of its successor.",
  },
  {
    name: "cluster-not-checked",
    file: "net/rpc/hello.ts",
    find: `if (theirs.clusterId !== own.clusterId) {`,
    replace: `if (theirs.clusterId === "") {`,
    oracles: ["hello"],
    scenario,
    why: "A store of another cluster writes into this one.",
  },
  {
    name: "store-not-checked",
    file: "net/rpc/hello.ts",
    find: `  if (theirs.expects !== 0 && theirs.expects !== own.storeId) {
    const reason = \`they look for store \${theirs.expects}, this is store \${own.storeId}\`;
    return { code: "store", reason };
  }
  if (own.expects !== 0 && own.expects !== theirs.storeId) {`,
    replace: `  if (own.expects !== 0 && own.clusterId === "") {`,
    oracles: ["routing"],
    scenario,
    why: "After an address has moved to another store, that one executes what was meant for the first.",
  },
  {
    name: "silence-not-noticed",
    file: "net/rpc/line.ts",
    find: `if (!this.#greeted || this.#paused || this.#phase !== "open") return;`,
    replace: `if (this.#greeted || this.#paused || this.#phase !== "open") return;`,
    oracles: ["liveness", "leaks"],
    scenario,
    why: "A machine that lost its power is talked to until the kernel gives up, minutes later.",
  },
  {
    name: "loss-not-told",
    file: "net/rpc/peer.ts",
    find: `    this.#context.hooks.onUnreachable(this.#storeId, reason);
  }

  wants`,
    replace: `  }

  wants`,
    oracles: ["messages"],
    scenario,
    why: "A leader does not know that what it sent was lost with the connection.",
  },
  {
    name: "throttled-line-never-resumes",
    file: "net/rpc/inbound.ts",
    find: `    if (2 * this.#outbox.bytes <= this.#context.options.responseBytesMax) this.#line.resume();
`,
    replace: ``,
    oracles: ["calm", "liveness"],
    scenario,
    why: "After one burst of large answers a client is not read from any more.",
  },
  {
    name: "network-never-drains",
    file: "net/rpc/line.ts",
    find: `    this.#full = false;
    if (this.#phase === "open" && this.#owner.queuedBytes() > 0) this.#flush();`,
    replace: `    if (this.#phase === "open" && this.#owner.queuedBytes() > 0) this.#flush();`,
    oracles: ["calm", "liveness"],
    scenario,
    why: "After one long write nothing more is ever sent on a connection.",
  },
];
