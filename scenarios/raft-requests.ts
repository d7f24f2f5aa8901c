import type { Entry, LogIndex, PeerId, Term } from "../raft/entry.ts";
import type { RaftObserver } from "../sim/checkers/raft-observer.ts";
import type { World } from "../sim/world.ts";
import type { AppliedState, RequestLog } from "./raft-peer.ts";

/** What was asked of the group, and what it did with it. Token 0 is nobody's. */
export class RaftRequests implements RequestLog {
  readonly #world: World;
  readonly #observer: RaftObserver;
  readonly #places = new Map<number, { index: LogIndex; term: Term }>();
  readonly #dropped = new Set<number>();
  readonly #applied = new Set<number>();
  /** By token: what was committed when the read began. */
  readonly #floors = new Map<number, LogIndex>();
  readonly #hashes = new Map<LogIndex, readonly [number, number]>();
  #lastToken = 0;
  reads = 0;

  constructor(world: World, observer: RaftObserver) {
    this.#world = world;
    this.#observer = observer;
  }

  get appliedCount(): number {
    return this.#applied.size;
  }

  /** A proposal: its token is its data. */
  proposal(bytes: number): { token: number; data: Uint8Array } {
    const token = ++this.#lastToken;
    const data = new Uint8Array(4 + bytes);
    new DataView(data.buffer).setUint32(0, token);
    return { token, data };
  }

  readToken(): number {
    const token = ++this.#lastToken;
    this.#floors.set(token, this.#observer.committed);
    return token;
  }

  wasApplied(token: number): boolean {
    return this.#applied.has(token);
  }

  /** It will not be applied, or was not by the leader it was given to. */
  isOpen(token: number): boolean {
    return !this.#applied.has(token) && !this.#dropped.has(token);
  }

  wasRead(token: number): boolean {
    return !this.#floors.has(token);
  }

  proposed(token: number, index: LogIndex, term: Term): void {
    if (token !== 0) this.#places.set(token, { index, term });
  }

  dropped(token: number): void {
    if (token !== 0) this.#dropped.add(token);
  }

  read(peer: PeerId, token: number, index: LogIndex): void {
    const floor = this.#floors.get(token);
    if (floor === undefined) this.#world.fail("read", `${peer} answers a read twice, or one that nobody asked`);
    this.#floors.delete(token);
    this.#observer.read(peer, floor, index);
    this.reads++;
  }

  applied(peer: PeerId, entry: Entry, state: AppliedState): void {
    this.#sameHistory(peer, state);
    if (entry.kind !== "normal") return;
    const token = new DataView(entry.data.buffer, entry.data.byteOffset).getUint32(0);
    const place = this.#places.get(token);
    if (this.#dropped.has(token)) this.#world.fail("proposal", `${token} was refused, and ${peer} applies it`);
    if (place === undefined || place.index !== entry.index || place.term !== entry.term) {
      this.#world.fail("proposal", `${peer} applies ${token} at ${entry.index}/${entry.term}, not where it was put`);
    }
    this.#applied.add(token);
  }

  restored(peer: PeerId, state: AppliedState): void {
    this.#sameHistory(peer, state);
  }

  #sameHistory(peer: PeerId, { applied, hash }: AppliedState): void {
    const known = this.#hashes.get(applied);
    if (known === undefined) this.#hashes.set(applied, hash);
    else if (known[0] !== hash[0] || known[1] !== hash[1]) {
      this.#world.fail("history", `at ${applied} the state of ${peer} is not that of the others`);
    }
  }
}
