import { CoordinatorError } from "../../coordinator/coordinator-error.ts";
import { replicasEntry } from "../../coordinator/operations.ts";
import type { RootEvent } from "../../coordinator/root-event.ts";
import type { StoreStatus } from "../../coordinator/store-view.ts";
import { openHostEnv } from "../../host/env.ts";
import { ClusterAdmin, type ToldByCoordinator } from "../../node/migrate/cluster-admin.ts";
import type { Command, Context } from "../command.ts";
import { CommandError, type ExitCode, UsageError, exitCode } from "../exit-code.ts";
import { type OptionTable, parseOptions } from "../options.ts";
import { textTable } from "../text-table.ts";
import { readTopologyFile, topologyOptions, topologyUsage } from "../topology-file.ts";

const usage = `usage: nokv stores --config FILE [--json]
       nokv stores decommission N --config FILE
       nokv stores keep N --config FILE
       nokv stores replicas N --config FILE

Shows the stores of a running cluster as its Coordinator knows them: membership, whether they are heard of, what they
hold and lead. A store that is not heard of for 30 minutes is "down", and its replicas are replaced by others.

  decommission N   store N is to leave, dead or alive: its replicas are moved at once, and its id is never used again.
                   The way out for a store that lost its directory: decommission it, and start it under a new id.
  keep N           store N is to stay after all, unless it has left
  replicas N       each region is to have N replicas, and gets them again when stores are lost; 0: as many as it has

${topologyUsage}  --json                   one JSON object, for programs

Exit codes: 0 done, 2 usage or refused, 66 no such file, 69 the Coordinator is silent, 74 it cannot decide.

  nokv stores --config ./raft_config.example.json
`;

const options: OptionTable = { ...topologyOptions, json: "flag" };
const orders = ["decommission", "keep", "replicas"] as const;
type Order = (typeof orders)[number];

export const storesCommand: Command = { usage, run: stores };

async function stores(argv: readonly string[], context: Context): Promise<ExitCode> {
  const [word = "", number = "", ...rest] = argv;
  const order = orders.find((name) => name === word) ?? null;
  if (order === null && word !== "" && !word.startsWith("-")) {
    throw new UsageError(`stores has no order ${word}`, `its orders: ${orders.join(", ")}`);
  }
  const value = Number(number);
  if (order !== null && (!/^\d{1,15}$/.test(number) || (order !== "replicas" && value === 0))) {
    throw new UsageError(`stores ${order}: say which number`, `for instance: nokv stores ${order} 3 --config FILE`);
  }
  const given = parseOptions(order === null ? argv : rest, options);
  const topology = readTopologyFile(given);
  if (topology === null) throw new UsageError("--config is missing", "name the cluster's topology");
  const admin = new ClusterAdmin(openHostEnv({ failpoints: null }), topology);
  try {
    if (order !== null) await carryOut(admin, order, value);
    const list = told(await admin.stores());
    const note = order === null ? "" : orderNote(order, value, list);
    context.terminal.out(given.has("json") ? `${JSON.stringify(storesJson(list))}\n` : storesText(list) + note);
    return exitCode.ok;
  } finally {
    admin.close();
  }
}

async function carryOut(admin: ClusterAdmin, order: Order, value: number): Promise<void> {
  const published = told(await admin.publish(eventOf(order, value)));
  if (published.accepted) return;
  const { detail } = published.assessment;
  throw new UsageError(`stores ${order} ${value}: ${detail}`, "nokv stores --config FILE lists them");
}

function eventOf(order: Order, value: number): RootEvent {
  if (order === "replicas") return { kind: "ConfigSet", name: replicasEntry, value: String(value) };
  return { kind: "StoreLeaving", storeId: value, leaving: order === "decommission" };
}

function told<T>({ value, error }: ToldByCoordinator<T>): T {
  if (error === null) return value;
  const silent = error instanceof CoordinatorError && error.code === "ROOT_UNAVAILABLE";
  throw new CommandError(silent ? exitCode.unavailable : exitCode.io, `the Coordinator: ${error.message}`);
}

/** What becomes of an order, as far as the stores that are there let it; "" or a line. */
export function orderNote(order: Order, value: number, list: readonly StoreStatus[]): string {
  const members = list.filter(({ membership }) => membership === "member");
  const lost = members.filter(({ liveness }) => liveness === "down").length;
  const silent = lost > 0 ? `, ${lost} of which nobody has heard for long` : "";
  const there = `${members.length} ${members.length === 1 ? "store" : "stores"}${silent}`;
  if (order === "decommission") {
    return ` (store ${value} leaves when it holds nothing; its replicas go to those that are left: ${there})\n`;
  }
  const isShort = order === "replicas" && value > members.length - lost;
  return isShort ? ` (each region has ${value} replicas when there are as many stores; there are ${there})\n` : "";
}

export function storesText(list: readonly StoreStatus[]): string {
  const heading = ["STORE", "ADDRESS", "STATE", "HEARD", "REGIONS", "LEADERS", "WRITTEN/S"];
  const rows = list.map(({ storeId, address, membership, liveness, heartbeat }) => [
    storeId, address, membership, liveness === "left" ? "-" : liveness, heartbeat?.regionCount ?? 0,
    heartbeat?.leaderCount ?? 0, heartbeat?.writtenBytesPerSecond ?? 0,
  ]);
  return textTable(heading, rows);
}

export function storesJson(list: readonly StoreStatus[]): object {
  return {
    stores: list.map(({ storeId, address, membership, liveness, heartbeat }) => ({
      store_id: storeId,
      address,
      state: membership,
      liveness,
      regions: heartbeat?.regionCount ?? null,
      leaders: heartbeat?.leaderCount ?? null,
      written_bytes_per_second: heartbeat?.writtenBytesPerSecond ?? null,
      capacity_bytes: heartbeat?.capacityBytes ?? null,
      available_bytes: heartbeat?.availableBytes ?? null,
    })),
  };
}
