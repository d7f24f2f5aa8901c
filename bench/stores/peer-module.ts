import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join } from "node:path";

const directory = join(import.meta.dirname, "../peers");
const requirePeer = createRequire(join(directory, "package.json"));

/** What `bench/peers/package.json` asks for. */
const peerPackages = ["classic-level", "lmdb", "@nxtedition/rocksdb", "better-sqlite3"] as const;
export type PeerPackage = (typeof peerPackages)[number];

/** The module of an installed peer. It has no types here; each store says what it uses of it. */
export function loadPeer(name: PeerPackage): unknown {
  return requirePeer(name);
}

export function peerVersion(name: PeerPackage): string {
  const text = readFileSync(join(directory, "node_modules", name, "package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/** Uses each package as little as shows that its native part fits this Node.js. */
const trials: Readonly<Record<PeerPackage, string>> = {
  "classic-level": "require('classic-level')",
  lmdb: "require('lmdb')",
  "@nxtedition/rocksdb": "require('@nxtedition/rocksdb')",
  "better-sqlite3": "new (require('better-sqlite3'))(':memory:').close()",
};

/** Null when the peer works; otherwise why it does not, for people. Tried in a process of its own. */
export function peerFault(name: PeerPackage): string | null {
  if (!existsSync(join(directory, "node_modules", name))) return "not installed";
  const words = ["-e", `${trials[name]}; console.log("works")`];
  const { stdout, stderr } = spawnSync(process.execPath, words, { cwd: directory, encoding: "utf8" });
  if (stdout.includes("works")) return null;
  return stderr.split("\n").find((line) => line.includes("Error")) ?? "does not load";
}

/**
 * Installs the peers from their own lockfile, for the Node.js that runs this. Native parts without a prebuilt
 * binary are compiled against the headers that came with that Node.js, where they did.
 */
export function installPeers(): void {
  const nodeDirectory = dirname(process.execPath);
  const headers = join(nodeDirectory, "..");
  const env: NodeJS.ProcessEnv = { ...process.env, PATH: `${nodeDirectory}${delimiter}${process.env["PATH"] ?? ""}` };
  if (existsSync(join(headers, "include/node/node.h"))) env["npm_config_nodedir"] = headers;
  // Not `npm ci`: it refuses a lockfile with optional packages of platforms for which a registry's mirror has none.
  const words = ["install", "--no-save", "--no-audit", "--no-fund"];
  const { status, error } = spawnSync("npm", words, { cwd: directory, env, stdio: "inherit" });
  if (error !== undefined) throw new Error("npm is needed to install the peers", { cause: error });
  if (status !== 0) throw new Error(`npm install in ${directory} ended with ${status}`);
}
