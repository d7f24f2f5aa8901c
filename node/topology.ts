import type { Address } from "../core/env/network.ts";
import { NokvError } from "../core/errors.ts";
import { compareKeys } from "../core/bytes/record.ts";
import type { RegionMeta, RegionPeer } from "../raft/region.ts";
import { Fields, Problems } from "./topology-fields.ts";
import { checkTopology } from "./topology-check.ts";

/** Which of the two addresses and directories of each process count. */
export type TopologyScope = "host" | "docker";

/** Where a process is reached, where it listens, where its data is. */
export interface ProcessPlace {
  readonly address: Address;
  readonly listen: Address;
  readonly workDir: string;
  /** Where it tells of itself; null: nowhere, unless its own options say. */
  readonly metrics: Address | null;
}

export interface StorePlace extends ProcessPlace {
  readonly storeId: number;
}

export interface CoordinatorPlace extends ProcessPlace {
  /** In its group, from 1 on; 0: it is alone, and there is no group. */
  readonly memberId: number;
}

export interface FirstRegion {
  readonly region: RegionMeta;
  /** Whose peer campaigns first; 0: any. */
  readonly leaderStoreId: number;
}

/** One cluster, for one scope. What `coordinator`, `serve`, `redis` and `playground` are started from. */
export interface Topology {
  /** What its processes call their cluster: those of another one are refused. */
  readonly clusterId: string;
  readonly maxRetries: number;
  /** A region that takes more, about, is divided; 0: none is. Missing: as the program thinks best. */
  readonly regionSplitBytes?: number;
  /** Neighbours that each take less are merged; 0: none are. Missing: a quarter of `regionSplitBytes`. */
  readonly regionMergeBytes?: number;
  /** A store reads everything that it holds once in so long; 0: it does not. Missing: once a day. */
  readonly scrubPassSeconds?: number;
  /** One that is alone, or the members of a group by id. */
  readonly coordinators: readonly CoordinatorPlace[];
  /** Null: the gateway gets its address from its own options. */
  readonly redis: Address | null;
  readonly redisMetrics: Address | null;
  /** By id. */
  readonly stores: readonly StorePlace[];
  /** By start key; they hold every key. */
  readonly regions: readonly FirstRegion[];
}

const maxRetriesDefault = 8;
const notGiven = -1;
const clusterIdDefault = "nokv";
const clusterIdBytesMax = 64;
const templateMark = "{id}";
/** A group of two or four survives no more than one of one or three. */
const groupSizes = [3, 5];

/**
 * Reads a topology file: the fields of the original's `raft_config.example.json`; beyond them `cluster_id`,
 * `region_split_bytes`, `region_merge_bytes`, `scrub_pass_seconds`, `redis.addr`, `metrics_addr` of every process, and
 * `coordinators` in place of `coordinator`.
 * Throws `NOKV_INVALID_ARGUMENT` with every problem found, each naming field, value and remedy. `path` is for the
 * message.
 */
export function parseTopology(text: string, path: string, scope: TopologyScope): Topology {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new NokvError("NOKV_INVALID_ARGUMENT", `${path}: this is not JSON: ${error.message}`, { path, cause: error });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new NokvError("NOKV_INVALID_ARGUMENT", `${path}: this is no topology: write an object`, { path });
  }
  const problems = new Problems();
  const topology = readTopology(new Fields(value, "", problems), scope, problems);
  // Problems of fields make others appear that are none.
  if (problems.list.length === 0) checkTopology(topology, problems);
  if (problems.list.length === 0) return topology;
  throw new NokvError("NOKV_INVALID_ARGUMENT", problems.list.map((line) => `${path}: ${line}`).join("\n"), { path });
}

function readTopology(root: Fields, scope: TopologyScope, problems: Problems): Topology {
  const maxRetries = root.integer("max_retries", 0, maxRetriesDefault);
  const splitBytes = root.integer("region_split_bytes", 0, notGiven);
  const mergeBytes = root.integer("region_merge_bytes", 0, notGiven);
  const scrubSeconds = root.integer("scrub_pass_seconds", 0, notGiven);
  const template = readTemplate(root, scope, problems);
  const coordinators = readCoordinators(root, scope, problems);
  const stores = root.objects("stores").map((fields): StorePlace => {
    const storeId = fields.integer("store_id", 1, null);
    const workDir = template === null ? null : template.replaceAll(templateMark, String(storeId));
    return { storeId, ...readPlace(fields, scope, workDir, problems) };
  });
  const regions = root.objects("regions", 0).map((fields) => readRegion(fields, problems));
  const redis = root.has("redis") ? readRedis(root.object("redis"), scope, problems) : null;
  const clusterId = root.text("cluster_id") || clusterIdDefault;
  if (new TextEncoder().encode(clusterId).length > clusterIdBytesMax) {
    problems.add("cluster_id", clusterId, `write at most ${clusterIdBytesMax} bytes`);
  }
  root.refuseUnknown();
  return {
    clusterId,
    maxRetries,
    ...(splitBytes === notGiven ? {} : { regionSplitBytes: splitBytes }),
    ...(mergeBytes === notGiven ? {} : { regionMergeBytes: mergeBytes }),
    ...(scrubSeconds === notGiven ? {} : { scrubPassSeconds: scrubSeconds }),
    coordinators,
    redis: redis?.address ?? null,
    redisMetrics: redis?.metrics ?? null,
    stores: stores.toSorted((a, b) => a.storeId - b.storeId),
    regions: regions.toSorted((a, b) => compareKeys(a.region.start, b.region.start)),
  };
}

/** `coordinator`, as the original has it, or a list of the members of a group. */
function readCoordinators(root: Fields, scope: TopologyScope, problems: Problems): CoordinatorPlace[] {
  if (!root.has("coordinators")) {
    return [{ memberId: 0, ...readPlace(root.object("coordinator"), scope, null, problems) }];
  }
  if (root.has("coordinator")) {
    problems.add("coordinator", root.raw("coordinator"), "write coordinator or coordinators, not both");
  }
  const members = root.objects("coordinators").map((fields): CoordinatorPlace => {
    const memberId = fields.integer("id", 1, null);
    return { memberId, ...readPlace(fields, scope, null, problems) };
  });
  if (members.length > 0 && !groupSizes.includes(members.length)) {
    const remedy = `write ${groupSizes.join(" or ")} members, or coordinator for one that is alone`;
    problems.add("coordinators", `${members.length} members`, remedy);
  }
  return members.toSorted((a, b) => a.memberId - b.memberId);
}

/** The template of the scope, or that of the host; null: none. */
function readTemplate(root: Fields, scope: TopologyScope, problems: Problems): string | null {
  const names = ["store_work_dir_template", "store_docker_work_dir_template"] as const;
  const [host, docker] = names.map((name) => {
    const template = root.text(name);
    if (template !== "" && !template.includes(templateMark)) {
      problems.add(root.at(name), template, `put ${templateMark} where the store's number belongs`);
    }
    return template;
  });
  return (scope === "docker" && docker !== "" ? docker : host) || null;
}

function readPlace(
  fields: Fields,
  scope: TopologyScope,
  workDirDefault: string | null,
  problems: Problems,
): ProcessPlace {
  const host = {
    addr: fields.requiredText("addr"), listen: fields.text("listen_addr"), workDir: fields.text("work_dir"),
  };
  const docker = {
    addr: fields.text("docker_addr"),
    listen: fields.text("docker_listen_addr"),
    workDir: fields.text("docker_work_dir"),
  };
  const metrics = readMetrics(fields, problems);
  fields.refuseUnknown();
  const inDocker = scope === "docker";
  const [addrField, addr] = inDocker && docker.addr !== "" ? ["docker_addr", docker.addr] : ["addr", host.addr];
  const address = readAddress(fields.at(addrField), addr, problems);
  const listenField = inDocker ? "docker_listen_addr" : "listen_addr";
  const listenText = inDocker ? docker.listen || host.listen : host.listen;
  const listen = listenText === "" ? address : readAddress(fields.at(listenField), listenText, problems);
  const workDir = (inDocker && docker.workDir) || host.workDir || workDirDefault || "";
  if (workDir === "") {
    problems.add(fields.at("work_dir"), undefined, "name a directory here, or set store_work_dir_template");
  }
  return { address, listen, workDir, metrics };
}

/** In containers the same: nobody but the machine itself asks there. */
function readMetrics(fields: Fields, problems: Problems): Address | null {
  const text = fields.text("metrics_addr");
  return text === "" ? null : readAddress(fields.at("metrics_addr"), text, problems);
}

interface RedisPlace {
  readonly address: Address;
  readonly metrics: Address | null;
}

function readRedis(fields: Fields, scope: TopologyScope, problems: Problems): RedisPlace {
  const host = fields.requiredText("addr");
  const docker = fields.text("docker_addr");
  const metrics = readMetrics(fields, problems);
  fields.refuseUnknown();
  const useDocker = scope === "docker" && docker !== "";
  const field = fields.at(useDocker ? "docker_addr" : "addr");
  return { address: readAddress(field, useDocker ? docker : host, problems), metrics };
}

function readRegion(fields: Fields, problems: Problems): FirstRegion {
  const id = fields.integer("id", 1, null);
  const start = readKey(fields, "start_key", problems);
  const end = readKey(fields, "end_key", problems);
  const epochFields = fields.has("epoch") ? fields.object("epoch") : null;
  const version = epochFields?.integer("version", 1, 1) ?? 1;
  const confVer = epochFields?.integer("conf_version", 1, 1) ?? 1;
  epochFields?.refuseUnknown();
  const peers = fields.objects("peers").map((peer): RegionPeer => {
    const storeId = peer.integer("store_id", 1, null);
    const peerId = peer.integer("peer_id", 1, null);
    peer.refuseUnknown();
    return { peerId, storeId, role: "voter" };
  });
  const leaderStoreId = fields.integer("leader_store_id", 0, 0);
  fields.refuseUnknown();
  const sorted = peers.toSorted((a, b) => a.peerId - b.peerId);
  return { region: { id, start, end, epoch: { version, confVer }, peers: sorted }, leaderStoreId };
}

/** UTF-8, or `hex:` and pairs of digits. */
function readKey(fields: Fields, name: string, problems: Problems): Uint8Array {
  const text = fields.text(name);
  if (!text.startsWith("hex:")) return new TextEncoder().encode(text);
  const digits = text.slice("hex:".length);
  if (!/^(?:[0-9a-fA-F]{2})+$/.test(digits)) {
    problems.add(fields.at(name), text, "after hex: write pairs of the digits 0-9 and a-f");
    return new Uint8Array(0);
  }
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

const portMax = 65_535;

function readAddress(place: string, text: string, problems: Problems): Address {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3] ?? "0");
  if (text !== "" && (match === null || port < 1 || port > portMax)) {
    problems.add(place, text, "write host:port, for instance 127.0.0.1:20160");
  }
  return { host: match?.[1] ?? match?.[2] ?? "", port };
}
