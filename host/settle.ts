import type { SimHost } from "../sim/simulate.ts";

/** Node's own drain of next ticks, microtasks and rejection reports; internal, but there since Node 0.x. */
interface ProcessWithDrain {
  _tickCallback?: () => void;
}

const drain = (process as unknown as ProcessWithDrain)._tickCallback;

/** This process as the simulator's host. */
export const simHost: SimHost = {
  settle: () => {
    if (drain === undefined) throw new Error("this Node.js has no process._tickCallback to drain with");
    drain.call(process);
  },
  onUnhandledRejection: (report) => {
    // Others (a test runner, a crash reporter) would take a dead incarnation's rejections for real ones.
    const others = process.listeners("unhandledRejection");
    process.removeAllListeners("unhandledRejection");
    process.on("unhandledRejection", report);
    return () => {
      process.removeListener("unhandledRejection", report);
      for (const other of others) process.on("unhandledRejection", other);
    };
  },
};

/**
 * Calls `run` from a macrotask, where a drain of microtasks works, and settles with what it returns or
 * throws.
 */
export function runInMacrotask<T>(run: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    setImmediate(() => {
      try {
        resolve(run());
      } catch (error) {
        reject(error);
      }
    });
  });
}
