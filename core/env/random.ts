/**
 * Keyed randomness: a draw is a hash of (seed, stream, entity, ordinal), never the next number of a shared
 * sequence. So taking one draw away leaves every other draw as it was.
 */
export interface Random {
  /** An integer in [0, 2^32). `entity` and `ordinal` are non-negative safe integers. */
  u32(stream: string, entity: number, ordinal: number): number;
}
