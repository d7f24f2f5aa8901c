import type { Command, CommandEntry, Context } from "./command.ts";
import { type ExitCode, UsageError, describeError, exitCode, exitCodeOf } from "./exit-code.ts";
import { didYouMean } from "./options.ts";

/** Finds the command that `argv` names and runs it; whatever goes wrong becomes one line and an exit code. */
export async function run(
  argv: readonly string[],
  commands: readonly CommandEntry[],
  context: Context,
): Promise<ExitCode> {
  const [name, ...rest] = argv;
  try {
    if (name === undefined) {
      context.terminal.err(usageOf(commands));
      return exitCode.usage;
    }
    if (name === "--version" || name === "version") return print(context, versionLine(context));
    if (name === "--help" || name === "-h") return print(context, usageOf(commands));
    if (name === "help") return print(context, await helpOn(rest, commands));
    const command = await find(name, commands);
    if (rest.includes("--help") || rest.includes("-h")) {
      return print(context, (await command.usageFor?.(rest)) ?? command.usage);
    }
    return await command.run(rest, context);
  } catch (error) {
    return complain(error, argv, context);
  }
}

function print({ terminal }: Context, text: string): ExitCode {
  terminal.out(text);
  return exitCode.ok;
}

function versionLine({ build }: Context): string {
  const { version, node, commit } = build();
  return `nokv ${version} (node ${node}, commit ${commit})\n`;
}

async function helpOn(argv: readonly string[], commands: readonly CommandEntry[]): Promise<string> {
  const [name, stray] = argv;
  if (stray !== undefined) throw new UsageError(`unexpected argument "${stray}"`);
  return name === undefined || name.startsWith("-") ? usageOf(commands) : (await find(name, commands)).usage;
}

async function find(name: string, commands: readonly CommandEntry[]): Promise<Command> {
  const entry = commands.find((candidate) => candidate.name === name);
  if (entry !== undefined) return entry.load();
  const names = commands.map((candidate) => candidate.name);
  const kind = name.startsWith("-") ? "option" : "command";
  const candidates = kind === "option" ? ["--help", "--version"] : [...names, "help", "version"];
  throw new UsageError(
    `unknown ${kind} ${name}`,
    didYouMean(name, candidates) || `the commands are: ${names.join(", ")}`,
  );
}

function usageOf(commands: readonly CommandEntry[]): string {
  const rows = commands.map(({ name, summary }) => `  ${name.padEnd(11)} ${summary}\n`);
  return `usage: nokv COMMAND [options]

An ordered key-value engine that grows into a cluster, tested in a deterministic simulator.

${rows.join("")}  help        explain a command: nokv help COMMAND
  version     print version, Node.js and commit

Exit codes: 0 success, 2 usage, 65 corrupt or foreign data, 66 no such directory, 69 address in use,
70 internal error, 73 cannot create, 74 I/O error, 75 locked by another process, 77 permission denied.
`;
}

function complain(error: unknown, argv: readonly string[], { terminal }: Context): ExitCode {
  const code = exitCodeOf(error);
  terminal.err(`nokv: ${describeError(error)}\n`);
  if (code === exitCode.usage) terminal.err("usage: nokv help [COMMAND]\n");
  if (argv.includes("--debug") && error instanceof Error) terminal.err(`${error.stack ?? ""}\n`);
  return code;
}
