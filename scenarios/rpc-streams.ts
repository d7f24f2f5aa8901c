import { crc32 } from "../core/bytes/crc32.ts";
import type { Clock } from "../core/env/clock.ts";
import type { NetOptions } from "../net/rpc/options.ts";
import type { Hello } from "../net/rpc/hello.ts";
import type { StreamManifest, StreamPosition } from "../net/rpc/stream-messages.ts";
import type { StreamAcceptor, StreamSink } from "../net/rpc/stream-receiver.ts";
import type { StreamOutcome, StreamSource } from "../net/rpc/stream-sender.ts";
import type { Dice } from "../sim/dice.ts";
import type { World } from "../sim/world.ts";
import { isPattern, pattern } from "./rpc-ledger.ts";

const refusedByReceiver = 13;

/** One stream as its sender sees it, and what a receiver has of it. */
export interface StreamRecord {
  readonly id: number;
  readonly from: string;
  readonly to: string;
  readonly manifest: StreamManifest;
  /** The receiver will not want it. */
  readonly unwelcome: boolean;
  /** The source reads other bytes than its manifest says; there is nothing to send otherwise. */
  readonly rotten: boolean;
  /** A source that fails in the middle; -1: none. */
  readonly failsAt: number;
  outcome: StreamOutcome | null;
  cancelled: boolean;
  /** A sink had everything and was told so. */
  finished: boolean;
}

/** All streams of a run. */
export class StreamLedger {
  readonly #world: World;
  readonly #records = new Map<number, StreamRecord>();
  open = 0;
  completed = 0;
  resumed = 0;

  constructor(world: World) {
    this.#world = world;
  }

  begin(dice: Dice, from: string, to: string, bytesMax: number): StreamRecord {
    const id = this.#records.size + 1;
    const sizes = Array.from({ length: dice.between(0, 4) }, () => (dice.chance(1, 5) ? 0 : dice.skewed(1, bytesMax)));
    const files = sizes.map((sizeBytes, file) => {
      const bytes = pattern(id * 16 + file, sizeBytes);
      return { sizeBytes, crc: crc32(bytes, 0, sizeBytes, 0) };
    });
    const unwelcome = dice.chance(1, 10);
    const record: StreamRecord = {
      id,
      from,
      to,
      manifest: { snapshotId: id, meta: Uint8Array.of(unwelcome ? refusedByReceiver : 0), files },
      unwelcome,
      rotten: dice.chance(1, 12) && sizes.some((size) => size > 0),
      failsAt: dice.chance(1, 12) && sizes.length > 0 ? dice.below(sizes.length) : -1,
      outcome: null,
      cancelled: false,
      finished: false,
    };
    this.#records.set(id, record);
    this.open++;
    return record;
  }

  orphaned(record: StreamRecord): void {
    if (record.outcome !== null) return;
    record.outcome = { kind: "failed", reason: "orphaned" };
    this.open--;
  }

  ended(record: StreamRecord, outcome: StreamOutcome): void {
    const world = this.#world;
    const said = `stream ${record.id} (${record.from} to ${record.to})`;
    if (record.outcome !== null) world.fail("exactly-once", `${said} ends again: ${outcome.kind}`);
    record.outcome = outcome;
    this.open--;
    if (outcome.kind === "done") this.completed++;
    if (outcome.kind === "done" && !record.finished) world.fail("streams", `${said} is done, and nobody has it`);
    if (outcome.kind === "done" && record.unwelcome) world.fail("streams", `${said} is done, and nobody wanted it`);
    const isWelcome = !record.unwelcome && !record.rotten;
    if (outcome.kind === "refused" && isWelcome) world.fail("streams", `${said} is refused: ${outcome.reason}`);
    // No fault lasts as long as that.
    if (outcome.reason.startsWith("no progress")) world.fail("streams", `${said} got nowhere: ${outcome.reason}`);
    if (!record.cancelled && outcome.kind === "cancelled") {
      world.fail("cancel", `${said} ends with ${outcome.kind}, cancelled: ${record.cancelled}`);
    }
  }

  of(snapshotId: number): StreamRecord {
    const record = this.#records.get(snapshotId);
    if (record === undefined) this.#world.fail("corruption", `stream ${snapshotId} was never begun`);
    return record;
  }
}

/** What one process sends and takes, against its limits. */
export class StreamMeter {
  readonly world: World;
  readonly clock: Clock;
  readonly #options: NetOptions;
  readonly #startUs: number;
  #bytes = 0;

  constructor(world: World, clock: Clock, options: NetOptions) {
    this.world = world;
    this.clock = clock;
    this.#options = options;
    this.#startUs = clock.monotonicUs();
  }

  /** So many bytes are about to be sent: the rate is kept over any time. */
  read(length: number): void {
    this.#bytes += length;
    const { streamBytesPerSecond, chunkBytes } = this.#options;
    const elapsedUs = this.clock.monotonicUs() - this.#startUs;
    const burst = Math.max(chunkBytes, Math.ceil(streamBytesPerSecond / 20));
    const allowed = burst + Math.ceil((elapsedUs * streamBytesPerSecond) / 1_000_000);
    if (this.#bytes > allowed) this.world.fail("rate", `${this.#bytes} bytes of streams, ${allowed} are allowed`);
  }

  /** A sink has so many bytes that it has not written. */
  waiting(bytes: number): void {
    const max = this.#options.windowBytes;
    if (bytes > max) this.world.fail("bounds", `${bytes} bytes wait for one sink, the bound is ${max}`);
  }
}

/** Content that can be computed anywhere, read at once or later. */
export function sourceOf(record: StreamRecord, meter: StreamMeter, dice: Dice): StreamSource {
  return {
    manifest: record.manifest,
    // oxlint-disable-next-line max-params
    read: (file, offset, length, done): void => {
      const fails = record.failsAt === file;
      const bytes = fails ? null : pattern(record.id * 16 + file, length, offset);
      if (record.rotten && bytes !== null && offset === 0) bytes[0] = (bytes[0] ?? 0) ^ 1;
      meter.read(length);
      if (dice.chance(1, 2)) done(bytes);
      else meter.clock.after(dice.skewed(1, 3_000), () => done(bytes));
    },
  };
}

/** Receives for one process, and checks every byte. */
export class StreamTaker implements StreamAcceptor {
  readonly #world: World;
  readonly #ledger: StreamLedger;
  readonly #at: string;
  readonly #meter: StreamMeter;
  readonly #clock: Clock;
  readonly #dice: Dice;

  constructor(ledger: StreamLedger, at: string, meter: StreamMeter, dice: Dice) {
    this.#world = meter.world;
    this.#ledger = ledger;
    this.#at = at;
    this.#meter = meter;
    this.#clock = meter.clock;
    this.#dice = dice;
  }

  begin(from: Hello, manifest: StreamManifest, done: (sink: StreamSink | string) => void): void {
    const record = this.#ledger.of(manifest.snapshotId);
    if (record.to !== this.#at || record.from !== `store-${from.storeId}`) {
      this.#world.fail("routing", `stream ${record.id} arrives at ${this.#at} from store ${from.storeId}`);
    }
    const answer = manifest.meta[0] === refusedByReceiver ? "not wanted" : this.#sink(record);
    if (this.#dice.chance(1, 2)) done(answer);
    else this.#clock.after(this.#dice.skewed(1, 5_000), () => done(answer));
  }

  #sink(record: StreamRecord): StreamSink {
    const world = this.#world;
    let reached: StreamPosition = { file: 0, offset: 0 };
    let busyUs = 0;
    let waiting = 0;
    let over = false;
    return {
      start: reached,
      // oxlint-disable-next-line max-params
      write: (file, offset, bytes, done): void => {
        if (over) world.fail("streams", `stream ${record.id} is written after its end`);
        const continues = file === reached.file ? offset === reached.offset : file > reached.file && offset === 0;
        if (!continues) world.fail("streams", `stream ${record.id}: a hole before ${file}:${offset}`);
        if (!record.rotten && !isPattern(bytes, record.id * 16 + file, bytes.length, offset)) {
          world.fail("corruption", `stream ${record.id} has other bytes than were sent`);
        }
        const { length } = bytes;
        reached = { file, offset: offset + length };
        waiting += length;
        this.#meter.waiting(waiting);
        // In order: a later write is never done before an earlier one.
        busyUs = Math.max(busyUs, this.#clock.monotonicUs()) + this.#dice.skewed(1, 2_000);
        this.#clock.after(Math.max(0, busyUs - this.#clock.monotonicUs()), () => {
          waiting -= length;
          done(true);
        });
      },
      finish: (done): void => {
        over = true;
        if (waiting > 0) world.fail("streams", `stream ${record.id} ends with ${waiting} bytes unwritten`);
        const last = record.manifest.files.findLastIndex(({ sizeBytes }) => sizeBytes > 0);
        const size = record.manifest.files[last]?.sizeBytes ?? 0;
        if (last >= 0 && (reached.file !== last || reached.offset !== size)) {
          world.fail("streams", `stream ${record.id} ends at ${reached.file}:${reached.offset}`);
        }
        if (record.rotten) world.fail("streams", `stream ${record.id} is taken with a wrong checksum`);
        this.#clock.after(this.#dice.skewed(1, 30_000), () => {
          record.finished = true;
          done(true);
        });
      },
      abandon: (): void => {
        if (over) world.fail("streams", `stream ${record.id} is abandoned after its end`);
        over = true;
      },
    };
  }
}
