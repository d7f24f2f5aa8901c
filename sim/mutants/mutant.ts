/** A change of one text. */
export interface Patch {
  /** The file to change, from the root of the repository. */
  readonly file: string;
  /** Occurs exactly once in `file`. May span lines. */
  readonly find: string;
  readonly replace: string;
}

/**
 * A planted bug: a change to the product that the simulator must find. It is a patch outside the product,
 * never a branch inside it, so that nothing planted can ship. A patch that no longer applies fails the build.
 */
export interface Mutant extends Patch {
  /** Kebab-case, unique. */
  readonly name: string;
  /** What has to go too, for a second lock keeps the door shut that `find` is the first one of. */
  readonly also?: Patch;
  /** Oracles of which one must be the first to see it. "any" where every oracle is as good. */
  readonly oracles: readonly string[];
  /** Runs this scenario only, which keeps seeds cheap; null lets each seed pick, as an ordinary batch does. */
  readonly scenario: string | null;
  /** What a user would suffer, in one sentence. */
  readonly why: string;
}

/** All that a planted bug changes. */
export function patchesOf({ file, find, replace, also }: Mutant): readonly Patch[] {
  const first = { file, find, replace };
  return also === undefined ? [first] : [first, also];
}
