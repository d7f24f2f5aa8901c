import { extname, join } from "node:path";
import type { Command, Context } from "../command.ts";
import type { CoordinatorCount } from "../default-topology.ts";
import { type ExitCode, UsageError, exitCode } from "../exit-code.ts";
import { formatAddress } from "../listen-address.ts";
import { type OptionTable, type Options, parseOptions } from "../options.ts";
import { coordinatorName, Playground, type PlaygroundOrder } from "../playground.ts";

const usage = `usage: nokv playground [--workdir DIR] [options]

Runs a whole cluster on this machine: a Coordinator, three stores and a gateway for Redis clients, each a process of its
own. What dies is started again with what it had on disk; kill -9 one and see. Ctrl-C ends all of them in order, and
the next start goes on with the same data.

  --workdir DIR            topology, data and logs (default ./nokv-playground)
  --config FILE            another topology (default: cluster.json in the directory, written when missing)
  --base-port N            of a topology that is written: fourteen ports from N on, the first for Redis clients
  --coordinators 1|3       of a topology that is written: one Coordinator (the default), or a group of three, of which
                           any one may die: two processes more, and one more round trip per timestamp

Exit codes: 0 shut down, 2 usage, 66 no such file or directory, 69 address in use, 73 cannot create,
77 permission denied.

  nokv playground
  redis-cli -p 6380 set greeting hello
`;

const options: OptionTable = { workdir: "value", config: "value", "base-port": "value", coordinators: "value" };

const defaultWorkdir = "./nokv-playground";

type Asked = Pick<PlaygroundOrder, "basePort" | "coordinators">;

export const playgroundCommand: Command = {
  usage,
  run: (argv, context) => playground(parseOptions(argv, options), context),
};

async function playground(given: Options, context: Context): Promise<ExitCode> {
  const { terminal } = context;
  const asked: Asked = { basePort: given.integer("base-port", 1024, 65_500), coordinators: coordinatorsOf(given) };
  const cluster = new Playground({
    ...asked,
    workdir: given.text("workdir") ?? defaultWorkdir,
    config: given.text("config"),
    main: join(import.meta.dirname, `../main${extname(import.meta.filename)}`),
    tell: (line) => terminal.err(`nokv: ${line}\n`),
  });
  checkAsked(cluster, asked);
  await cluster.untilPortsAreFree();
  let stopped = false;
  const stop = new Promise<void>((done) => {
    context.onInterrupt(() => {
      stopped = true;
      done();
    });
  });
  terminal.out(`nokv playground: starting ${cluster.members.length} processes of ${cluster.configPath}\n`);
  cluster.start();
  await Promise.race([cluster.ready(() => stopped), stop]);
  if (!stopped) terminal.out(banner(cluster));
  await stop;
  terminal.out("nokv playground: shutting down\n");
  await cluster.stop();
  return exitCode.ok;
}

function coordinatorsOf(given: Options): CoordinatorCount | null {
  const count = given.oneOf("coordinators", ["1", "3"]);
  return count === null ? null : count === "3" ? 3 : 1;
}

/** A topology that is there says what the data beside it is: no option changes it. */
function checkAsked({ topology, configPath }: Playground, asked: Asked): void {
  const { length } = topology.coordinators;
  const port = topology.redis?.port ?? 0;
  const remedy = "leave the option out, or give another --workdir";
  if (asked.coordinators !== null && asked.coordinators !== length) {
    throw new UsageError(`--coordinators ${asked.coordinators}: ${configPath} has ${length}`, remedy);
  }
  if (asked.basePort !== null && asked.basePort !== port) {
    throw new UsageError(`--base-port ${asked.basePort}: ${configPath} has ${port}`, remedy);
  }
}

function banner({ topology, members, configPath }: Playground): string {
  const { coordinators, stores, redis, redisMetrics } = topology;
  const rows = [
    ...coordinators.map((place) => [coordinatorName(place), place.listen, place.metrics] as const),
    ...stores.map(({ storeId, listen, metrics }) => [`store-${storeId}`, listen, metrics] as const),
    ["gateway", redis ?? { host: "", port: 0 }, redisMetrics] as const,
  ].map(([name, listen, metrics], i) => {
    const tells = metrics === null ? "" : `http://${formatAddress(metrics)}/metrics`;
    const pid = String(members[i]?.pid ?? 0);
    return `  ${name.padEnd(12)} ${formatAddress(listen).padEnd(18)} pid ${pid.padEnd(8)} ${tells}\n`;
  });
  const port = redis?.port ?? 0;
  const page = redisMetrics === null ? "" : `  ${`http://${formatAddress(redisMetrics)}/`.padEnd(38)} see it\n`;
  return `nokv playground: ready

${rows.join("")}
  ${`redis-cli -p ${port} set greeting hello`.padEnd(38)} talk to it
${page}  ${`kill -9 ${members[coordinators.length]?.pid ?? 0}`.padEnd(38)} lose a store; it comes back with its data
  ${"Ctrl-C".padEnd(38)} end all of it; the next start goes on

topology: ${configPath}
`;
}
