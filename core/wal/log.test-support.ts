/** A log on a simulated disk, with an owner that takes notes. */
import { Batch } from "../engine/batch.ts";
import type { TestEnv, TestWorld } from "../engine/test-world.test-support.ts";
import { recordBytesAt, writeVersion } from "../bytes/record.ts";
import type { DiskError } from "../env/disk.ts";
import { DirectorySync } from "./directory-sync.ts";
import type { WalSegment } from "./segment.ts";
import { scanSegment, type SegmentScan } from "./segment-scan.ts";
import type { WalLevel, WalOwner } from "./wal-config.ts";
import { WalWriter } from "./writer.ts";

export const epoch = 0x1234_5678;

export function segmentPath(number: number): string {
  return `/log-${number}`;
}

export class TestLog implements WalOwner {
  readonly world: TestWorld;
  readonly env: TestEnv;
  readonly writer: WalWriter;
  readonly reachedVersions: number[] = [];
  readonly durableSegments: number[] = [];
  failure: DiskError | null = null;
  holds = false;
  waitsForSpace = true;
  /** Called at every `reached`. */
  onReached: (version: number) => void = () => {};
  nextVersion = 1;

  constructor(world: TestWorld, level: WalLevel, groupBytesMax = 1 << 20, aheadBytesMax = 0) {
    this.world = world;
    this.env = world.boot();
    const directory = new DirectorySync(this.env.disk, "/");
    const limits = { groupBytesMax, aheadBytesMax, sparesMax: 1, waitedSyncUs: 0 };
    const config = { directory, epoch, level, syncIntervalMs: 10, ...limits };
    this.writer = new WalWriter(this.env, config, this);
  }

  begin(number: number, arenaBytes = 4096): WalSegment {
    return this.writer.begin(number, segmentPath(number), new Uint8Array(arenaBytes));
  }

  /** One batch of one value of `valueBytes` bytes; returns its version. */
  append(valueBytes = 8): number {
    const version = this.nextVersion++;
    const images = batchImages(version, [valueBytes]);
    this.writer.append(images, images.length, version);
    return version;
  }

  mayWrite(): boolean {
    return !this.holds;
  }

  mayWaitForSpace(): boolean {
    return this.waitsForSpace;
  }

  reached(version: number): void {
    this.reachedVersions.push(version);
    this.onReached(version);
  }

  segmentDurable(segment: WalSegment): void {
    this.durableSegments.push(segment.number);
  }

  failed(error: DiskError): void {
    this.failure = error;
  }

  get reachedVersion(): number {
    return this.reachedVersions.at(-1) ?? 0;
  }

  async settle(): Promise<void> {
    await this.world.pass(50);
  }

  /** What is in the file of segment `number` as anybody would read it now. */
  image(number: number): Uint8Array {
    const found = this.world.disk.inspect(segmentPath(number));
    return found === null ? new Uint8Array(0) : found.cached;
  }

  /** What a power loss now would leave of it, at the least. */
  durableScan(number: number): SegmentScan {
    return scanImage(this.world.disk.inspect(segmentPath(number))?.durable ?? new Uint8Array(0), number);
  }

  scan(number: number): SegmentScan {
    return scanImage(this.image(number), number);
  }
}

export function scanImage(image: Uint8Array, number: number): SegmentScan {
  return scanSegment(segmentPath(number), image, image.length, number, epoch);
}

/** Record images of one batch, stamped: values of the given lengths under the keys 0, 1, 2 and so on. */
export function batchImages(version: number, valueLengths: readonly number[]): Uint8Array {
  const batch = new Batch();
  valueLengths.forEach((length, i) => batch.set(Uint8Array.of(i), new Uint8Array(length).fill(version)));
  const images = batch.bytes.slice(0, batch.byteLength);
  const view = new DataView(images.buffer);
  for (let at = 0; at < images.length; at += recordBytesAt(view, at)) writeVersion(view, at, version);
  return images;
}
