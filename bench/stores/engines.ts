import type { BenchEngine } from "../store.ts";
import { classicLevelEngine } from "./classic-level.ts";
import { lmdbEngine } from "./lmdb.ts";
import { nokvEngine } from "./nokv.ts";
import { nullEngine } from "./null.ts";
import { type PeerPackage, peerFault } from "./peer-module.ts";
import { rocksEngine } from "./rocksdb.ts";
import { betterSqliteEngine, nodeSqliteEngine } from "./sqlite.ts";

interface Peer {
  readonly name: string;
  readonly needs: PeerPackage;
  readonly make: () => BenchEngine;
}

const peers: readonly Peer[] = [
  { name: "classic-level", needs: "classic-level", make: classicLevelEngine },
  { name: "lmdb", needs: "lmdb", make: lmdbEngine },
  { name: "rocksdb", needs: "@nxtedition/rocksdb", make: rocksEngine },
  { name: "better-sqlite3", needs: "better-sqlite3", make: betterSqliteEngine },
];

export interface Field {
  readonly engines: readonly BenchEngine[];
  /** For each peer that does not take part: why, for people. */
  readonly absent: readonly string[];
}

/**
 * Every engine that works here, this one first. Where better-sqlite3 has no binary for this Node.js, the SQLite
 * that is built into Node.js stands in for it.
 */
export function availableEngines(): Field {
  const engines = [nokvEngine];
  const absent: string[] = [];
  for (const { name, needs, make } of peers) {
    const fault = peerFault(needs);
    if (fault === null) engines.push(make());
    else absent.push(`${name}: ${fault}`);
  }
  const installed = engines.length > 1;
  if (installed && !engines.some(({ name }) => name === "better-sqlite3")) engines.push(nodeSqliteEngine);
  return { engines, absent };
}

/** Throws RangeError when nothing has this name. Whether the peer is installed shows when it opens. */
export function engineNamed(name: string): BenchEngine {
  const engine = [nokvEngine, nullEngine, nodeSqliteEngine].find((candidate) => candidate.name === name);
  if (engine !== undefined) return engine;
  const peer = peers.find((candidate) => candidate.name === name);
  if (peer === undefined) throw new RangeError(`there is no engine ${name}`);
  return peer.make();
}
