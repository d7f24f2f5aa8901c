import { assert } from "../../core/assert.ts";
import type { AppendTask } from "../ready.ts";
import type { RegionMeta } from "../region.ts";
import type { LaneBatch } from "./lane-batch.ts";
import type { Peer } from "./peer.ts";
import type { PeerContext } from "./peer-context.ts";
import { type SnapshotIntent, regionOfSnapshot } from "./snapshot-intent.ts";

/**
 * A snapshot that is to take the place of all that a peer has: from the moment its files are there, over the machine's
 * word on it, until records and log are its. What the peer has to write meanwhile waits behind it.
 */
export class PeerSnapshot {
  readonly #context: PeerContext;
  readonly #peer: Peer;
  /** Its files are there; the machine has not said whether it is of use. */
  #offer: SnapshotIntent | null = null;
  /** While it is installed: it, and append tasks that wait behind it. */
  #installing: { readonly intent: SnapshotIntent; readonly tasks: AppendTask[]; isDone: boolean } | null = null;
  /** Under this name came what is installed, and not published yet; "": nothing. */
  #installed = "";

  constructor(context: PeerContext, peer: Peer) {
    this.#context = context;
    this.#peer = peer;
  }

  /** The region that is about to be here; null: none is being installed. */
  get installing(): RegionMeta | null {
    return this.#installing === null ? null : regionOfSnapshot(this.#installing.intent.snapshot);
  }

  /** Something came and is not settled. */
  get busy(): boolean {
    return this.#offer !== null || this.#installing !== null;
  }

  /** Records and log are its. The name under which its files came. */
  published(): string {
    const name = this.#installed;
    this.#installed = "";
    return name;
  }

  /** The peer ends: a snapshot that it did not come to publish must not keep its successor's out. */
  abandon(): void {
    this.decline();
    if (this.#installed !== "") this.#context.snapshotSettled(this.#peer, this.published());
  }

  offer(intent: SnapshotIntent): void {
    assert(this.#offer === null && this.#installing === null, "snapshots of a region come one at a time");
    this.#offer = intent;
  }

  /** The machine did not take it. */
  decline(): void {
    if (this.#offer === null) return;
    const { name } = this.#offer;
    this.#offer = null;
    this.#context.snapshotSettled(this.#peer, name);
  }

  /** False: `task` has to wait for what is being installed, and does. */
  passes(task: AppendTask): boolean {
    if (this.#installing === null) return true;
    this.#installing.tasks.push(task);
    return false;
  }

  /** The machine takes it, as `task` says; the caller ends what is there, and then asks for its records. */
  begin(task: AppendTask): SnapshotIntent {
    const intent = this.#offer;
    assert(intent !== null && intent.snapshot.index === task.snapshot?.index, "a snapshot's files came before it");
    this.#offer = null;
    this.#installing = { intent, tasks: [task], isDone: false };
    return intent;
  }

  /** The records are the snapshot's, durably: the log follows. */
  recordsAreThere(): void {
    assert(this.#installing !== null, "what is installed was begun");
    this.#installing.isDone = true;
  }

  /** Tasks that waited for the snapshot before them. */
  handHeld(batch: LaneBatch): void {
    if (this.#installing?.isDone !== true) return;
    const { tasks, intent } = this.#installing;
    this.#installing = null;
    this.#installed = intent.name;
    for (const task of tasks) batch.add(this.#peer, task);
  }
}
