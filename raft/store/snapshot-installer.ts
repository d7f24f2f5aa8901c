import { assert } from "../../core/assert.ts";
import { DiskError } from "../../core/env/disk.ts";
import { NokvError } from "../../core/errors.ts";
import { snapshotAfterIntent, snapshotAfterReplace, snapshotBeforeIntent } from "../../failpoints/catalog.ts";
import { noteKey } from "./log-notes.ts";
import type { Peer } from "./peer.ts";
import type { PeerContext } from "./peer-context.ts";
import { type SnapshotIntent, contentOf, encodeIntent, regionOfSnapshot } from "./snapshot-intent.ts";
import type { SnapshotReceiver } from "./snapshot-receiver.ts";
import { stateOfSnapshot } from "./snapshot-recovery.ts";
import type { SnapshotTransfer } from "./snapshot-transfer.ts";

/** Puts snapshots whose files are here in the place of what their peers had. */
export class SnapshotInstaller {
  readonly #context: PeerContext;
  readonly #transfer: SnapshotTransfer;
  readonly #incoming: SnapshotReceiver;
  readonly #stopped: () => boolean;

  // oxlint-disable-next-line max-params
  constructor(
    context: PeerContext,
    transfer: SnapshotTransfer,
    incoming: SnapshotReceiver,
    stopped: () => boolean,
  ) {
    this.#context = context;
    this.#transfer = transfer;
    this.#incoming = incoming;
    this.#stopped = stopped;
  }

  /** SnapIntent, the records, and then, by the peer's own task, SnapDone (R7, R8). */
  install(peer: Peer, intent: SnapshotIntent): void {
    const { world, log } = this.#context;
    const value = encodeIntent(intent);
    world.failpoints.hit(snapshotBeforeIntent);
    log.submit([{ op: "note", group: peer.regionId, key: noteKey.snapshotIntent, value }], true, () => {
      if (!this.#stopped()) this.#tryReplace(peer, intent);
    });
  }

  settled({ regionId }: Peer, name: string): void {
    this.#incoming.settled(regionId, name);
    try {
      this.#transfer.sweep(this.#incoming.names());
    } catch (error) {
      // They take room until the next start, and nobody takes them for anything.
      if (!(error instanceof DiskError)) throw error;
    }
  }

  /** On the log's turn: what the engine refuses there ends the store, as it does on the store's own. */
  #tryReplace(peer: Peer, intent: SnapshotIntent): void {
    try {
      this.#replaceRecords(peer, intent);
    } catch (error) {
      if (!(error instanceof DiskError) && !(error instanceof NokvError)) throw error;
      this.#context.fail(error);
    }
  }

  #replaceRecords(peer: Peer, intent: SnapshotIntent): void {
    const { world, engine } = this.#context;
    const { snapshot, name, files } = intent;
    const region = regionOfSnapshot(snapshot);
    assert(region !== null, "a snapshot's region was looked at when it came");
    const taken = this.#context.endTakenBy(region);
    const batch = stateOfSnapshot(engine, intent, region);
    world.failpoints.hit(snapshotAfterIntent);
    this.#transfer.replace(name, contentOf(snapshot, files), region, batch, (error) => {
      if (error === null) world.failpoints.hit(snapshotAfterReplace);
      if (error !== null) this.#context.fail(error);
      else if (!this.#stopped()) peer.installed();
      if (error === null && !this.#stopped()) for (const id of taken) this.#context.logOfTaken(id);
    });
  }
}
