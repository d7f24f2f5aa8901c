// Goal: a worker that lowers its priority lowers its own and nobody else's. Method: a worker that tells what the
// system says of each thread of this process.
import * as fs from "node:fs";
import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";

/** Thread and niceness of every thread of this process; empty where there is no such directory. */
function niceOfThreads(): Map<string, number> {
  const found = new Map<string, number>();
  if (!fs.existsSync("/proc/self/task")) return found;
  for (const thread of fs.readdirSync("/proc/self/task")) {
    const text = fs.readFileSync(`/proc/self/task/${thread}/stat`, "utf8");
    // Behind the name, which may have spaces: state is field 3, nice is field 19.
    found.set(thread, Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[16]));
  }
  return found;
}

test("only the thread that asks gets a lower priority", async () => {
  const before = niceOfThreads();
  const module = new URL("./thread-priority.ts", import.meta.url).href;
  const code = `import(${JSON.stringify(module)}).then(({ lowerThreadPriority }) => {
    lowerThreadPriority(7);
    require("node:worker_threads").parentPort.postMessage("ready");
    setInterval(() => {}, 1000);
  });`;
  const worker = new Worker(code, { eval: true });
  await new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  const after = niceOfThreads();
  await worker.terminate();
  for (const [thread, nice] of before) if (after.has(thread)) expect(after.get(thread)).toBe(nice);
  const lowered = [...after].filter(([thread, nice]) => !before.has(thread) && nice === 7);
  expect(lowered.length).toBe(before.size === 0 ? 0 : 1);
});
