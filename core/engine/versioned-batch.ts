import { assert } from "../assert.ts";
import { recordBytes, versionMax } from "../bytes/record.ts";
import type { Batch } from "./batch.ts";

/** One write of a `VersionedBatch`. */
export interface VersionedWrite {
  readonly family: number;
  readonly key: Uint8Array;
  readonly version: number;
  /** Null: a tombstone. */
  readonly value: Uint8Array | null;
  readonly expiresAtMs: number;
}

/** Writes that happen together or not at all, each at a version of its own. */
export class VersionedBatch {
  readonly writes: VersionedWrite[] = [];
  byteLength = 0;

  // oxlint-disable-next-line max-params
  set(family: number, key: Uint8Array, version: number, value: Uint8Array, expiresAtMs = 0): void {
    this.#add({ family, key, version, value, expiresAtMs });
  }

  delete(family: number, key: Uint8Array, version: number): void {
    this.#add({ family, key, version, value: null, expiresAtMs: 0 });
  }

  clear(): void {
    this.writes.length = 0;
    this.byteLength = 0;
  }

  #add(write: VersionedWrite): void {
    this.writes.push(write);
    this.byteLength += recordBytes(write.key.length, write.value?.length ?? 0);
  }
}

/** Makes `images` the record images of a batch. The highest version; 0: there is none. */
export function encodeVersioned(batch: VersionedBatch, images: Batch): number {
  images.clear();
  let newest = 0;
  for (const { family, key, version, value, expiresAtMs } of batch.writes) {
    assert(Number.isSafeInteger(version) && version > 0 && version < versionMax, "a version is a number from 1 on");
    if (value === null) images.delete(key, family);
    else images.set(key, value, expiresAtMs, family);
    images.stamp(version);
    if (version > newest) newest = version;
  }
  return newest;
}
