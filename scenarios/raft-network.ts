import type { PeerId } from "../raft/entry.ts";
import { Message } from "../raft/message.ts";
import type { Dice } from "../sim/dice.ts";
import type { World } from "../sim/world.ts";
import type { NetworkPlan } from "./raft-plan.ts";

/** Who messages go to. */
export interface Mailbox {
  readonly id: PeerId;
  receive(message: Message): void;
  /** How a snapshot fared that it sent to `to`. */
  snapshotStatus(to: PeerId, ok: boolean): void;
}

/** Single messages, each of which may be lost, come twice, or be overtaken. */
export class RaftNetwork {
  /** The faults are over: everything arrives. */
  calm = false;
  /** What passes; null: everything. */
  filter: ((message: Message) => boolean) | null = null;
  readonly #world: World;
  readonly #plan: NetworkPlan;
  readonly #dice: Dice;
  readonly #mailboxes = new Map<PeerId, Mailbox>();
  /** Ordered pairs that hear nothing, `from * 100 + to`. */
  readonly #cut = new Set<number>();

  constructor(world: World, plan: NetworkPlan) {
    this.#world = world;
    this.#plan = plan;
    this.#dice = world.dice("network");
  }

  join(mailbox: Mailbox): void {
    this.#mailboxes.set(mailbox.id, mailbox);
  }

  cut(from: PeerId, to: PeerId): void {
    this.#cut.add(from * 100 + to);
  }

  heal(): void {
    this.#cut.clear();
  }

  reaches(from: PeerId, to: PeerId): boolean {
    return !this.#cut.has(from * 100 + to);
  }

  send(message: Message): void {
    const dice = this.#dice;
    const { lost, duplicated } = this.#plan;
    const isLost = (dice.chance(lost, 1_000) && !this.calm) || !this.reaches(message.from, message.to);
    if (message.kind === "snapshot") {
      this.#sendSnapshot(message, isLost);
      return;
    }
    if (!isLost) this.#deliver(message);
    if (!isLost && dice.chance(duplicated, 1_000) && !this.calm) this.#deliver(message);
  }

  /** Arrives now, whatever is cut. */
  force(message: Message): void {
    this.#mailboxes.get(message.to)?.receive(copied(message));
  }

  #deliver(message: Message): void {
    this.#world.after(this.#delayUs(), () => {
      // Cut while it was on its way: what is in the air is lost too.
      if (!this.reaches(message.from, message.to) || this.filter?.(message) === false) return;
      // Copied as late as the wire would: whoever reuses what it has sent is found out.
      this.#mailboxes.get(message.to)?.receive(copied(message));
    });
  }

  /** Its data takes another way; the sender is told how that went, sometimes wrongly. */
  #sendSnapshot(message: Message, isLost: boolean): void {
    const lies = this.#dice.chance(1, 8) && !this.calm;
    if (!isLost) this.#deliver(message);
    this.#world.after(this.#delayUs() * 2, () => {
      this.#mailboxes.get(message.from)?.snapshotStatus(message.to, !isLost && !lies);
    });
  }

  #delayUs(): number {
    const { delayUsMax, calmDelayUsMax, late } = this.#plan;
    const isLate = this.#dice.chance(late, 1_000) && !this.calm;
    const delayUs = this.#dice.below((this.calm ? calmDelayUsMax : delayUsMax) + 1);
    return isLate ? delayUs * 10 : delayUs;
  }
}

function copied(message: Message): Message {
  const copy = new Message(message.kind, message.from, message.to, message.term);
  Object.assign(copy, message);
  copy.entries = message.entries.map((entry) => ({ ...entry }));
  return copy;
}
