import { dirname, join, resolve } from "node:path";
import { ownerText } from "../../../host/owner-text.ts";
import { ClusterAdmin } from "../../../node/migrate/cluster-admin.ts";
import {
  type ExpandEvent,
  type ExpandReach,
  type ExpandWorld,
  expandPaceDefault,
} from "../../../node/migrate/region-expansion.ts";
import { ExpandJournal, type TargetProgress, readExpandTargets } from "../../../node/migrate/expand-journal.ts";
import type { LedRegion } from "../../../node/survey.ts";
import type { Topology } from "../../../node/topology.ts";
import { describeKey } from "../../../raft/region.ts";
import { UsageError } from "../../exit-code.ts";
import type { OptionTable, Options } from "../../options.ts";
import { armedEnv, failpointUsage } from "../../service.ts";
import type { Terminal } from "../../terminal.ts";
import { readTopologyFile, topologyOptions, topologyUsage } from "../../topology-file.ts";

/** What every step of a running cluster accepts. */
export const clusterOptions: OptionTable = {
  ...topologyOptions, journal: "value", wait: "value", "poll-interval": "value", json: "flag", failpoint: "value",
};

export const clusterUsage =
  topologyUsage +
  `  --journal DIR            where its progress is kept (default: expand-journal beside the topology)
  --wait DURATION          give up when nothing has moved for so long (default 60s)
  --poll-interval DURATION between two looks at the cluster (default 200ms)
  --json                   one JSON object, for programs
${failpointUsage}`;

export const clusterExits = `Exit codes: 0 done, 2 usage or refused, 65 a replica has another content, 74 I/O error,
75 nothing moves any more (the same command goes on), or another process works with that journal.
`;

export function storeOption(given: Options, name: string): number {
  const storeId = given.integer(name, 1, Number.MAX_SAFE_INTEGER);
  if (storeId === null) throw new UsageError(`--${name} is missing`, `such as --${name} 2`);
  return storeId;
}

/** "2,3" */
export function storesOption(given: Options, name: string): number[] {
  const text = given.text(name);
  if (text === null) throw new UsageError(`--${name} is missing`, `such as --${name} 2,3`);
  const stores = text.split(",").map((part) => (/^[1-9][0-9]{0,15}$/.test(part) ? Number(part) : 0));
  if (stores.includes(0)) throw new UsageError(`--${name}: "${text}" is no list of stores`, "such as 2,3");
  if (new Set(stores).size < stores.length) throw new UsageError(`--${name}: "${text}" names a store twice`);
  return stores.toSorted((a, b) => a - b);
}

/** Null: all of them. */
export function regionOption(given: Options): number | null {
  return given.text("region") === "all" ? null : given.integer("region", 1, Number.MAX_SAFE_INTEGER);
}

interface NamedCluster {
  readonly topology: Topology;
  /** As it was given. */
  readonly config: string;
  /** Where expansions keep their journal. */
  readonly journal: string;
}

function clusterOf(given: Options): NamedCluster {
  const topology = readTopologyFile(given);
  const config = given.text("config");
  if (topology === null || config === null) {
    throw new UsageError("--config is missing", "such as --config cluster.json");
  }
  return { topology, config, journal: resolve(given.text("journal") ?? join(dirname(config), "expand-journal")) };
}

/** What those see who only look, whoever works with the journal meanwhile. */
export interface ClusterLook extends NamedCluster {
  readonly admin: ClusterAdmin;
  readonly targets: readonly TargetProgress[];
}

/** Runs `work` with the cluster that `--config` names. Changes nothing. */
export async function withLook<T>(given: Options, work: (look: ClusterLook) => Promise<T>): Promise<T> {
  const cluster = clusterOf(given);
  const env = armedEnv(given);
  const targets = readExpandTargets(env.disk, cluster.journal, cluster.topology.clusterId);
  const admin = new ClusterAdmin(env, cluster.topology);
  try {
    return await work({ ...cluster, admin, targets });
  } finally {
    admin.close();
  }
}

/** Runs `work` with the cluster that `--config` names. The journal is held by this process meanwhile. */
export async function withCluster<T>(
  given: Options,
  terminal: Terminal,
  work: (world: ExpandWorld) => Promise<T>,
): Promise<T> {
  const { topology, journal: directory } = clusterOf(given);
  const journal = await ExpandJournal.open(armedEnv(given), directory, topology.clusterId, ownerText());
  try {
    return await withReach(given, terminal, (reach) => work({ ...reach, journal }));
  } finally {
    journal.close();
  }
}

/** Runs `work` with the cluster that `--config` names, whoever works with the journal meanwhile. */
export async function withReach<T>(
  given: Options,
  terminal: Terminal,
  work: (reach: ExpandReach) => Promise<T>,
): Promise<T> {
  const { topology } = clusterOf(given);
  const env = armedEnv(given);
  const pace = {
    pollMs: given.durationMs("poll-interval") ?? expandPaceDefault.pollMs,
    stallMs: given.durationMs("wait") ?? expandPaceDefault.stallMs,
  };
  const admin = new ClusterAdmin(env, topology);
  const lines = new EventLines(terminal);
  try {
    return await work({ env, admin, pace, report: (event) => lines.tell(event) });
  } finally {
    lines.end();
    admin.close();
  }
}

const barWidth = 24;

/** On a terminal snapshots are bars that are drawn again, else every tenth of them is a line. */
export class EventLines {
  readonly #terminal: Terminal;
  readonly #tenths = new Map<string, number>();
  #drawn = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  tell(event: ExpandEvent): void {
    if (event.kind === "step" || event.kind === "wait") {
      this.end();
      const about = event.kind === "step" ? `region ${event.regionId}` : "waits";
      this.#terminal.err(`${about}: ${event.text}\n`);
      return;
    }
    const { regionId, storeId, sentBytes, totalBytes } = event;
    const share = totalBytes === 0 ? 1 : Math.min(1, sentBytes / totalBytes);
    const amount = `${mebibytes(sentBytes)} of ${mebibytes(totalBytes)} MiB`;
    const text = `region ${regionId}: snapshot to store ${storeId} ${amount}`;
    if (this.#terminal.live) {
      const filled = Math.round(share * barWidth);
      this.#draw(`${text} [${"#".repeat(filled)}${".".repeat(barWidth - filled)}] ${Math.floor(share * 100)} %`);
      return;
    }
    const tenth = Math.floor(share * 10);
    if (this.#tenths.get(`${regionId}/${storeId}`) === tenth) return;
    this.#tenths.set(`${regionId}/${storeId}`, tenth);
    this.#terminal.err(`${text}\n`);
  }

  end(): void {
    if (this.#drawn > 0) this.#terminal.err(`\r${" ".repeat(this.#drawn)}\r`);
    this.#drawn = 0;
  }

  #draw(line: string): void {
    this.end();
    this.#terminal.err(line);
    this.#drawn = line.length;
  }
}

function mebibytes(bytes: number): string {
  return (bytes / 1_048_576).toFixed(1);
}

type Led = Pick<LedRegion, "region" | "leaderStore" | "applied">;

/** `region=1 range=["", "m") epoch={ver:1 conf:4} leader=1 peers=[{store:1 peer:101 voter}]` */
export function ledLine({ region, leaderStore, applied }: Led): string {
  const { id, start, end, epoch, peers } = region;
  const range = `[${describeKey(start, '""')}, ${describeKey(end, '""')})`;
  const members = peers.map(({ storeId, peerId, role }) => `{store:${storeId} peer:${peerId} ${role}}`).join(" ");
  const state = `epoch={ver:${epoch.version} conf:${epoch.confVer}} leader=${leaderStore} applied=${applied}`;
  return `region=${id} range=${range} ${state} peers=[${members}]`;
}

export function ledJson({ region, leaderStore, applied }: Led): object {
  const { id, epoch, peers } = region;
  return {
    region_id: id,
    epoch: { version: epoch.version, conf_version: epoch.confVer },
    leader_store: leaderStore,
    leader_peer_id: peers.find(({ storeId }) => storeId === leaderStore)?.peerId ?? 0,
    applied_index: applied,
    peers: peers.map(({ storeId, peerId, role }) => ({ store_id: storeId, peer_id: peerId, role })),
  };
}
