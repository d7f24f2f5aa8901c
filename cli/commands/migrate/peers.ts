import { removePeer, transferLeader } from "../../../node/migrate/members.ts";
import type { LedRegion } from "../../../node/survey.ts";
import type { Command, Context } from "../../command.ts";
import { type ExitCode, exitCode } from "../../exit-code.ts";
import { type OptionTable, type Options, parseOptions } from "../../options.ts";
import { clusterExits, clusterOptions, clusterUsage, ledJson, ledLine, storeOption, withCluster } from "./cluster.ts";

const transferUsage = `usage: nokv migrate transfer-leader --config FILE --region N --to STORE [options]

Hands the leadership of a region over, and ends when the store leads and says so.

${clusterUsage}  --region N               which region
  --to STORE               who is to lead: it has a voter

${clusterExits}
  nokv migrate transfer-leader --config ./raft_config.json --region 1 --to 2
`;

const removeUsage = `usage: nokv migrate remove-peer --config FILE --region N --store STORE [options]

Removes a region's replica from a store: it hands leadership over, becomes a learner, and goes with its records. The
last voter stays.

${clusterUsage}  --region N               which region
  --store STORE            which store is to have nothing of it
  --allow-two              leave two voters: the end of either stops the region

${clusterExits}
  nokv migrate remove-peer --config ./raft_config.json --region 1 --store 1
`;

const transferOptions: OptionTable = { ...clusterOptions, region: "value", to: "value" };
const removeOptions: OptionTable = { ...clusterOptions, region: "value", store: "value", "allow-two": "flag" };

export const transferLeaderCommand: Command = {
  usage: transferUsage,
  run: async (argv, { terminal }) => {
    const given = parseOptions(argv, transferOptions);
    const order = { regionId: storeOption(given, "region"), storeId: storeOption(given, "to") };
    return tell(given, terminal, await withCluster(given, terminal, (world) => transferLeader(world, order)));
  },
};

export const removePeerCommand: Command = {
  usage: removeUsage,
  run: async (argv, { terminal }) => {
    const given = parseOptions(argv, removeOptions);
    const allowTwo = given.has("allow-two");
    const order = { regionId: storeOption(given, "region"), storeId: storeOption(given, "store"), allowTwo };
    return tell(given, terminal, await withCluster(given, terminal, (world) => removePeer(world, order)));
  },
};

function tell(given: Options, terminal: Context["terminal"], led: LedRegion): ExitCode {
  terminal.out(given.has("json") ? `${JSON.stringify(ledJson(led))}\n` : `Region  ${ledLine(led)}\n`);
  return exitCode.ok;
}
