import type { Call } from "./call.ts";

/** Redis's own words, as COMMAND INFO gives them. */
export type CommandFlag =
  "readonly" | "write" | "denyoom" | "admin" | "fast" | "no_auth" | "loading" | "stale";

export type CommandGroup = "connection" | "generic" | "server" | "string" | "transactions";

/** Where the keys are among the tokens, the name being token 0. `last` counts from the end when negative. */
export interface KeyPlaces {
  readonly first: number;
  readonly last: number;
  readonly step: number;
}

export const noKeys: KeyPlaces = { first: 0, last: 0, step: 0 };
export const firstIsKey: KeyPlaces = { first: 1, last: 1, step: 1 };
export const allAreKeys: KeyPlaces = { first: 1, last: -1, step: 1 };
export const everySecondIsKey: KeyPlaces = { first: 1, last: -1, step: 2 };

/** Between MULTI and EXEC a command waits in the queue, is carried out at once, or is refused. */
export type InTransaction = "queued" | "immediate" | "refused";

/**
 * One row of the command table. The table checks existence, arity, authentication and the length of keys;
 * `run` starts with all of that settled and answers through its call, once, now or later.
 */
export interface Command {
  /** In lower case; of a subcommand, "container|subcommand". */
  readonly name: string;
  /** Tokens with the name; negative: at least so many. */
  readonly arity: number;
  readonly flags: readonly CommandFlag[];
  readonly keys: KeyPlaces;
  readonly group: CommandGroup;
  /** The version of Redis whose meaning this has. */
  readonly since: string;
  readonly summary: string;
  /** Where it differs from Redis; "" where it does not. */
  readonly caveat: string;
  readonly inTransaction: InTransaction;
  /** Not empty: `run` is only for a call without a subcommand that the table knows. */
  readonly subcommands: readonly Command[];
  readonly run: (call: Call) => void;
}

/** What a row says besides its name and its deed; left out: no flags, no keys, no caveat, queued, no subcommands. */
export interface CommandFacts {
  readonly arity: number;
  readonly group: CommandGroup;
  readonly since: string;
  readonly summary: string;
  readonly flags?: readonly CommandFlag[];
  readonly keys?: KeyPlaces;
  readonly caveat?: string;
  readonly inTransaction?: InTransaction;
  readonly subcommands?: readonly Command[];
}

export function command(name: string, facts: CommandFacts, run: (call: Call) => void): Command {
  return {
    name,
    arity: facts.arity,
    flags: facts.flags ?? [],
    keys: facts.keys ?? noKeys,
    group: facts.group,
    since: facts.since,
    summary: facts.summary,
    caveat: facts.caveat ?? "",
    inTransaction: facts.inTransaction ?? "queued",
    subcommands: facts.subcommands ?? [],
    run,
  };
}
