import { writeSync } from "node:fs";
import type { Db } from "../../core/engine/db.ts";
import { engineOptionsDefault, type EngineOptions } from "../../core/engine/options.ts";
import { NokvError } from "../../core/errors.ts";
import { open } from "../../host/open.ts";
import { describeDifference, keyAt, keyCount, operationAt, perform, sameState } from "./history.ts";
import type { State } from "./history.ts";

/** What the process that writes is told, as JSON on its command line. */
export interface WriterOrder {
  readonly directory: string;
  readonly seed: number;
  /** The first operation, and how many; 0: only open, tell what is there, and close. */
  readonly first: number;
  readonly count: number;
  readonly durability: "sync" | "interval" | "none";
}

const inFlightMax = 16;

/** Small enough that flushes, merges and manifest rewrites happen all the time, and are hit too. */
const wanted: Readonly<Record<string, number | string>> = {
  memtableBytes: 32_768,
  level0TablesMax: 2,
  tableBytes: 65_536,
  levelBytesBase: 131_072,
  manifestBytesMax: 16_384,
  valueThresholdBytes: 256,
  valueGarbagePercent: 20,
};

/**
 * Opens the directory, tells what is there, writes operations of a history, and tells about each before it is
 * sent and after it was answered. It speaks by write(2), one line each, so that what it said before it was killed
 * is known:
 *
 *     open {…}   sent N   acknowledged N   failed N CODE   refused CODE message   end
 */
export async function runWriter(order: WriterOrder): Promise<void> {
  const known = Object.entries(wanted).filter(([name]) => Object.hasOwn(engineOptionsDefault, name));
  const options: Partial<EngineOptions> = { ...Object.fromEntries(known), durability: order.durability };
  let db: Db;
  try {
    db = await open(order.directory, options);
    say(`open ${JSON.stringify(Object.fromEntries(readAll(db)))}`);
  } catch (error) {
    say(`refused ${codeOf(error)} ${messageOf(error)}`);
    return;
  }
  await write(db, order);
  try {
    await db.close();
  } catch (error) {
    if (!(error instanceof NokvError)) throw error;
  }
  say("end");
}

async function write(db: Db, order: WriterOrder): Promise<void> {
  const history = { seed: order.seed };
  const inFlight = new Set<Promise<void>>();
  let broken = false;
  for (let n = order.first; n < order.first + order.count && !broken; n++) {
    say(`sent ${n}`);
    const answered = perform(db, operationAt(history, n)).then(
      () => say(`acknowledged ${n}`),
      (error: unknown) => {
        broken = true;
        say(`failed ${n} ${codeOf(error)} ${messageOf(error)}`);
      },
    );
    const settled = answered.finally(() => inFlight.delete(settled));
    inFlight.add(settled);
    if (inFlight.size >= inFlightMax) await Promise.race(inFlight);
  }
  await Promise.all(inFlight);
}

/** Every key by itself and all in order must agree. */
function readAll(db: Db): State {
  const decoder = new TextDecoder();
  const state: State = new Map();
  for (let n = 0; n < keyCount; n++) {
    const value = db.get(keyAt(n));
    if (value !== undefined) state.set(keyAt(n), decoder.decode(value));
  }
  const scanned: State = new Map();
  for (const [key, value] of db.entries()) scanned.set(decoder.decode(key), decoder.decode(value));
  if (!sameState(state, scanned)) throw new Error(`reads and scans differ: ${describeDifference(state, scanned)}`);
  return state;
}

/** All of it, whatever `write` takes at once; the pipe may be full while the reader is busy. */
function say(line: string): void {
  const bytes = new TextEncoder().encode(`${line}\n`);
  for (let start = 0; start < bytes.length; ) {
    try {
      start += writeSync(1, bytes, start);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

function codeOf(error: unknown): string {
  return error instanceof NokvError ? error.code : "UNTYPED";
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replaceAll("\n", " ");
}
