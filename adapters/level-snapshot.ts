import { AbstractSnapshot } from "abstract-level";
import type { Snapshot } from "../core/engine/snapshot.ts";

/** The published types leave the constructor's argument out. */
const Base = AbstractSnapshot as unknown as new (options: object) => AbstractSnapshot;

/** `db.snapshot()` of `abstract-level`, which closes it with its database. */
export class LevelSnapshot extends Base {
  readonly snapshot: Snapshot;

  constructor(options: object, snapshot: Snapshot) {
    super(options);
    this.snapshot = snapshot;
  }

  async _close(): Promise<void> {
    this.snapshot.release();
  }
}
