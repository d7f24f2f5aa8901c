/** A seed that once failed. It is run by every test run, although later changes may have moved what it finds. */
export interface Regression {
  readonly scenario: string;
  readonly seed: number;
  /** What was wrong, in one sentence. */
  readonly why: string;
}

export const regressions: readonly Regression[] = [
  {
    scenario: "engine-model",
    seed: 10_324,
    why: "A first CURRENT whose entry was in memory only was built upon; a power loss then left files without CURRENT.",
  },
];
