/** What a database gave out and its caller has to close. */
export type HandleKind = "iterator" | "snapshot";

/** What callers have open. An open iterator or snapshot holds back the space of everything it sees. */
export interface OpenHandles {
  readonly iterators: number;
  readonly snapshots: number;
  /** Where each was opened, oldest first: stacks. Empty unless the database was opened with `trackLeaks`. */
  readonly openedAt: readonly string[];
}

/** Remembers who opened what. Stacks are ambient, so the host brings them. */
export interface HandleTracker {
  /** `handle` was given out now. Returns what is to be called once when it is closed. */
  opened(kind: HandleKind, handle: object): () => void;
  /** Where everything open now was opened, oldest first. */
  openedAt(): readonly string[];
  /** The database closes, and this is still open. */
  leaked(open: OpenHandles): void;
}
