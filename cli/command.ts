import type { Build } from "./build.ts";
import type { ExitCode } from "./exit-code.ts";
import type { Terminal } from "./terminal.ts";

/** A line of the list of commands. Loaded when it is used: a server need not load the simulator. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/** What `nokv NAME` runs. Errors are thrown; `run.ts` turns them into a line and an exit code. */
export interface Command {
  /** What `nokv NAME --help` prints, newline at the end. */
  readonly usage: string;
  run(argv: readonly string[], context: Context): Promise<ExitCode>;
  /** What `nokv NAME ... --help` prints, for a command that consists of several. */
  readonly usageFor?: (argv: readonly string[]) => Promise<string>;
}

/** The process, as a command sees it. */
export interface Context {
  readonly terminal: Terminal;
  /** Asks git: not for every start. */
  readonly build: () => Build;
  /** Where the sources or the compiled files lie, with our package.json. */
  readonly root: string;
  /**
   * Calls `stop` on the first SIGINT, SIGTERM or SIGHUP; a second one ends the process. Returns how to stop
   * listening.
   */
  readonly onInterrupt: (stop: () => void) => () => void;
}
