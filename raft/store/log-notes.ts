/** The group of the store's own notes in the Raft log; no region has this id. */
export const storeGroup = 0;

/** Numbers of notes, by group. Never reused. */
export const noteKey = {
  /** Of the store: who it is. */
  ident: 1,
  /** Of a group: the peer whose hard state this is, while nothing else says so. */
  peer: 1,
  /** Of a group: a snapshot that is to replace everything, whose files are complete. */
  snapshotIntent: 2,
} as const;
