// HOT: finds the command of every request.
import { assert } from "../../core/assert.ts";
import { type Arguments, hashName } from "./arguments.ts";
import type { Command, InTransaction } from "./command.ts";

/** A command as the dispatcher needs it. One shape. */
export class Entry {
  readonly command: Command;
  /** Its place in `CommandTable.entries`, for counters. */
  readonly index: number;
  /** The last part of the name: what a client says. */
  readonly word: string;
  readonly arity: number;
  readonly noAuth: boolean;
  readonly inTransaction: InTransaction;
  readonly firstKey: number;
  readonly lastKey: number;
  readonly keyStep: number;
  readonly subcommands: readonly Entry[];

  constructor(command: Command, index: number, subcommands: readonly Entry[]) {
    this.command = command;
    this.index = index;
    this.word = command.name.slice(command.name.indexOf("|") + 1);
    this.arity = command.arity;
    this.inTransaction = command.inTransaction;
    this.noAuth = command.flags.includes("no_auth");
    this.firstKey = command.keys.first;
    this.lastKey = command.keys.last;
    this.keyStep = command.keys.step;
    this.subcommands = subcommands;
  }

  /** Does a request of so many tokens have enough, and not too many? */
  accepts(count: number): boolean {
    return this.arity >= 0 ? count === this.arity : count >= -this.arity;
  }
}

/** All commands by name: open addressing over the hash of the lowered bytes; no token becomes a string. */
export class CommandTable {
  /** By name, containers before their subcommands. */
  readonly entries: readonly Entry[];
  readonly #slots: (Entry | null)[];
  readonly #mask: number;

  constructor(commands: readonly Command[]) {
    const entries: Entry[] = [];
    const top: Entry[] = [];
    for (const command of commands.toSorted(byName)) {
      const index = entries.length;
      const subcommands = command.subcommands
        .toSorted(byName)
        .map((subcommand, i) => new Entry(subcommand, index + 1 + i, []));
      const entry = new Entry(command, index, subcommands);
      entries.push(entry, ...subcommands);
      top.push(entry);
    }
    this.entries = entries;
    let size = 16;
    while (size < top.length * 4) size *= 2;
    this.#mask = size - 1;
    this.#slots = Array.from({ length: size }, () => null);
    for (const entry of top) this.#insert(entry);
  }

  /** The command that token `index` names; null when there is none. */
  find(args: Arguments, index: number): Entry | null {
    let slot = args.nameHash(index) & this.#mask;
    for (;;) {
      const entry = this.#slots[slot] as Entry | null;
      if (entry === null || args.is(index, entry.word)) return entry;
      slot = (slot + 1) & this.#mask;
    }
  }

  /** The subcommand of `entry` that token 1 names; null when there is none. */
  findSubcommand(entry: Entry, args: Arguments): Entry | null {
    for (const subcommand of entry.subcommands) {
      if (args.is(1, subcommand.word)) return subcommand;
    }
    return null;
  }

  #insert(entry: Entry): void {
    let slot = hashName(entry.word) & this.#mask;
    for (; this.#slots[slot] !== null; slot = (slot + 1) & this.#mask) {
      assert(this.#slots[slot]?.word !== entry.word, "every command has one row");
    }
    this.#slots[slot] = entry;
  }
}

function byName(a: Command, b: Command): number {
  if (a.name === b.name) return 0;
  return a.name < b.name ? -1 : 1;
}
