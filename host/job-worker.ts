import { parentPort } from "node:worker_threads";
import { assert } from "../core/assert.ts";
import { startJob } from "../core/lsm/job-starter.ts";
import { HostDisk } from "./disk.ts";
import { serveJobs } from "./job-service.ts";

assert(parentPort !== null, "this file is the main module of a worker thread");
serveJobs(parentPort, new HostDisk(), startJob);
