import { openDb } from "../../core/engine/db.ts";
import { engineOptionsDefault, type EngineOptions } from "../../core/engine/options.ts";
import type { Sources } from "./damage.ts";
import { applyTo, type HistoryOptions, operationAt, perform, type State } from "./history.ts";
import { type Image, ImageDisk } from "./image-disk.ts";
import { imageEnv } from "./image-env.ts";

/** Where every image lies. */
export const directory = "/image";
const operations = 1_200;
const olderAt = 700;

/** Small limits: many tables, blocks, segments and value files in a few dozen kilobytes. */
export const smallOptions: Partial<EngineOptions> = knownOptions({
  durability: "sync",
  memtableBytes: 16 * 1024,
  blockBytes: 512,
  tableBytes: 8 * 1024,
  level0TablesMax: 2,
  valueThresholdBytes: 256,
});

function knownOptions(wanted: Readonly<Record<string, unknown>>): Partial<EngineOptions> {
  return Object.fromEntries(Object.entries(wanted).filter(([name]) => Object.hasOwn(engineOptionsDefault, name)));
}

/** A directory that was written, as it was at some time. */
export interface Specimen {
  readonly name: string;
  readonly sources: Sources;
  readonly history: HistoryOptions;
  readonly state: State;
  /** Operations of the history that it took. */
  readonly taken: number;
}

/** The directories that are damaged. */
export async function makeSpecimens(seed: number): Promise<readonly Specimen[]> {
  const written = await write(seed);
  const foreign = await write(seed + 1);
  return (["closed", "crashed", "behind"] as const).map((name) => {
    const { image, state, taken } = written.moments[name];
    const sources: Sources = { image, older: written.older, foreign: foreign.moments[name].image };
    return { name, sources, history: written.history, state, taken };
  });
}

/** A directory at one moment, and what it holds. */
interface Moment {
  readonly image: Image;
  readonly state: State;
  readonly taken: number;
}

interface Written {
  readonly older: Image;
  readonly history: HistoryOptions;
  readonly moments: Readonly<Record<"closed" | "crashed" | "behind", Moment>>;
}

/**
 * Writes a database. "crashed" is its directory while it was open, "closed" after it was closed, "behind" while
 * it was open and no background work was done any more: several log segments lie there.
 */
async function write(seed: number): Promise<Written> {
  const disk = new ImageDisk(directory, new Map());
  let held = false;
  let db = await openDb(imageEnv(disk, () => held), directory, smallOptions);
  const history = { seed };
  const state: State = new Map();
  let taken = 0;
  const step = async (): Promise<void> => {
    const operation = operationAt(history, ++taken);
    await perform(db, operation);
    applyTo(state, operation);
  };
  const moment = (): Moment => ({ image: copyOf(disk.image()), state: new Map(state), taken });
  while (taken < olderAt) await step();
  const older = copyOf(disk.image());
  while (taken < operations) await step();
  const crashed = moment();
  await db.close();
  const closed = moment();
  db = await openDb(imageEnv(disk, () => held), directory, smallOptions);
  held = true;
  while (segmentsIn(disk) < 3) await step();
  for (let i = 0; i < 20; i++) await step();
  return { older, history, moments: { closed, crashed, behind: moment() } };
}

function segmentsIn(disk: ImageDisk): number {
  return disk.list().filter((name) => name.startsWith("wal-")).length;
}

function copyOf(image: Image): Image {
  return new Map([...image].map(([name, entry]) => [name, "bytes" in entry ? { bytes: entry.bytes.slice() } : entry]));
}
