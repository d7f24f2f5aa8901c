import type { Command, CommandEntry, Context } from "./command.ts";
import { MemoryTerminal } from "./terminal.ts";

export interface TestContext extends Context {
  readonly terminal: MemoryTerminal;
  /** What a first SIGINT does, once the command listens for it. */
  interrupt(): Promise<void>;
}

export function testContext(root = "/nowhere"): TestContext {
  const stops = new Set<() => void>();
  let listens: () => void = () => {};
  const listening = new Promise<void>((resolve) => {
    listens = resolve;
  });
  return {
    terminal: new MemoryTerminal(),
    build: () => ({ version: "0.1.0", node: "v24.21.0", commit: "abc123" }),
    root,
    onInterrupt: (stop) => {
      stops.add(stop);
      listens();
      return () => stops.delete(stop);
    },
    interrupt: async () => {
      await listening;
      for (const stop of stops) stop();
    },
  };
}

export function entry(name: string, command: Command): CommandEntry {
  return { name, summary: `what ${name} does`, load: () => Promise.resolve(command) };
}
