import type { HandleKind, HandleTracker, OpenHandles } from "../core/engine/open-handles.ts";

/** Frames of a stack that are kept. */
const framesMax = 12;

interface Opened {
  readonly kind: HandleKind;
  readonly stack: string;
}

/** Tells a person, by default as a warning of the process, which Node.js prints once per occurrence. */
export type Warn = (message: string) => void;

function warnProcess(message: string): void {
  process.emitWarning(message, { type: "NokvLeakWarning", code: "NOKV_LEAK" });
}

/**
 * Remembers where every iterator and snapshot was opened, and warns of those that are still open when the
 * database closes, and of those that were thrown away without being closed, when the garbage collector meets
 * them. A stack for each costs some microseconds: for finding a leak, not for every day.
 */
export class LeakTracker implements HandleTracker {
  readonly #directory: string;
  readonly #warn: Warn;
  readonly #open = new Set<Opened>();
  readonly #collected = new FinalizationRegistry<Opened>((opened) => this.#lost(opened));

  constructor(directory: string, warn: Warn = warnProcess) {
    this.#directory = directory;
    this.#warn = warn;
  }

  opened(kind: HandleKind, handle: object): () => void {
    const opened: Opened = { kind, stack: `${kind} opened\n${callerStack()}` };
    this.#open.add(opened);
    this.#collected.register(handle, opened, opened);
    return () => {
      this.#open.delete(opened);
      this.#collected.unregister(opened);
    };
  }

  openedAt(): readonly string[] {
    return [...this.#open].map(({ stack }) => stack);
  }

  leaked({ iterators, snapshots, openedAt }: OpenHandles): void {
    const open = `open iterators: ${iterators}, open snapshots: ${snapshots}`;
    const what = `${this.#directory} was closed with leaks (${open})`;
    this.#warn([what, ...openedAt].join("\n"));
  }

  /** It stays listed as open: the engine goes on holding back what it saw. */
  #lost(opened: Opened): void {
    this.#warn(`${this.#directory}: thrown away without being closed: ${opened.stack}`);
  }
}

/** The stack of whoever called the database. */
function callerStack(): string {
  const frames = (new Error("opened here").stack ?? "").split("\n").slice(1);
  // The innermost are this function, the tracker and the database's method.
  return frames.slice(3, 3 + framesMax).join("\n");
}
