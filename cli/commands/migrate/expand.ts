import { contentText } from "../../../core/bytes/content-hash.ts";
import { expand } from "../../../node/migrate/expand.ts";
import type { ExpandedRegion } from "../../../node/migrate/region-expansion.ts";
import { abortExpansion } from "../../../node/migrate/members.ts";
import type { LedRegion } from "../../../node/survey.ts";
import type { Command, Context } from "../../command.ts";
import { type ExitCode, exitCode } from "../../exit-code.ts";
import { type OptionTable, type Options, parseOptions } from "../../options.ts";
import {
  clusterExits,
  clusterOptions,
  clusterUsage,
  ledJson,
  ledLine,
  regionOption,
  storesOption,
  withCluster,
} from "./cluster.ts";

const usage = `usage: nokv migrate expand --config FILE --to STORES [--region N|all] [options]

Brings a voter of each region to each of the stores: learners first, whose content is compared with their leader's when
they follow it, and then one change of the voters. The stores and the Coordinator run, and may be used meanwhile. An
interruption anywhere is answered by the same command.

${clusterUsage}  --to STORES              such as 2,3
  --region N|all           which region (default all)
  --allow-two              two voters: the end of either stops the region
  --abort                  take back what was not promoted yet: the learners go

${clusterExits}
  nokv migrate expand --config ./raft_config.json --to 2,3
`;

const options: OptionTable = {
  ...clusterOptions, to: "value", region: "value", "allow-two": "flag", abort: "flag",
};

export const expandCommand: Command = {
  usage,
  run: (argv, context) => run(parseOptions(argv, options), context),
};

async function run(given: Options, { terminal }: Context): Promise<ExitCode> {
  const order = {
    stores: storesOption(given, "to"), regionId: regionOption(given), allowTwo: given.has("allow-two"),
  };
  if (given.has("abort")) {
    const regions = await withCluster(given, terminal, (world) => abortExpansion(world, order));
    terminal.out(given.has("json") ? `${JSON.stringify({ regions: regions.map(ledJson) })}\n` : abortText(regions));
    return exitCode.ok;
  }
  const regions = await withCluster(given, terminal, (world) => expand(world, order));
  terminal.out(given.has("json") ? `${JSON.stringify(expandJson(regions))}\n` : expandText(regions));
  return exitCode.ok;
}

export function abortText(regions: readonly LedRegion[]): string {
  return regions.map((led, at) => `Aborted[${at}]  ${ledLine(led)}\n`).join("");
}

export function expandText(regions: readonly ExpandedRegion[]): string {
  return regions
    .map((expanded, at) => {
      const { content } = expanded;
      const hash = content === null ? "" : `           content ${content.count} keys ${contentText(content)}\n`;
      return `Region[${at}]  ${ledLine(expanded)}\n${hash}`;
    })
    .join("");
}

export function expandJson(regions: readonly ExpandedRegion[]): object {
  return {
    regions: regions.map((expanded) => {
      const { content } = expanded;
      const sum = content === null ? null : { ...content, hash: contentText(content) };
      return { ...ledJson(expanded), content: sum };
    }),
  };
}
