import { columnFamily } from "../../core/bytes/record.ts";
import type { VersionedBatch } from "../../core/engine/versioned-batch.ts";
import type { VersionedStore } from "../../core/engine/versioned-store.ts";

/** First byte of the key, in family `local`, of what a machine keeps; behind it the region's id, big-endian. */
const machinePrefix = 0x6d;

/**
 * The one record that a `RegionMachine` has outside of its region's range: family `local`, this key, a value that only
 * the machine understands. It belongs to the region's state: the runtime takes it along in snapshots, and gives
 * children of a split what their parent had.
 */
export function machineStateKey(regionId: number): Uint8Array {
  const key = new Uint8Array(9);
  const view = new DataView(key.buffer);
  view.setUint8(0, machinePrefix);
  view.setUint32(1, Math.floor(regionId / 0x1_0000_0000));
  view.setUint32(5, regionId >>> 0);
  return key;
}

/** Its region ends: what its machine kept beside the range goes. */
export function clearMachineState(batch: VersionedBatch, store: VersionedStore, regionId: number): void {
  batch.delete(columnFamily.local, machineStateKey(regionId), store.nextVersion());
}
