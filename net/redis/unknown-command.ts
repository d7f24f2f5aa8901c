import type { Arguments } from "./arguments.ts";
import type { Entry } from "./command-table.ts";

/** Bytes of a client's words that an error repeats. */
const quotedBytesMax = 128;

/** Word for word Redis's: ioredis and others look for "unknown command". */
export function unknownCommandText(args: Arguments): string {
  let quoted = "";
  for (let i = 1; i < args.count && quoted.length < quotedBytesMax; i++) {
    quoted += `'${args.text(i, quotedBytesMax - quoted.length)}' `;
  }
  return `ERR unknown command '${args.text(0, quotedBytesMax)}', with args beginning with: ${quoted}`;
}

export function unknownSubcommandText(entry: Entry, args: Arguments): string {
  const word = args.text(1, quotedBytesMax);
  return `ERR unknown subcommand '${word}'. Try ${entry.command.name.toUpperCase()} HELP.`;
}

export function wrongArityText(entry: Entry): string {
  return `ERR wrong number of arguments for '${entry.command.name}' command`;
}
