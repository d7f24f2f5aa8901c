import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../core/assert.ts";
import { startJob } from "../core/lsm/job-starter.ts";
import { HostDisk } from "./disk.ts";
import { serveJobs, workerPort } from "./job-service.ts";
import type { ThreadData } from "./job-thread.ts";
import { lowerThreadPriority } from "./thread-priority.ts";

assert(parentPort !== null, "this file is the main module of a worker thread");
// A memtable's memory is shared with this thread, whose few objects would not be collected for hours: until then
// none of it could be given back to the system.
setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;
const data = workerData as ThreadData;
lowerThreadPriority(data.nice);
serveJobs(workerPort(parentPort, data), new HostDisk(), startJob, collectGarbage);
