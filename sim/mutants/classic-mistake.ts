/** A mistake that clusters are known for, told as what must hold, and what of its kind is planted here. */
export interface ClassicMistake {
  readonly id: number;
  readonly what: string;
  /** Known to be found late or never. */
  readonly subtle?: true;
  /** Planted bugs of the same kind. */
  readonly planted?: readonly string[];
  /** Where nothing is planted: that nothing is, and what holds it all the same. */
  readonly note?: string;
  /** Why it can not be made here. Nothing is planted then. */
  readonly absent?: string;
}

/** How a planted bug fared when it was measured by itself. */
export interface Finding {
  readonly found: boolean;
  /** Of the tree of that day: to the first that failed, or all that there were; "": no figure was kept. */
  readonly seeds: string;
}
