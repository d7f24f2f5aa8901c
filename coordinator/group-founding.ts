import { decode, encode, type Layout, list, struct, u53 } from "../core/bytes/layout.ts";
import type { Clock, Timer } from "../core/env/clock.ts";
import { NokvError } from "../core/errors.ts";
import type { IncomingRequest } from "../net/rpc/incoming-request.ts";
import { messageClass } from "../net/rpc/wire.ts";
import type { RaftLog } from "../raft/store/raft-log.ts";
import { storeGroup } from "../raft/store/log-notes.ts";
import { rootGroup } from "./root-checkpoint.ts";
import type { Caller } from "./service/group-caller.ts";
import { coordinatorIdOf, coordinatorMethod } from "./service/methods.ts";

/** Numbers of notes of group 0 in a member's log, beside the store's. Never reused. */
const foundingNote = { birth: 64, roster: 65 } as const;

/** A member's directory, from its first moment on: another directory of the same member has another number. */
export interface Birth {
  readonly memberId: number;
  readonly birth: number;
}

/** What a member says of itself. `roster`: the directories it counts on; none: it takes no part yet. */
export interface Greeting {
  readonly birth: number;
  readonly roster: readonly Birth[];
}

const birthLayout: Layout<{ readonly birth: number }> = struct({ birth: u53 });
const rosterLayout: Layout<readonly Birth[]> = list(struct<Birth>({ memberId: u53, birth: u53 }));
const greetingLayout: Layout<Greeting> = struct({ birth: u53, roster: rosterLayout });

const greetMs = 2_000;
const retryMs = 300;

/** Of a directory that was never opened before; resolves when it is durable. Else what it has. */
export async function beginBirth(log: RaftLog, drawn: number): Promise<number> {
  const bytes = log.group(storeGroup)?.notes.get(foundingNote.birth);
  const known = bytes === undefined ? null : decode(birthLayout, bytes);
  if (known !== null && typeof known !== "string") return known.value.birth;
  const value = encode(birthLayout, { birth: drawn });
  await log.submitted([{ op: "note", group: storeGroup, key: foundingNote.birth, value }]);
  return drawn;
}

export interface FoundingParts {
  readonly clock: Clock;
  readonly caller: Caller;
  readonly log: RaftLog;
  readonly memberId: number;
  readonly members: readonly number[];
  readonly birth: number;
  /** For messages. */
  readonly path: string;
  /** It takes part. Once, and not inside `begin`. */
  readonly founded: () => void;
  readonly failed: (error: NokvError) => void;
}

/**
 * Whether a member may vote. One that lost its directory has forgotten votes and entries that others count on, and
 * looks like one of the first day. So a directory that is new asks every other member, and takes part when each has
 * answered: either that it does not take part itself, or that it counts on this very directory. Whoever counts on
 * another one has heard promises that are lost.
 */
export class GroupFounding {
  readonly #parts: FoundingParts;
  #roster: readonly Birth[];
  /** Of this round. */
  #greetings = new Map<number, Greeting>();
  #timer: Timer | null = null;
  #over = false;
  #stopped = false;

  constructor(parts: FoundingParts) {
    this.#parts = parts;
    const bytes = parts.log.group(storeGroup)?.notes.get(foundingNote.roster);
    const known = bytes === undefined ? null : decode(rosterLayout, bytes);
    this.#roster = known === null || typeof known === "string" ? [] : known.value;
  }

  /** Who has not answered yet; empty: it takes part. */
  get missing(): readonly number[] {
    if (this.#over) return [];
    const { members, memberId } = this.#parts;
    return members.filter((member) => member !== memberId && !this.#greetings.has(member));
  }

  begin(): void {
    const { clock, log } = this.#parts;
    const isKnown = this.#roster.length > 0 || log.group(rootGroup) !== null;
    if (isKnown) clock.soon(() => this.#finish());
    else this.#ask();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /** Another member asks who this one is. */
  answer(request: IncomingRequest): void {
    request.respond(encode(greetingLayout, { birth: this.#parts.birth, roster: this.#roster }));
  }

  /** Everybody once; when all have answered the answers are of one time. */
  #ask(): void {
    const { members, memberId, caller, clock } = this.#parts;
    this.#greetings = new Map();
    const others = members.filter((member) => member !== memberId);
    let open = others.length;
    for (const member of others) {
      const order = {
        method: coordinatorMethod.greet, payload: new Uint8Array(0), timeoutMs: greetMs, cls: messageClass.coordinator,
        traceId: 0, region: null,
      } as const;
      caller.call(coordinatorIdOf(member), order, (error, payload) => {
        if (this.#stopped) return;
        const greeting = error === null ? decode(greetingLayout, payload) : "no answer";
        if (typeof greeting !== "string") this.#greetings.set(member, greeting.value);
        if (--open > 0) return;
        if (this.#greetings.size === others.length) this.#judge();
        else this.#timer = clock.after(retryMs * 1_000, () => this.#ask());
      });
    }
  }

  #judge(): void {
    const { memberId, birth, log, path, failed } = this.#parts;
    for (const [member, { roster }] of this.#greetings) {
      const counted = roster.find((known) => known.memberId === memberId);
      if (counted === undefined || counted.birth === birth) continue;
      const what = `member ${memberId} of the Coordinator's group took part before, as member ${member} knows`;
      const remedy = `its directory ${path} is empty, and what it promised is lost: bring the directory back`;
      failed(new NokvError("NOKV_FOREIGN_DIRECTORY", `${what}; ${remedy}`, { path }));
      return;
    }
    const others = [...this.#greetings].map(([member, greeting]) => ({ memberId: member, birth: greeting.birth }));
    const roster = [...others, { memberId, birth }].toSorted((a, b) => a.memberId - b.memberId);
    const value = encode(rosterLayout, roster);
    log.submit([{ op: "note", group: storeGroup, key: foundingNote.roster, value }], true, () => {
      this.#roster = roster;
      this.#finish();
    });
  }

  #finish(): void {
    if (this.#stopped) return;
    this.#over = true;
    this.#parts.founded();
  }
}
