import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { type CoordinatorOptions, coordinatorDefaults } from "../../coordinator/coordinator.ts";
import { ownerText } from "../../host/owner-text.ts";
import { openCoordinatorNode } from "../../node/coordinator-node.ts";
import { withMerges } from "../../node/merge-limits.ts";
import type { CoordinatorPlace, Topology } from "../../node/topology.ts";
import type { Command, Context } from "../command.ts";
import { CommandError, type ExitCode, exitCode } from "../exit-code.ts";
import { formatAddress, probeAddress } from "../listen-address.ts";
import { type OptionTable, type Options, parseOptions } from "../options.ts";
import { failpointOptions, failpointUsage, runService } from "../service.ts";
import { readTopologyFile, topologyOptions, topologyUsage } from "../topology-file.ts";
import { resolveWorkdir } from "../workdir.ts";

const usage = `usage: nokv coordinator [--config FILE] [--id N] [--workdir DIR] [--addr HOST:PORT] [options]

Runs the Coordinator of a cluster: timestamps, ids, routes, and the view of stores and regions. It keeps what it
promised in a journal in its directory. SIGINT, SIGTERM and SIGHUP shut it down cleanly; a second one ends it at once.

${topologyUsage}  --id N                   which member of the file's group it is
  --workdir DIR            where its journal lives (default: the file's, or ./work_coordinator)
  --addr HOST:PORT         where to listen (default: the file's, or 127.0.0.1:2379); port 0 takes a free one
  --metrics-addr HOST:PORT where to answer /healthz, /readyz, /debug/vars and /metrics
  --cluster-id NAME        without a file: what the cluster is called (default nokv)
  --replicas N             of a new cluster: what each region is to have (default: what the file's regions have)
  --accept-clock           the clock is right, although it is more than a year ahead of the newest timestamp
  --store-down-after TIME  a store that is silent for so long loses its replicas to others (default 30m)
  --with-stdin             end when stdin does, for supervisors
${failpointUsage}
Exit codes: 0 shut down, 2 usage, 65 corrupt or foreign data, 66 no such directory, 69 address in use,
73 cannot create, 74 I/O error, 75 locked by another process, 77 permission denied.

  nokv coordinator --config ./raft_config.example.json
`;

const options: OptionTable = {
  ...topologyOptions,
  id: "value",
  workdir: "value",
  addr: "value",
  "metrics-addr": "value",
  "cluster-id": "value",
  replicas: "value",
  "store-down-after": "value",
  "accept-clock": "flag",
  "with-stdin": "flag",
  ...failpointOptions,
};

const defaultWorkdir = "./work_coordinator";
const defaultAddress = { host: "127.0.0.1", port: 2379 };

export const coordinatorCommand: Command = {
  usage,
  run: (argv, context) => coordinator(parseOptions(argv, options), context),
};

async function coordinator(given: Options, context: Context): Promise<ExitCode> {
  const topology = readTopologyFile(given);
  const place = topology === null ? null : placeOf(topology, given.integer("id", 1, 1_000));
  const members = topology?.coordinators ?? [];
  const listen = given.address("addr") ?? place?.listen ?? defaultAddress;
  const diagnostics = given.address("metrics-addr") ?? place?.metrics ?? null;
  const clusterId = given.text("cluster-id") ?? topology?.clusterId ?? "nokv";
  const replicas = given.integer("replicas", 0, 15) ?? replicasOf(topology);
  const downAfterMs = given.durationMs("store-down-after") ?? coordinatorDefaults.liveness.downAfterMs;
  const asked = given.text("workdir");
  // What a file names may be several directories deep; what is typed may be mistyped.
  if (asked === null && place !== null) mkdirSync(dirname(place.workDir), { recursive: true });
  const workDir = resolveWorkdir(asked ?? place?.workDir ?? defaultWorkdir);
  await probeAddress(listen, place === null ? undefined : "does it run already?");
  return runService(context, {
    place: workDir,
    untilStdinEnds: given.has("with-stdin"),
    given,
    open: (env, onFatal) =>
      openCoordinatorNode(env, {
        workDir,
        listen,
        clusterId,
        firstRegions: topology?.regions.map(({ region }) => region) ?? [],
        replicas,
        coordinator: withMerges(withLimits(downAfterMs, given.has("accept-clock")), topology),
        owner: ownerText(),
        diagnostics,
        group: place === null || place.memberId === 0 ? null : { memberId: place.memberId, members },
        onFatal,
      }),
    announce: (node) => {
      const { version } = context.build();
      const metrics = node.diagnostics === null ? "" : `, metrics ${formatAddress(node.diagnostics.address)}`;
      const where = `listening on ${formatAddress(node.address)}, workdir ${workDir}${metrics}`;
      context.terminal.out(`nokv coordinator ${version}: ${where}, cluster ${clusterId}, pid ${process.pid}\n`);
    },
  });
}

function placeOf({ coordinators }: Topology, id: number | null): CoordinatorPlace {
  const [first] = coordinators;
  const alone = first?.memberId === 0 ? first : null;
  if (alone !== null && id === null) return alone;
  if (alone !== null) throw new CommandError(exitCode.usage, "--id: the file names one Coordinator, which has no id");
  const ids = coordinators.map(({ memberId }) => memberId).join(", ");
  if (id === null) throw new CommandError(exitCode.usage, `--id: say which member this is, one of ${ids}`);
  const place = coordinators.find(({ memberId }) => memberId === id);
  if (place !== undefined) return place;
  throw new CommandError(exitCode.usage, `--id ${id}: the file's members are ${ids}`);
}

/** As many as the regions of the first day have; 0 where they differ, or there are none: then nobody knows. */
function replicasOf(topology: Topology | null): number {
  const counts = new Set(topology?.regions.map(({ region }) => region.peers.length));
  const [count = 0] = counts;
  return counts.size === 1 && count > 1 ? count : 0;
}

/** A store that is given up soon is also called silent soon, and its peers are believed sooner. */
function withLimits(downAfterMs: number, acceptsClock: boolean): CoordinatorOptions {
  const { clock, liveness, scheduler } = coordinatorDefaults;
  return {
    clock: acceptsClock ? { ...clock, stoppedMsMax: 0 } : clock,
    liveness: { disconnectedAfterMs: Math.min(liveness.disconnectedAfterMs, downAfterMs), downAfterMs },
    scheduler: { ...scheduler, silentMs: Math.min(scheduler.silentMs, downAfterMs) },
  };
}
