// Runs a story: several machines, a pool of messages, and disks that are as slow as the story wants.
import { RaftImage } from "../sim/raft-image.ts";
import { KeyedRandom } from "../sim/keyed-random.ts";
import { type ConfChange, type ConfOp, changeConf, decodeConfChange } from "./conf-change.ts";
import type { ConfState } from "./conf-state.ts";
import type { Entry } from "./entry.ts";
import type { Input } from "./input.ts";
import type { Message } from "./message.ts";
import { Raft } from "./raft.ts";
import { type RaftLimits, raftLimitsDefault } from "./raft-options.ts";
import type { AppendTask, Ready } from "./ready.ts";
import { confText, entryText, messageText, statusText, taskText } from "./story-text.test-support.ts";

interface Node {
  readonly id: number;
  raft: Raft | null;
  readonly image: RaftImage;
  /** Tasks that are not durable. */
  lane: AppendTask[];
  /** Entries handed out and not applied. */
  applying: Entry[];
  applied: number;
  conf: ConfState;
  slowDisk: boolean;
  slowApply: boolean;
}

const nobodyConf: ConfState = { voters: [], votersOutgoing: [], learners: [], learnersNext: [] };
const encoder = new TextEncoder();
const turnsMax = 1_000;

/** One story's world. `run` takes a command and returns what came of it, line by line. */
export class Story {
  readonly #nodes = new Map<number, Node>();
  #pool: Message[] = [];
  #lines: string[] = [];
  #limits: RaftLimits = { ...raftLimitsDefault, electionTicks: 3, heartbeatTicks: 1 };
  #conf = nobodyConf;

  run(command: string): string[] {
    this.#lines = [];
    const words = command.split(/\s+/);
    const quiet = words[0] === "quietly";
    if (quiet) words.shift();
    this.#dispatch(words[0] ?? "", words.slice(1));
    return quiet ? [] : this.#lines;
  }

  #dispatch(verb: string, words: readonly string[]): void {
    const [first = "", second = ""] = words;
    const id = Number(first);
    switch (verb) {
      case "group":
        return this.#group(words);
      case "add":
        return this.#addNode(id);
      case "tick":
        for (let i = 0; i < Number(second || "1"); i++) this.#step(id, { kind: "tick" });
        return;
      case "campaign":
        return this.#step(id, { kind: "campaign", force: second === "force" });
      case "propose":
        for (const text of words.slice(1)) this.#state(id).step(proposal(text));
        return this.#turn(id);
      case "conf":
        return this.#step(id, { kind: "conf", token: 0, change: changeOf(words.slice(1)) });
      case "read":
        return this.#step(id, { kind: "readIndex", token: Number(second) });
      case "transfer":
        return this.#step(id, { kind: "transfer", to: Number(second) });
      case "forget-leader":
        return this.#step(id, { kind: "forgetLeader" });
      case "quiesce":
        return this.#step(id, { kind: "quiesce", absent: [] });
      case "unreachable":
        return this.#step(id, { kind: "unreachable", peer: Number(second) });
      default:
        return this.#world(verb, words);
    }
  }

  #world(verb: string, words: readonly string[]): void {
    const [first = "", second = ""] = words;
    const id = Number(first);
    switch (verb) {
      case "deliver":
        return this.#deliver(first, second);
      case "duplicate":
        for (const message of this.#matching(first, second)) this.#pool.push(message);
        return;
      case "drop":
        for (const message of this.#take(first, second)) this.#say(`lost: ${messageText(message)}`);
        return;
      case "settle":
        return this.#settle();
      case "slow-disk":
        this.#node(id).slowDisk = true;
        return;
      case "disk":
        return this.#disk(id, Number(second || "1"));
      case "slow-apply":
        this.#node(id).slowApply = true;
        return;
      case "apply":
        return this.#apply(id, Number(second || "1"));
      case "crash":
        return this.#crash(id);
      case "restart":
        return this.#start(this.#node(id));
      case "compact":
        this.#node(id).image.compact(Number(second));
        return this.#step(id, { kind: "compacted", index: Number(second) });
      case "snapshot":
        return this.#snapshot(id, Number(second));
      case "snapshot-status":
        return this.#step(id, { kind: "snapshotStatus", peer: Number(second), ok: words[2] === "ok" });
      case "status":
        return this.#say(statusText(this.#state(id).status()));
      case "log":
        return this.#log(id);
      case "pool":
        for (const message of this.#pool) this.#say(messageText(message));
        return;
      default:
        throw new Error(`no command "${verb}"`);
    }
  }

  #say(line: string): void {
    this.#lines.push(line);
  }

  #node(id: number): Node {
    const node = this.#nodes.get(id);
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  }

  #state(id: number): Raft {
    const { raft } = this.#node(id);
    if (raft === null) throw new Error(`node ${id} is down`);
    return raft;
  }

  /** `group voters=1,2,3 learners=4 inflightMessagesMax=2` */
  #group(words: readonly string[]): void {
    const given = new Map(words.map((word) => word.split("=") as [string, string]));
    const peers = (name: string): number[] => (given.get(name) ?? "").split(",").filter(Boolean).map(Number);
    this.#conf = { ...nobodyConf, voters: peers("voters"), learners: peers("learners") };
    for (const [name, value] of given) {
      if (name in this.#limits) this.#limits = { ...this.#limits, [name]: Number(value) };
    }
    for (const id of [...this.#conf.voters, ...this.#conf.learners]) this.#addNode(id);
  }

  #addNode(id: number): void {
    const image = new RaftImage();
    const node: Node = {
      id,
      raft: null,
      image,
      lane: [],
      applying: [],
      applied: 0,
      conf: this.#conf,
      slowDisk: false,
      slowApply: false,
    };
    this.#nodes.set(id, node);
    this.#start(node);
  }

  #start(node: Node): void {
    const options = { id: node.id, random: KeyedRandom.ofSeed(1), limits: this.#limits };
    node.raft = new Raft(options, node.image.restored(node.applied, node.conf));
    this.#turn(node.id);
  }

  #crash(id: number): void {
    const node = this.#node(id);
    node.raft = null;
    for (const task of node.lane) this.#say(`${id} loses ${taskText(task)}`);
    node.lane = [];
    node.applying = [];
  }

  #step(id: number, input: Input): void {
    this.#state(id).step(input);
    this.#state(id).check();
    this.#turn(id);
  }

  /** Carries out what the machine wants until it wants nothing more. */
  #turn(id: number): void {
    const node = this.#node(id);
    for (let turns = 0; node.raft?.hasReady() === true; turns++) {
      if (turns > turnsMax) throw new Error(`node ${id} never rests`);
      this.#carryOut(node, node.raft.ready());
      node.raft.check();
    }
  }

  #carryOut(node: Node, ready: Ready): void {
    const { id } = node;
    if (ready.soft !== null) {
      const { role, leader, transferee } = ready.soft;
      const term = node.raft?.status().term ?? 0;
      const over = transferee === 0 ? "" : `, hands over to ${transferee}`;
      this.#say(`${id} is ${role} in term ${term}, leader ${leader === 0 ? "none" : leader}${over}`);
    }
    for (const { token, why } of ready.dropped) this.#say(`${id} refuses ${token}: ${why}`);
    for (const { token, index } of ready.reads) this.#say(`${id} answers read ${token} at ${index}`);
    for (const peer of ready.snapshotsWanted) this.#say(`${id} wants a snapshot for ${peer}`);
    this.#send(ready.sendNow);
    if (ready.append !== null) {
      node.lane.push(ready.append);
      this.#say(`${id} ${node.slowDisk ? "starts to write" : "writes"} ${taskText(ready.append)}`);
    }
    node.applying.push(...ready.apply);
    if (!node.slowDisk) this.#writeAll(node, node.lane.length);
    if (!node.slowApply) this.#applyAll(node, node.applying.length);
    for (const { to, low, high, bytesMax } of ready.fetches) {
      const entries = node.image.read(low, high, bytesMax);
      const found = entries === "compacted" ? entries : entries.map(entryText).join(" ");
      this.#say(`${id} reads its log for ${to} from ${low}: ${found}`);
      node.raft?.step({ kind: "fetched", to, low, entries });
    }
  }

  #send(messages: readonly Message[]): void {
    for (const message of messages) {
      this.#say(messageText(message));
      this.#pool.push(message);
    }
  }

  #writeAll(node: Node, count: number): void {
    for (const task of node.lane.splice(0, count)) {
      node.image.write(task);
      if (task.snapshot !== null) {
        node.applied = task.snapshot.index;
        node.conf = task.snapshot.conf;
      }
      this.#send(task.sendAfter);
      node.raft?.step({ kind: "appended", seq: task.seq });
    }
  }

  #applyAll(node: Node, count: number): void {
    const entries = node.applying.splice(0, count);
    const last = entries.at(-1);
    if (last === undefined) return;
    this.#say(`${node.id} applies ${entries.map(entryText).join(" ")}`);
    for (const entry of entries) {
      const change = entry.kind === "conf" ? decodeConfChange(entry.data) : null;
      if (change === null) continue;
      node.conf = changeConf(node.conf, change) ?? node.conf;
      this.#say(`${node.id} adopts ${confText(node.conf)}`);
      node.raft?.step({ kind: "confApplied", conf: node.conf });
    }
    node.applied = last.index;
    node.raft?.step({ kind: "applied", index: last.index });
  }

  #disk(id: number, count: number): void {
    const node = this.#node(id);
    this.#say(`${id} has written ${node.lane.slice(0, count).map(taskText).join("; ") || "nothing"}`);
    this.#writeAll(node, count);
    node.raft?.check();
    this.#turn(id);
  }

  #apply(id: number, count: number): void {
    const node = this.#node(id);
    this.#applyAll(node, count);
    this.#turn(id);
  }

  #snapshot(from: number, to: number): void {
    const { applied, conf, image } = this.#node(from);
    const snapshot = { index: applied, term: image.term(applied), conf };
    const rest = { historyHash: [0, 0] as const, context: new Uint8Array(0) };
    this.#step(from, { kind: "snapshot", to, snapshot: { ...snapshot, ...rest } });
  }

  #log(id: number): void {
    const { image } = this.#node(id);
    const entries = image.entries.map(entryText).join(" ") || "nothing";
    this.#say(`${id} holds ${image.base === 0 ? "" : `a snapshot at ${image.base}/${image.baseTerm}, `}${entries}`);
  }

  // The pool: `*` any pair, `1->2`, `1->*`, `*->2`; then a kind of message.

  #matching(pair: string, kind: string): Message[] {
    const [from = "*", to = "*"] = pair === "" || pair === "*" ? [] : pair.split("->");
    return this.#pool.filter(
      (message) =>
        (from === "*" || message.from === Number(from)) &&
        (to === "*" || message.to === Number(to)) &&
        (kind === "" || message.kind === kind),
    );
  }

  #take(pair: string, kind: string): Message[] {
    const taken = this.#matching(pair, kind);
    this.#pool = this.#pool.filter((message) => !taken.includes(message));
    return taken;
  }

  #deliver(pair: string, kind: string): void {
    for (const message of this.#take(pair, kind)) this.#hand(message);
  }

  #hand(message: Message): void {
    const node = this.#nodes.get(message.to);
    if (node === undefined || node.raft === null) {
      this.#say(`nobody there: ${messageText(message)}`);
      return;
    }
    node.raft.step({ kind: "message", message });
    node.raft.check();
    this.#turn(message.to);
  }

  /** Delivers everything until nothing is on its way. Slow disks stay slow. */
  #settle(): void {
    for (let turns = 0; this.#pool.length > 0; turns++) {
      if (turns > turnsMax) throw new Error("messages never end");
      const message = this.#pool.shift();
      if (message !== undefined) this.#hand(message);
    }
  }
}

function proposal(text: string): Input {
  return { kind: "propose", token: 0, data: encoder.encode(text) };
}

/** `leave`, or pairs such as `addVoter 4 remove 1`. */
function changeOf(words: readonly string[]): ConfChange {
  const context = new Uint8Array(0);
  if (words[0] === "leave") return { ops: [], leaveJoint: true, context };
  const ops: { op: ConfOp; peer: number }[] = [];
  for (let at = 0; at < words.length; at += 2) ops.push({ op: words[at] as ConfOp, peer: Number(words[at + 1]) });
  return { ops, leaveJoint: false, context };
}
