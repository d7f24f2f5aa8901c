import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { ownerText } from "../../host/owner-text.ts";
import { openStoreNode } from "../../node/store-node.ts";
import type { Topology, StorePlace } from "../../node/topology.ts";
import type { Command, Context } from "../command.ts";
import { type ExitCode, UsageError } from "../exit-code.ts";
import { formatAddress, probeAddress } from "../listen-address.ts";
import { type OptionTable, type Options, parseOptions } from "../options.ts";
import { livePage } from "../live-page.ts";
import { failpointOptions, failpointUsage, runService } from "../service.ts";
import { readTopologyFile, topologyOptions, topologyUsage } from "../topology-file.ts";
import { tunedLimits } from "../tuned-limits.ts";
import { resolveWorkdir } from "../workdir.ts";

const usage = `usage: nokv serve --config FILE --store-id N [options]

Runs one store of a cluster: its replicas of regions, and the transactions of those that it leads. The first start in an
empty directory begins the regions that the topology gives it, once the Coordinator has said that this store was never
there before. SIGINT, SIGTERM and SIGHUP shut it down cleanly; a second one ends it at once.

${topologyUsage}  --store-id N             which of its stores this is; one that joins later needs --addr and --workdir
  --workdir DIR            where its data lives (default: the file's)
  --addr HOST:PORT         where to listen (default: the file's)
  --metrics-addr HOST:PORT a page that shows the cluster; /healthz, /readyz, /debug/vars, /metrics
  --tune NAME=N[,NAME=N]   limits of the engine, e.g. memtableBytes=16777216,level0TablesMax=8
  --with-stdin             end when stdin does, for supervisors
${failpointUsage}
Exit codes: 0 shut down, 2 usage, 65 corrupt or foreign data, 66 no such directory, 69 address in use,
73 cannot create, 74 I/O error, 75 locked by another process, 77 permission denied.

  nokv serve --config ./raft_config.example.json --store-id 1
`;

const options: OptionTable = {
  ...topologyOptions,
  "store-id": "value",
  workdir: "value",
  addr: "value",
  "metrics-addr": "value",
  tune: "value",
  "with-stdin": "flag",
  ...failpointOptions,
};

export const serveCommand: Command = {
  usage,
  run: (argv, context) => serve(parseOptions(argv, options), context),
};

async function serve(given: Options, context: Context): Promise<ExitCode> {
  const topology = readTopologyFile(given);
  if (topology === null) {
    throw new UsageError("--config: name the cluster's topology", "raft_config.example.json is one");
  }
  const place = placeOf(topology, given);
  const { storeId } = place;
  const listen = given.address("addr") ?? place.listen;
  const diagnostics = given.address("metrics-addr") ?? place.metrics;
  const engine = tunedLimits(given.text("tune"));
  const asked = given.text("workdir");
  if (asked === null) mkdirSync(dirname(place.workDir), { recursive: true });
  const workDir = resolveWorkdir(asked ?? place.workDir);
  await probeAddress(listen, "does this store run already?");
  return runService(context, {
    place: workDir,
    untilStdinEnds: given.has("with-stdin"),
    given,
    open: (env, onFatal) =>
      openStoreNode(env, {
        storeId, topology, workDir, listen, address: place.address, diagnostics, page: livePage(),
        engine: { ...engine, owner: ownerText() }, onFatal,
      }),
    announce: (node) => {
      const { version } = context.build();
      const metrics = node.diagnostics === null ? "" : `, metrics ${formatAddress(node.diagnostics.address)}`;
      const regions = `${node.store.regions().length} regions`;
      const where = `listening on ${formatAddress(node.address)}, workdir ${workDir}${metrics}`;
      context.terminal.out(`nokv serve ${version}: store ${storeId}, ${regions}, ${where}, pid ${process.pid}\n`);
    },
  });
}

/** A store that joins later need not be in the file: the others learn its address from the Coordinator. */
function placeOf(topology: Topology, given: Options): StorePlace {
  const storeId = given.integer("store-id", 1, Number.MAX_SAFE_INTEGER);
  const known = topology.stores.map((store) => store.storeId).join(", ");
  const place = topology.stores.find((store) => store.storeId === storeId);
  if (place !== undefined) return place;
  if (storeId === null) throw new UsageError("--store-id: say which store this is", `the file has ${known}`);
  const address = given.address("addr");
  const workDir = given.text("workdir");
  if (address !== null && workDir !== null) return { storeId, address, listen: address, workDir, metrics: null };
  const remedy = `it has ${known}; a store that joins later names its --addr and --workdir`;
  throw new UsageError(`--store-id: the file has no store ${storeId}`, remedy);
}
