import { styleText } from "node:util";
import { buildOf, packageRoot } from "./build.ts";
import type { Context } from "./command.ts";
import { exitCode } from "./exit-code.ts";
import type { Terminal } from "./terminal.ts";

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const signalExitBase = 128;
const signalNumber = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;

/** The real process. Called once, by `main.ts`. */
export function processContext(): Context {
  const root = packageRoot();
  return { terminal: processTerminal(), build: () => buildOf(root), root, onInterrupt };
}

/** Resolves when stdout has taken everything, or has failed and said so. */
export function stdoutFlushed(): Promise<void> {
  return new Promise((resolve) => {
    process.stdout.write("", () => setImmediate(resolve));
  });
}

/**
 * A reader that goes away (`| head`) silences stdout and nothing more: the command's verdict stands. A disk
 * that is full behind stdout loses results, and that is a failure.
 */
function processTerminal(): Terminal {
  let gone = false;
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    gone = true;
    if (error.code === "EPIPE") return;
    process.stderr.write(`nokv: stdout: ${error.message}\n`);
    process.exit(exitCode.io);
  });
  process.stderr.on("error", () => {});
  return {
    out: (text) => {
      if (!gone) process.stdout.write(text);
    },
    err: (text) => void process.stderr.write(text),
    live: process.stderr.isTTY === true && process.env["TERM"] !== "dumb",
    colors: styleText("red", "x", { stream: process.stdout }) !== "x",
  };
}

function onInterrupt(stop: () => void): () => void {
  let asked = false;
  const onSignal = (signal: (typeof signals)[number]): void => {
    if (asked) process.exit(signalExitBase + signalNumber[signal]);
    asked = true;
    stop();
  };
  for (const signal of signals) process.on(signal, onSignal);
  return () => {
    for (const signal of signals) process.off(signal, onSignal);
  };
}
