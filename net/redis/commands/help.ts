import { type Command, command, type CommandGroup } from "../command.ts";

/** HELP of a container: what Redis prints, from the rows themselves. */
export function helpOf(container: string, group: CommandGroup, rows: readonly Command[]): Command {
  const lines = [`${container.toUpperCase()} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`];
  for (const row of rows) {
    lines.push(row.name.slice(row.name.indexOf("|") + 1).toUpperCase(), `    ${row.summary}`);
  }
  lines.push("HELP", "    Prints this help.");
  const summary = "Returns helpful text about the subcommands.";
  return command(
    `${container}|help`,
    { arity: 2, flags: ["loading", "stale"], group, since: "5.0.0", summary },
    (call) => {
      const { reply } = call;
      reply.array(lines.length);
      for (const line of lines) reply.simple(line);
    },
  );
}
