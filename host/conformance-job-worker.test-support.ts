// Main module of a worker thread that runs the conformance suite's jobs.
import { parentPort, workerData } from "node:worker_threads";
import { startConformanceJob } from "../sim/conformance/job-kinds.ts";
import { HostDisk } from "./disk.ts";
import { serveJobs, workerPort } from "./job-service.ts";
import type { ThreadData } from "./job-thread.ts";

if (parentPort !== null) {
  serveJobs(workerPort(parentPort, workerData as ThreadData), new HostDisk(), startConformanceJob);
}
