// Main module of a worker thread that runs the conformance suite's jobs.
import { parentPort } from "node:worker_threads";
import { startConformanceJob } from "../sim/conformance/job-kinds.ts";
import { HostDisk } from "./disk.ts";
import { serveJobs } from "./job-service.ts";

if (parentPort !== null) serveJobs(parentPort, new HostDisk(), startConformanceJob);
