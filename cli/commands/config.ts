import { type ProcessPlace, type Topology } from "../../node/topology.ts";
import { describeKey } from "../../raft/region.ts";
import type { Command, Context } from "../command.ts";
import { type ExitCode, UsageError, exitCode } from "../exit-code.ts";
import { formatAddress } from "../listen-address.ts";
import { didYouMean, type OptionTable, type Options, parseOptions } from "../options.ts";
import { loadTopology } from "../topology-file.ts";

const usage = `usage: nokv config stores|regions|coordinator|check [--config FILE] [options]

Reads a topology file as every process of the cluster reads it, and prints what it says, one line each, for scripts.

  stores        store, listen address, address, directory, metrics address
  regions       id, start, end, version, conf version, store:peer,... and the leader's store ("-" where there is none)
  coordinator   listen address, address, directory, metrics address; of a group, the member's id before them
  check         nothing, if the file is sound

  --config FILE          default ./raft_config.example.json
  --scope host|docker    which of its addresses and directories count (default host)
  --format simple|json   default simple

Exit codes: 0, 2 usage and every problem of the file, each with its field and remedy, 66 no such file.

  nokv config stores --config ./raft_config.example.json
`;

const options: OptionTable = { config: "value", scope: "value", format: "value" };
const subjects = ["stores", "regions", "coordinator", "check"] as const;
type Subject = (typeof subjects)[number];

const defaultPath = "./raft_config.example.json";

export const configCommand: Command = {
  usage,
  run: ([subject = "", ...argv], context) => {
    const known = subjects.find((candidate) => candidate === subject);
    // `nokv config --help` asks no subject.
    if (known === undefined && !subject.startsWith("-")) throw unknownSubject(subject);
    const given = parseOptions(known === undefined ? [subject, ...argv] : argv, options);
    if (known === undefined) throw unknownSubject("");
    return Promise.resolve(show(known, given, context));
  },
};

function unknownSubject(subject: string): UsageError {
  const what = subject === "" ? "config: say what to show" : `config: there is no ${subject}`;
  return new UsageError(what, didYouMean(subject, subjects) || `one of ${subjects.join(", ")}`);
}

function show(subject: Subject, given: Options, { terminal }: Context): ExitCode {
  const scope = given.oneOf("scope", ["host", "docker"]) ?? "host";
  const format = given.oneOf("format", ["simple", "json"]) ?? "simple";
  const topology = loadTopology(given.text("config") ?? defaultPath, scope);
  const rows = rowsOf(subject, topology);
  if (format === "json") terminal.out(`${JSON.stringify(rows)}\n`);
  else terminal.out(rows.map((row) => `${Object.values(row).map(cell).join(" ")}\n`).join(""));
  return exitCode.ok;
}

type Row = Readonly<Record<string, string | number>>;

function rowsOf(subject: Subject, { coordinators, stores, regions }: Topology): readonly Row[] {
  switch (subject) {
    case "stores":
      return stores.map((store) => ({ store_id: store.storeId, ...placeRow(store) }));
    case "coordinator":
      return coordinators.map((place) => {
        return { ...(place.memberId > 0 && { member_id: place.memberId }), ...placeRow(place) };
      });
    case "regions":
      return regions.map(({ region, leaderStoreId }) => ({
        region_id: region.id,
        start_key: describeKey(region.start, ""),
        end_key: describeKey(region.end, ""),
        version: region.epoch.version,
        conf_version: region.epoch.confVer,
        peers: region.peers.map(({ storeId, peerId }) => `${storeId}:${peerId}`).join(","),
        leader_store_id: leaderStoreId === 0 ? "" : leaderStoreId,
      }));
    case "check":
      return [];
  }
}

function placeRow({ address, listen, workDir, metrics }: ProcessPlace): Row {
  return {
    listen: formatAddress(listen),
    address: formatAddress(address),
    work_dir: workDir,
    metrics: metrics === null ? "" : formatAddress(metrics),
  };
}

function cell(value: string | number): string {
  return value === "" ? "-" : String(value);
}
