/** What is wrong in a document, each with the place, the value and what to do. */
export class Problems {
  readonly list: string[] = [];

  /** `place` is the way to the value: `stores[1].addr`. */
  add(place: string, value: unknown, remedy: string): void {
    const shown = value === undefined ? "is missing" : `is ${shorten(JSON.stringify(value))}`;
    this.list.push(`${place} ${shown}: ${remedy}`);
  }
}

const shownMax = 60;
const textRemedy = "write a text between quotes";

function shorten(text: string): string {
  return text.length <= shownMax ? text : `${text.slice(0, shownMax)}…`;
}

/** The fields of one object, read one by one; what nobody read is unknown. */
export class Fields {
  readonly place: string;
  readonly #problems: Problems;
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #read = new Set<string>();

  constructor(value: unknown, place: string, problems: Problems) {
    this.place = place;
    this.#problems = problems;
    this.#values = isObject(value) ? value : {};
    if (!isObject(value)) problems.add(place, value, "write an object");
  }

  at(name: string): string {
    return this.place === "" ? name : `${this.place}.${name}`;
  }

  raw(name: string): unknown {
    this.#read.add(name);
    return this.#values[name];
  }

  has(name: string): boolean {
    return this.raw(name) !== undefined;
  }

  /** "" when it is missing. */
  text(name: string): string {
    const value = this.raw(name);
    if (value === undefined) return "";
    if (typeof value === "string") return value;
    this.#problems.add(this.at(name), value, textRemedy);
    return "";
  }

  /** It must be there, and say something. */
  requiredText(name: string): string {
    const value = this.raw(name);
    if (typeof value === "string" && value !== "") return value;
    this.#problems.add(this.at(name), value, textRemedy);
    return "";
  }

  /** A whole number from `min` on; `missing` when it is not there. */
  integer(name: string, min: number, missing: number | null): number {
    const value = this.raw(name);
    if (value === undefined && missing !== null) return missing;
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= min) return value;
    this.#problems.add(this.at(name), value, `write a whole number from ${min} on`);
    return min;
  }

  object(name: string): Fields {
    return new Fields(this.raw(name), this.at(name), this.#problems);
  }

  /** The objects of a list that has `min` at least. */
  objects(name: string, min: 0 | 1 = 1): Fields[] {
    const value = this.raw(name);
    if (Array.isArray(value) && value.length >= min) {
      return value.map((item: unknown, i) => new Fields(item, `${this.at(name)}[${i}]`, this.#problems));
    }
    this.#problems.add(this.at(name), value, `write a list${min === 0 ? "" : " with at least one entry"}`);
    return [];
  }

  /** To be called when all that is known was read. */
  refuseUnknown(): void {
    for (const name of Object.keys(this.#values).toSorted()) {
      if (this.#read.has(name)) continue;
      const known = [...this.#read].toSorted().join(", ");
      this.#problems.add(this.at(name), this.#values[name], `this field is unknown; known are ${known}`);
    }
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
