// HOT: runs once per key of a scan, on patterns that a stranger may choose.
const star = 0x2a;
const question = 0x3f;
const open = 0x5b;
const close = 0x5d;
const caret = 0x5e;
const dash = 0x2d;
const backslash = 0x5c;

/**
 * Redis's patterns over bytes: `*`, `?`, `[abc]`, `[^abc]`, `[a-z]` and `\` before a literal. Only the last
 * star met is ever retried, so matching takes at most (length of pattern) x (length of text) steps.
 */
export class Glob {
  /** Steps taken since it was last set to 0: what a caller bounds its turns by. */
  steps = 0;
  readonly #pattern: Uint8Array;
  /** Behind the class that `#inClass` looked at last. */
  #classEnd = 0;

  /** `pattern` is kept, so it must be owned. */
  constructor(pattern: Uint8Array) {
    this.#pattern = pattern;
  }

  matches(text: Uint8Array): boolean {
    const pattern = this.#pattern;
    let at = 0;
    let textAt = 0;
    /** Behind the last star; -1: none yet. */
    let retry = -1;
    let retryText = 0;
    while (textAt < text.length) {
      this.steps++;
      if (at < pattern.length && pattern[at] === star) {
        retry = ++at;
        retryText = textAt;
        continue;
      }
      const next = at < pattern.length ? this.#one(at, text[textAt] as number) : -1;
      if (next >= 0) {
        at = next;
        textAt++;
      } else if (retry >= 0) {
        at = retry;
        textAt = ++retryText;
      } else {
        return false;
      }
    }
    while (at < pattern.length && pattern[at] === star) at++;
    return at === pattern.length;
  }

  /** Where the pattern goes on when the element at `at` takes `byte`; -1 when it does not. */
  #one(at: number, byte: number): number {
    const pattern = this.#pattern;
    const element = pattern[at] as number;
    if (element === question) return at + 1;
    if (element === open) return this.#inClass(at + 1, byte) ? this.#classEnd : -1;
    const literal = element === backslash && at + 1 < pattern.length ? at + 1 : at;
    return pattern[literal] === byte ? literal + 1 : -1;
  }

  /** A class that is not closed ends with the pattern. */
  #inClass(start: number, byte: number): boolean {
    const pattern = this.#pattern;
    const negated = start < pattern.length && pattern[start] === caret;
    let at = negated ? start + 1 : start;
    let found = false;
    while (at < pattern.length && pattern[at] !== close) {
      this.steps++;
      if (pattern[at] === backslash && at + 1 < pattern.length) {
        found ||= pattern[at + 1] === byte;
        at += 2;
      } else if (at + 2 < pattern.length && pattern[at + 1] === dash) {
        const low = Math.min(pattern[at] as number, pattern[at + 2] as number);
        const high = Math.max(pattern[at] as number, pattern[at + 2] as number);
        found ||= byte >= low && byte <= high;
        at += 3;
      } else {
        found ||= pattern[at] === byte;
        at++;
      }
    }
    this.#classEnd = at < pattern.length ? at + 1 : at;
    return found !== negated;
  }
}
