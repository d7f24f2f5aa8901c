/** Counted since the store was opened. */
export class StoreStats {
  turns = 0;
  ticks = 0;
  submits = 0;
  /** Of submits that had to be durable before anything rested on them. */
  syncs = 0;
  entriesAppended = 0;
  entriesApplied = 0;
  /** Batches of the engine. */
  runs = 0;
  /** Runs that found no room in the engine. */
  runsDelayed = 0;
  messagesOut = 0;
  messagesIn = 0;
  /** Messages that were malformed, to another peer than the one here, or of nobody known. */
  messagesDropped = 0;
  bytesOut = 0;
  proposals = 0;
  proposalsRefused = 0;
  reads = 0;
  readsRefused = 0;
  compactions = 0;
  snapshotsOut = 0;
  snapshotsIn = 0;
  peersMade = 0;
  peersRemoved = 0;
  /** Leaders that woke, and followers that stood for election, because the epoch of a store had ended. */
  wakes = 0;
  orphans = 0;
}
