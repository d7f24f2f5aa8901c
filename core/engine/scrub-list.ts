import type { ScrubTarget } from "../lsm/scrub-job.ts";
import { type TableMeta, tablePath } from "../lsm/table-meta.ts";
import { currentName, formatCurrent, manifestName } from "../manifest/current.ts";
import type { ManifestWriter } from "../manifest/writer.ts";
import { type ValueFileMeta, valueFilePath } from "../vlog/value-file.ts";
import { fileMagic } from "../wal/file-header.ts";
import type { WalSegment } from "../wal/segment.ts";
import type { BackgroundContext } from "./background.ts";

/** A file that a scrubber reads. It is not held: it may go out of use and from the disk at any time. */
export interface ScrubFile {
  readonly path: string;
  /** When it was listed. What is written behind it is for the next pass, or a pass would never end. */
  readonly sizeBytes: number;
  /** How to judge about `budgetBytes` from `from` on; null: there is no more of it, or it went out of use. */
  target(from: number, budgetBytes: number): ScrubTarget | null;
  /** False: what is wrong with it concerns nobody any more. */
  inUse(): boolean;
}

/** The durable files of an open engine. Not to be asked once it is closed. */
export class ScrubList {
  readonly #context: BackgroundContext;
  readonly #manifest: ManifestWriter;

  constructor(context: BackgroundContext, manifest: ManifestWriter) {
    this.#context = context;
    this.#manifest = manifest;
  }

  /** Those in use now, in an order that changes little from one call to the next. */
  files(): ScrubFile[] {
    const { tables, write } = this.#context;
    const { version } = tables.current;
    return [
      this.#current(),
      this.#manifestFile(),
      ...version.tables().toSorted((a, b) => a.number - b.number).map((meta) => this.#table(meta)),
      ...version.valueFiles().map((file) => this.#valueFile(file)),
      ...write.memtables.segments().map((segment) => this.#segment(segment)),
    ];
  }

  #table({ number, sizeBytes }: TableMeta): ScrubFile {
    const { tables, directory } = this.#context;
    return {
      path: tablePath(directory, number),
      sizeBytes,
      target: (from, budgetBytes) => {
        const parts = tables.current.readerOf(number)?.partsFrom(from, budgetBytes) ?? null;
        return parts === null ? null : { kind: "table", number, parts };
      },
      inUse: () => tables.current.readerOf(number) !== null,
    };
  }

  #valueFile(file: ValueFileMeta): ScrubFile {
    const { tables, directory } = this.#context;
    const { number, sizeBytes: endBytes } = file;
    const inUse = (): boolean => tables.current.version.valueFiles().some((other) => other.number === number);
    return {
      path: valueFilePath(directory, file),
      sizeBytes: endBytes,
      target: (from) => {
        if (from >= endBytes || !inUse()) return null;
        if (file.kind === "values") return { kind: "values", file };
        return { kind: "log", number, magic: fileMagic.wal, epoch: null, endBytes };
      },
      inUse,
    };
  }

  /** As far as it is written: the file of the newest one grows. */
  #segment(segment: WalSegment): ScrubFile {
    const { memtables } = this.#context.write;
    const { path, number, epoch, wholeBytes: endBytes } = segment;
    return {
      path,
      sizeBytes: endBytes,
      target: (from) => (from < endBytes ? { kind: "log", number, magic: fileMagic.wal, epoch, endBytes } : null),
      inUse: () => memtables.segments().includes(segment),
    };
  }

  #manifestFile(): ScrubFile {
    const manifest = this.#manifest;
    const { number, epoch, endBytes } = manifest;
    return {
      path: `${this.#context.directory}/${manifestName(number)}`,
      sizeBytes: endBytes,
      target: (from) => {
        if (manifest.number !== number || from >= endBytes) return null;
        return { kind: "log", number, magic: fileMagic.manifest, epoch, endBytes };
      },
      inUse: () => manifest.number === number,
    };
  }

  #current(): ScrubFile {
    const manifest = this.#manifest;
    const { number, epoch } = manifest;
    const bytes = new TextEncoder().encode(formatCurrent(number, epoch));
    // While another manifest takes the place of this one, either may be named.
    const inUse = (): boolean => manifest.number === number && manifest.atRest;
    return {
      path: `${this.#context.directory}/${currentName}`,
      sizeBytes: bytes.length,
      target: (from) => (from === 0 && inUse() ? { kind: "same", bytes } : null),
      inUse,
    };
  }
}
