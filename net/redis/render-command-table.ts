import type { Command } from "./command.ts";
import { CommandTable } from "./command-table.ts";

const preface = `# Redis commands

Generated from the gateway's table: \`vitest run net/redis/render-command-table.test.ts -u\` renews it.

*Arity* counts the name; negative means at least so many. *Since* is the version of Redis whose meaning a
command has. Whatever is not listed is answered with \`-ERR unknown command\`. Values are strings, so
\`-WRONGTYPE\` never occurs.

What differs for every command:

- A write is acknowledged when its durability level is met, by default when it is on the device. Requests of a
  pipeline are executed in order without waiting for each other, and share syncs. \`-UNDETERMINED\` says that
  durability failed after a write was handed over: it may or may not survive. After any other error it did not
  happen, and will not: \`-TRYAGAIN\` (too much is queued: try again), \`-OOM\` (no space left),
  \`-MISCONF\` (writes are refused until the server is restarted).
- Commands on several keys are atomic, across a crash too.
- A transaction takes effect at one instant, all of it or nothing, across a crash too. As with Redis, a command that
  fails while a transaction runs undoes none of the others; one that is refused while it is queued ends it.
- Before a cluster, each client has one request under way at a time, values are at most 512 KiB, keys 65,523 bytes
  with each zero byte counted twice, and what one request or transaction writes is at most 768 KiB.
- Keys are at most 65,535 bytes. Arguments are at most 8 MiB, requests 64 MiB, replies 64 MiB.
- Lifetimes are kept to the millisecond.
- Framing is strict: a bulk must be followed by CR LF, headers are canonical integers, a line holds no NUL.
`;

/** The page that tells users what there is. */
export function renderCommandTable(commands: readonly Command[]): string {
  const rows = new CommandTable(commands).entries.map(({ command }) => renderRow(command));
  const head = "| command | arity | flags | since | differs |\n|---|---:|---|---|---|\n";
  return `${preface}\n${head}${rows.join("")}`;
}

function renderRow({ name, arity, flags, since, caveat }: Command): string {
  const words = name.toUpperCase().replace("|", " ");
  return `| ${words} | ${arity} | ${flags.join(" ")} | ${since} | ${caveat} |\n`;
}
