import type { Mutant } from "./mutant.ts";

const scenario = "rpc";

/** Streams between nodes. */
export const netStreamMutants: readonly Mutant[] = [
  {
    name: "stream-window-ignored",
    file: "net/rpc/stream-sender.ts",
    find: `const room = this.#window - this.#owed;`,
    replace: `const room = this.#window;`,
    oracles: ["protocol"],
    scenario,
    why: "A snapshot that is sent faster than it is written breaks its connection again and again.",
  },
  {
    name: "stream-window-opens-early",
    file: "net/rpc/stream-receiver.ts",
    find: `    const line = this.#line;
    sink.write(at.file, at.offset, bytes, (ok) => {
      this.#writing -= length;`,
    replace: `    const line = null as SessionLine | null;
    this.#writing -= length;
    this.#line?.credit(length);
    sink.write(at.file, at.offset, bytes, (ok) => {`,
    oracles: ["bounds", "streams"],
    scenario,
    why: "A snapshot that is sent faster than it is written fills the receiver's memory.",
  },
  {
    name: "stream-window-per-connection",
    file: "net/rpc/stream-receiver.ts",
    find: `    if (this.#writing > 0) return;
    this.#resumed = true;`,
    replace: `    this.#writing = 0;
    this.#resumed = true;`,
    oracles: ["bounds", "streams"],
    scenario,
    why: "A snapshot whose connection breaks again and again fills the memory of a receiver that writes slowly.",
  },
  {
    name: "stream-begins-anew",
    file: "net/rpc/stream-sender.ts",
    find: `    this.#next = settledPosition(files, position);
    this.#window`,
    replace: `    this.#next = settledPosition(files, { file: 0, offset: 0 });
    this.#window`,
    oracles: ["protocol", "streams"],
    scenario,
    why: "A snapshot that was interrupted once never arrives.",
  },
  {
    name: "stream-checksum-ignored",
    file: "net/rpc/stream-receiver.ts",
    find: `if (reached.offset === current.sizeBytes && this.#crc !== current.crc) {`,
    replace: `if (reached.offset === current.sizeBytes && this.#crc < 0) {`,
    oracles: ["streams"],
    scenario,
    why: "A snapshot whose source has rotted is installed.",
  },
  {
    name: "stream-checksum-runs-on",
    file: "net/rpc/stream-receiver.ts",
    find: `    if (reached.offset === current.sizeBytes) this.#crc = 0;
`,
    replace: ``,
    oracles: ["streams"],
    scenario,
    why: "A snapshot of more than one file is refused for ever.",
  },
  {
    name: "stream-done-before-it-is",
    file: "net/rpc/stream-receiver.ts",
    find: `    this.#finishing = true;
    this.#sink.finish`,
    replace: `    this.#finishing = true;
    this.#line?.done();
    this.#sink.finish`,
    oracles: ["streams"],
    scenario,
    why: "A sender drops its snapshot, and its receiver crashes before it has installed it.",
  },
  {
    name: "stream-ends-with-writes-under-way",
    file: "net/rpc/stream-receiver.ts",
    find: `if (!this.#ending || this.#writing > 0 || this.#finishing`,
    replace: `if (!this.#ending || this.#finishing`,
    oracles: ["streams"],
    scenario,
    why: "A snapshot is installed while its last bytes are still being written.",
  },
  {
    name: "stream-completion-forgotten",
    file: "net/rpc/stream-receiver.ts",
    find: `    if (this.complete) {
      line.done();
      return;
    }`,
    replace: ``,
    oracles: ["streams", "protocol"],
    scenario,
    why: "A snapshot whose last word was lost is written again over the installed one.",
  },
  {
    name: "stream-rate-ignored",
    file: "net/rpc/stream-sender.ts",
    find: `    if (waitUs > 0) {`,
    replace: `    if (waitUs > 1e12) {`,
    oracles: ["rate"],
    scenario,
    why: "A snapshot takes the whole network from the clients.",
  },
  {
    name: "stream-stall-not-noticed",
    file: "net/rpc/stream-sender.ts",
    find: `    for (const stream of this.#streams.values()) stream.interrupted();`,
    replace: `    void reason;`,
    oracles: ["streams", "leaks"],
    scenario,
    why: "A stream whose connection broke waits for ever for an answer.",
  },
];
