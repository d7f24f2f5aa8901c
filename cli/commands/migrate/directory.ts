import { contentText, type ContentSum } from "../../../core/bytes/content-hash.ts";
import { describeKey } from "../../../raft/region.ts";
import type { SeedRegion } from "../../../node/mode/mode-file.ts";
import { UsageError } from "../../exit-code.ts";
import type { OptionTable, Options } from "../../options.ts";
import type { Terminal } from "../../terminal.ts";
import { readTopologyFile, topologyOptions, topologyUsage } from "../../topology-file.ts";
import { resolveWorkdir } from "../../workdir.ts";

/** What every step of a stopped directory accepts. */
export const directoryOptions: OptionTable = { workdir: "value", json: "flag", failpoint: "value" };

export const directoryUsage = `  --workdir DIR            the directory of a database that nobody has open
  --json                   one JSON object, for programs
`;

/** And those that need to know whose store it becomes. */
export const identityOptions: OptionTable = { ...topologyOptions, "cluster-id": "value", "store-id": "value" };

export const identityUsage = `${topologyUsage}  --store-id N             which of its stores the directory becomes
  --cluster-id NAME        without a file: what the cluster is called
`;

export const exitUsage = `Exit codes: 0 done, 1 the contents differ, 2 usage, 65 corrupt or refused as it is,
66 no such directory, 74 I/O error, 75 open in another process, 77 permission denied.
`;

export interface Identity {
  readonly clusterId: string | null;
  readonly storeId: number | null;
  /** Regions that the topology names. */
  readonly topologyRegions: number;
}

export function identityOf(given: Options): Identity {
  const topology = readTopologyFile(given);
  const asked = given.text("cluster-id");
  if (topology !== null && asked !== null && asked !== topology.clusterId) {
    throw new UsageError(`--cluster-id: the file says ${topology.clusterId}`, "leave one of the two away");
  }
  const storeId = given.integer("store-id", 1, Number.MAX_SAFE_INTEGER);
  if (topology !== null && storeId !== null && !topology.stores.some((store) => store.storeId === storeId)) {
    throw new UsageError(`--store-id: the file has no store ${storeId}`);
  }
  const clusterId = topology?.clusterId ?? asked;
  return { clusterId, storeId, topologyRegions: topology?.regions.length ?? 0 };
}

export function workdirFrom(given: Options): string {
  const workdir = given.text("workdir");
  if (workdir === null) throw new UsageError("--workdir is missing", "such as --workdir ./data");
  return resolveWorkdir(workdir);
}

/** Rows of a name and a value. */
export function rowsText(rows: readonly (readonly [string, unknown])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  return rows.map(([name, value]) => `${name.padEnd(width)}${String(value)}\n`).join("");
}

export function listText(heading: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : `${heading}\n${lines.map((line) => `  - ${line}\n`).join("")}`;
}

export function contentLine({ count, bytes, ...sum }: ContentSum): string {
  return `${count} keys, ${bytes} bytes, ${contentText({ count, bytes, ...sum })}`;
}

export function contentJson(content: ContentSum | null): object | null {
  if (content === null) return null;
  return { count: content.count, bytes: content.bytes, hash: contentText(content) };
}

export function regionLine({ regionId, peerId, start, end }: SeedRegion): string {
  return `id=${regionId} peer=${peerId} range=[${describeKey(start, '""')}, ${describeKey(end, '""')})`;
}

export function regionJson({ regionId, peerId, start, end }: SeedRegion): object {
  return { region_id: regionId, peer_id: peerId, start_key: keyJson(start), end_key: keyJson(end) };
}

/** As topology files have it. */
export function keyJson(key: Uint8Array): string {
  const text = describeKey(key, "");
  return text.startsWith('"') ? text.slice(1, -1) : text;
}

/** Says on a terminal how far it is, in one line that is drawn again. */
export class ProgressLine {
  readonly #terminal: Terminal;
  #what = "";
  #drawn = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  step(what: string): void {
    this.#clear();
    this.#what = what;
    this.#terminal.err(this.#terminal.live ? `${what} ...` : `nokv migrate: ${what}\n`);
    this.#drawn = what.length + 4;
  }

  progress(entries: number, bytes: number): void {
    if (!this.#terminal.live) return;
    this.#clear();
    const line = `${this.#what}: ${entries} keys, ${Math.floor(bytes / 1_048_576)} MiB`;
    this.#terminal.err(line);
    this.#drawn = line.length;
  }

  end(): void {
    this.#clear();
  }

  #clear(): void {
    if (this.#terminal.live && this.#drawn > 0) this.#terminal.err(`\r${" ".repeat(this.#drawn)}\r`);
    this.#drawn = 0;
  }
}
