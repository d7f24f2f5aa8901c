import type { SimResult } from "../simulate.ts";

/** What stands in the simulation for what a program touched. By the beginning of its name. */
const substitutes: readonly (readonly [string, string])[] = [
  ["Date", "process.nowMs()"],
  ["new Date", "process.nowMs()"],
  ["performance", "process.monotonicMs()"],
  ["process.hrtime", "process.monotonicMs()"],
  ["process.uptime", "process.monotonicMs()"],
  ["Math.random", "process.random(), or world.dice(name) for decisions of the test"],
  ["crypto", "process.random()"],
  ["timers", "process.sleep(ms) or process.after(ms, run)"],
  ["set", "process.sleep(ms) or process.after(ms, run)"],
  ["AbortSignal", "an AbortController and process.after(ms, run)"],
  ["fs", "process.open(directory), whose disk is the machine's"],
  ["net", "process.listen(port, serve) and process.connect(host, port)"],
  ["fetch", "process.connect(host, port)"],
];

/** What a program can do about how its run ended; null: that is for whoever wrote it to find out. */
export function remedyFor({ oracle, message }: Pick<SimResult, "oracle" | "message">): string | null {
  if (oracle === "ambient") {
    const touched = (message ?? "").replace(/^AmbientError: /, "");
    const [, substitute] = substitutes.find(([name]) => touched.startsWith(name)) ?? [];
    return `a simulated program may touch nothing real; use ${substitute ?? "what process and world offer"}`;
  }
  if (oracle === "stuck") {
    return (
      "the program waits for something that nothing in the simulation will ever do: a promise of the real world " +
      "(files, sockets, threads, crypto.subtle), or one of a process that crashed"
    );
  }
  if (oracle === "runaway") return "the program does not end: give its loops an end in virtual time or in turns";
  if (oracle === "run-twice") {
    return (
      "the same seed ran differently twice, so something decides that the seed does not: state that outlives a run " +
      "(variables of modules), addresses or order of the real world, WeakRef, locale; make it new in each run, or " +
      "draw it from process.random() or world.dice(name)"
    );
  }
  return null;
}
