import { parseArgs } from "node:util";
import type { Address } from "../core/env/network.ts";
import { UsageError } from "./exit-code.ts";
import { suggest } from "./suggest.ts";

/** What a command accepts: the long name of an option, and whether it takes a value. */
export type OptionTable = Readonly<Record<string, "flag" | "value">>;

/** Understood by every command. */
const everywhere: OptionTable = { help: "flag", debug: "flag" };

const decimal = /^(?:0|[1-9][0-9]*)$/;
const durationGrammar = /^([1-9][0-9]*)(ms|s|m|h)$/;
const durationUnitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const durationMsMax = 30 * 24 * 3_600_000;

/** The arguments of one command, checked as they are asked for. Every complaint is a UsageError. */
export class Options {
  readonly #values: ReadonlyMap<string, string>;

  constructor(values: ReadonlyMap<string, string>) {
    this.#values = values;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  text(name: string): string | null {
    const value = this.#values.get(name);
    if (value === "") throw new UsageError(`--${name}: must not be empty`);
    return value ?? null;
  }

  /** Decimal digits only: no sign, no 0x10, no 1e3, no 6379.5, no spaces. */
  integer(name: string, min: number, max: number): number | null {
    const value = this.#values.get(name);
    return value === undefined ? null : parseInteger(`--${name}`, value, { min, max });
  }

  /** "90s", "5m" and so on, in milliseconds. */
  durationMs(name: string): number | null {
    const value = this.#values.get(name);
    if (value === undefined) return null;
    const [, digits, unit] = durationGrammar.exec(value) ?? [];
    const ms = Number(digits) * (durationUnitMs[unit ?? ""] ?? Number.NaN);
    if (!(ms <= durationMsMax)) {
      throw new UsageError(`--${name}: "${value}" is not a duration`, "such as 500ms, 60s, 5m; at most 720h");
    }
    return ms;
  }

  oneOf<T extends string>(name: string, choices: readonly T[]): T | null {
    const value = this.#values.get(name);
    if (value === undefined) return null;
    const choice = choices.find((candidate) => candidate === value);
    if (choice !== undefined) return choice;
    const complaint = `--${name}: "${value}" is none of ${choices.join(", ")}`;
    throw new UsageError(complaint, didYouMean(value, choices));
  }

  /** `HOST:PORT`; an IPv6 host stands in brackets. Port 0 takes a free one. */
  address(name: string): Address | null {
    const value = this.#values.get(name);
    if (value === undefined) return null;
    const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:[\]\s]+)):(.*)$/.exec(value) ?? [];
    const host = bracketed ?? plain;
    if (host === undefined || port === undefined) {
      const hint = "127.0.0.1:6380, or [::1]:6380 for IPv6";
      throw new UsageError(`--${name}: "${value}" is not HOST:PORT`, hint);
    }
    return { host, port: parseInteger(`--${name}: port`, port, { min: 0, max: 65_535 }) };
  }
}

function parseInteger(what: string, value: string, { min, max }: { min: number; max: number }): number {
  const number = decimal.test(value) ? Number(value) : Number.NaN;
  if (number >= min && number <= max) return number;
  throw new UsageError(`${what}: "${value}" must be an integer between ${min} and ${max} inclusive`);
}

/** Rejects what `table` does not know, options without their value, options given twice, and stray words. */
export function parseOptions(argv: readonly string[], table: OptionTable): Options {
  const known: OptionTable = { ...table, ...everywhere };
  const { tokens } = parseArgs({
    args: [...argv],
    strict: false,
    tokens: true,
    allowPositionals: true,
    options: Object.fromEntries(
      Object.entries(known).map(([name, kind]) => [name, { type: kind === "flag" ? "boolean" : "string" }]),
    ),
  });
  const values = new Map<string, string>();
  for (const token of tokens) {
    if (token.kind === "positional") throw new UsageError(`unexpected argument "${token.value}"`);
    if (token.kind === "option-terminator") continue;
    const isLong = token.rawName.startsWith("--") && Object.hasOwn(known, token.name);
    const kind = isLong ? known[token.name] : undefined;
    if (token.rawName === "-h") values.set("help", "");
    else if (kind === undefined) throw unknownOption(token.rawName, Object.keys(known));
    else if (values.has(token.name)) throw new UsageError(`${token.rawName} is given twice`);
    else values.set(token.name, valueOf(token, kind));
  }
  return new Options(values);
}

interface OptionToken {
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}

function valueOf({ rawName, value, inlineValue }: OptionToken, kind: "flag" | "value"): string {
  if (kind === "flag") {
    if (value !== undefined) throw new UsageError(`${rawName} takes no value`);
    return "";
  }
  // `--addr --json` forgot a value; `--port=-1` is a wrong one and is judged as such.
  if (value === undefined || (inlineValue !== true && value.startsWith("--"))) {
    throw new UsageError(`${rawName} needs a value`);
  }
  return value;
}

function unknownOption(rawName: string, names: readonly string[]): UsageError {
  return new UsageError(`unknown option ${rawName}`, didYouMean(rawName, names.map((name) => `--${name}`)));
}

/** A hint, or "" when nothing is close. */
export function didYouMean(word: string, candidates: readonly string[]): string {
  const meant = suggest(word, candidates);
  return meant === null ? "" : `did you mean ${meant}?`;
}
