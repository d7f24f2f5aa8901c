import { mergesEntry } from "../../coordinator/operations.ts";
import { openHostEnv } from "../../host/env.ts";
import { ClusterAdmin, type Told } from "../../node/migrate/cluster-admin.ts";
import { mergeOrderOf, type OrderProblem, splitOrderOf } from "../../node/region-orders.ts";
import { type RpcError, whyNoAnswer } from "../../net/rpc/rpc-error.ts";
import { describeRegion, type RegionMeta } from "../../raft/region.ts";
import type { Context } from "../command.ts";
import { CommandError, type ExitCode, UsageError, exitCode } from "../exit-code.ts";
import { type OptionTable, type Options, parseOptions } from "../options.ts";
import { readTopologyFile, topologyOptions } from "../topology-file.ts";

const orderOptions: OptionTable = { ...topologyOptions, into: "value", at: "value", json: "flag" };
const orders = ["merge", "split", "merges"] as const;
type Order = (typeof orders)[number];

/** Null: the words say no order. */
export function regionOrderOf([word = ""]: readonly string[]): Order | null {
  const order = orders.find((name) => name === word) ?? null;
  if (order !== null || word === "" || word.startsWith("-")) return order;
  throw new UsageError(`regions has no order ${word}`, `its orders: ${orders.join(", ")}`);
}

/** `nokv regions merge N`, `nokv regions split N --at KEY`, `nokv regions merges on|off`. */
export async function runRegionOrder(order: Order, argv: readonly string[], context: Context): Promise<ExitCode> {
  const [, about = "", ...rest] = argv;
  const isNumber = /^[1-9]\d{0,14}$/.test(about);
  if (order === "merges" ? about !== "on" && about !== "off" : !isNumber) {
    const [what, example] = order === "merges" ? ["on or off", "merges off"] : ["which region", `${order} 3`];
    throw new UsageError(`regions ${order}: say ${what}`, `for instance: nokv regions ${example} --config FILE`);
  }
  const given = parseOptions(rest, orderOptions);
  if (order === "split" && given.text("at") === null) {
    throw new UsageError("regions split: --at is missing", "say at which key, such as --at user:5000 or --at hex:00ff");
  }
  const topology = readTopologyFile(given);
  if (topology === null) throw new UsageError("--config is missing", "name the cluster's topology");
  const admin = new ClusterAdmin(openHostEnv({ failpoints: null }), topology);
  try {
    if (order === "merges") return await switchMerges(admin, about, context);
    const regions = await (order === "merge" ? merge(admin, Number(about), given) : split(admin, Number(about), given));
    tell(regions, given.has("json"), context);
    return exitCode.ok;
  } finally {
    admin.close();
  }
}

async function merge(admin: ClusterAdmin, id: number, given: Options): Promise<readonly RegionMeta[]> {
  const order = mergeOrderOf(await admin.survey([]), id, given.integer("into", 1, Number.MAX_SAFE_INTEGER));
  if ("problem" in order) refuse(`regions merge ${id}`, order);
  const { source, target } = order;
  const told = await admin.merge(source.leaderStore, source.region, target.region.id);
  return [valueOf(`regions merge ${id}`, told).region];
}

async function split(admin: ClusterAdmin, id: number, given: Options): Promise<readonly RegionMeta[]> {
  const key = keyOf(given.text("at") ?? "");
  const led = splitOrderOf(await admin.survey([]), id, key);
  if ("problem" in led) refuse(`regions split ${id}`, led);
  return valueOf(`regions split ${id}`, await admin.split(led.leaderStore, led.region, [key])).regions;
}

async function switchMerges(admin: ClusterAdmin, value: string, { terminal }: Context): Promise<ExitCode> {
  const { error } = await admin.publish({ kind: "ConfigSet", name: mergesEntry, value });
  if (error !== null) {
    const silent = error.code === "ROOT_UNAVAILABLE";
    throw new CommandError(silent ? exitCode.unavailable : exitCode.io, `the Coordinator: ${error.message}`);
  }
  terminal.out(`Small neighbours are ${value === "on" ? "" : "not "}merged by themselves.\n`);
  return exitCode.ok;
}

/** Text as UTF-8, or `hex:` and digits. */
function keyOf(text: string): Uint8Array {
  if (!text.startsWith("hex:")) return new TextEncoder().encode(text);
  const digits = text.slice("hex:".length);
  if (!/^([0-9a-fA-F]{2})+$/.test(digits)) throw new UsageError(`--at: ${text} is no key`, "such as --at hex:00ff");
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function refuse(what: string, { problem, remedy }: OrderProblem): never {
  throw new UsageError(`${what}: ${problem}`, remedy);
}

function valueOf<T>(what: string, { value, error }: Told<T>): T {
  if (error === null) return value;
  throw failureOf(what, error);
}

/** What was refused did not happen; of what has no answer nobody knows. */
function failureOf(what: string, error: RpcError): Error {
  const look = "nokv regions --config FILE shows what there is now";
  if (error.kind === "application") return new UsageError(`${what}: ${error.reason}`, look);
  return new CommandError(exitCode.unavailable, `${what}: ${whyNoAnswer(error)}; it may still happen: ${look}`);
}

function tell(regions: readonly RegionMeta[], asJson: boolean, { terminal }: Context): void {
  if (!asJson) return terminal.out(regions.map((region) => `Region ${describeRegion(region)}\n`).join(""));
  const json = regions.map(({ id, epoch }) => {
    return { id, epoch: { version: epoch.version, conf_version: epoch.confVer } };
  });
  terminal.out(`${JSON.stringify({ regions: json })}\n`);
}
