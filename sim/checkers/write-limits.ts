import type { ModelBatch } from "./prefix-model.ts";
import { compareText } from "./text.ts";

/** A write counts for this long for sure, and may count for so long: what counts goes in steps. */
const countsUs = 900_000;
const countsUsMax = 1_000_000;

/** When a write was counted: somewhere within a call, which may stand still first. By the clock of the database. */
export interface CallSpan {
  readonly fromUs: number;
  readonly untilUs: number;
}

/** When one key was written. */
interface Touches {
  /** Surely counted. */
  certain: CallSpan[];
  /** Surely or possibly: the write was refused for another reason, maybe before it was counted. */
  possible: CallSpan[];
}

/**
 * Whether a limit of writes per key and second refuses a batch when one of its keys has reached the limit, and only
 * then: it neither lets more pass, nor blocks a key for longer than the second. Knows one opening of the database.
 */
export class WriteLimits {
  readonly #limit: number;
  readonly #remembersAll: boolean;
  readonly #touches = new Map<string, Touches>();

  /** `remembersAll`: there is room to count every key. */
  constructor(limit: number, remembersAll: boolean) {
    this.#limit = limit;
    this.#remembersAll = remembersAll;
  }

  /** The batch was taken within `call`. What is wrong with that, or null. */
  taken(batch: ModelBatch, call: CallSpan): string | null {
    for (const name of countedIn(batch)) {
      const { certain, possible } = this.#of(name, call);
      const count = certain.filter((counted) => surelyCounts(counted, call)).length;
      if (this.#remembersAll && count >= this.#limit) {
        return `${name} was written again, after ${count} times within the second; ${this.#limit} is the limit`;
      }
      certain.push(call);
      possible.push(call);
    }
    return null;
  }

  /** The batch was refused because of the limit. */
  refusedAtLimit(batch: ModelBatch, call: CallSpan): string | null {
    let explained = false;
    for (const name of countedIn(batch)) {
      const { certain, possible } = this.#of(name, call);
      if (possible.length >= this.#limit) explained = true;
      const sure = certain.filter((counted) => surelyCounts(counted, call)).length >= this.#limit;
      if (sure && this.#remembersAll) return null;
      if (!explained) certain.push(call);
      possible.push(call);
    }
    return explained ? null : `a batch was refused, and no key of it was written ${this.#limit} times within a second`;
  }

  /** The batch was refused for another reason. */
  refused(batch: ModelBatch, call: CallSpan): void {
    for (const name of countedIn(batch)) this.#of(name, call).possible.push(call);
  }

  #of(name: string, { fromUs }: CallSpan): Touches {
    const known = this.#touches.get(name) ?? { certain: [], possible: [] };
    known.certain = known.certain.filter(({ untilUs }) => fromUs - untilUs <= countsUsMax);
    known.possible = known.possible.filter(({ untilUs }) => fromUs - untilUs <= countsUsMax);
    this.#touches.set(name, known);
    return known;
  }
}

/** However early in its call the one was counted, and however late in its call the other is. */
function surelyCounts(counted: CallSpan, call: CallSpan): boolean {
  return call.untilUs - counted.fromUs < countsUs;
}

/** The keys that a batch writes, as often as it does; a range delete takes back what stands before it. */
function countedIn(batch: ModelBatch): string[] {
  const names: string[] = [];
  batch.forEach((write, i) => {
    if ("from" in write) return;
    const { key, family = 0 } = write;
    const withdrawn = batch.slice(i + 1).some((later) => {
      if (!("from" in later) || (later.family ?? 0) !== family) return false;
      return compareText(key, later.from) >= 0 && (later.until === null || compareText(key, later.until) < 0);
    });
    if (!withdrawn) names.push(`${family}/${key}`);
  });
  return names;
}
