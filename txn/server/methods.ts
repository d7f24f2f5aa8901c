/** Numbers of the RPC methods of transactions, 96 to 127; a number never changes its meaning. */
export const txnMethod = {
  /** A list of commands for one region (the request has its header) -> as many answers, in order. */
  execute: 96,
} as const;
