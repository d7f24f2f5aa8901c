import childProcess from "node:child_process";
import crypto from "node:crypto";
import dgram from "node:dgram";
import dns from "node:dns";
import fs from "node:fs";
import http from "node:http";
import https from "node:https";
import { syncBuiltinESMExports } from "node:module";
import net from "node:net";
import timers from "node:timers";
import tls from "node:tls";
import workerThreads from "node:worker_threads";
import { describeError } from "../sim/defect.ts";
import { AmbientError } from "../sim/traps.ts";

interface Trapped {
  readonly module: string;
  readonly target: object;
  readonly names: readonly string[];
}

/**
 * What of Node.js is neither pure nor simulated. Synchronous reads of files are not among them: Node.js itself makes
 * some at any time, to load a module or to print a stack, and a file that nobody writes is the same in every run.
 */
function trapped(): Trapped[] {
  const written = ["writeFileSync", "appendFileSync", "mkdirSync", "rmSync", "unlinkSync", "renameSync"];
  const called = ["readFile", "writeFile", "appendFile", "open", "mkdir", "rm", "unlink", "rename", "readdir", "stat"];
  const streams = ["createReadStream", "createWriteStream", "watch"];
  const processes = ["spawn", "spawnSync", "exec", "execSync", "execFile", "execFileSync", "fork"];
  return [
    { module: "fs", target: fs, names: [...written, ...called, ...streams] },
    { module: "fs.promises", target: fs.promises, names: functionsOf(fs.promises) },
    { module: "net", target: net, names: ["connect", "createConnection", "createServer"] },
    { module: "net.Socket", target: net.Socket.prototype, names: ["connect"] },
    { module: "net.Server", target: net.Server.prototype, names: ["listen"] },
    { module: "tls", target: tls, names: ["connect", "createServer"] },
    { module: "http", target: http, names: ["request", "get", "createServer"] },
    { module: "https", target: https, names: ["request", "get", "createServer"] },
    { module: "dgram", target: dgram, names: ["createSocket"] },
    { module: "dns", target: dns, names: ["lookup", "resolve"] },
    { module: "child_process", target: childProcess, names: processes },
    { module: "worker_threads", target: workerThreads, names: ["Worker"] },
    { module: "timers", target: timers, names: ["setTimeout", "setInterval", "setImmediate"] },
    { module: "timers/promises", target: timers.promises, names: ["setTimeout", "setInterval", "setImmediate"] },
    {
      module: "crypto",
      target: crypto,
      names: ["randomBytes", "randomInt", "randomUUID", "randomFill", "randomFillSync"],
    },
  ];
}

function functionsOf(target: object): string[] {
  return Object.entries(target).filter(([, value]) => typeof value === "function").map(([name]) => name);
}

/**
 * Makes them throw until the returned function is called, whoever imported them and how. `report` hears of each touch
 * first, so swallowing the error does not hide it.
 */
export function setRealWorldTraps(report: (message: string) => void): () => void {
  const undo: (() => void)[] = [];
  for (const { module, target, names } of trapped()) {
    for (const name of names) {
      const before = Reflect.getOwnPropertyDescriptor(target, name);
      if (before === undefined || !before.configurable) continue;
      // A constructor is called with `new`: no arrow.
      const trap = function trap(): never {
        const error = new AmbientError(`${module}.${name} called inside the simulation`);
        report(describeError(error));
        throw error;
      };
      Object.defineProperty(target, name, { value: trap, configurable: true, writable: true });
      undo.push(() => void Object.defineProperty(target, name, before));
    }
  }
  syncBuiltinESMExports();
  return () => {
    for (const restore of undo.toReversed()) restore();
    syncBuiltinESMExports();
  };
}
