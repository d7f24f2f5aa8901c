import { type ContentSum, contentText, sameContent } from "../../../core/bytes/content-hash.ts";
import { type OnlineStatus, type Verified, onlineStatus, verifyCluster } from "../../../node/migrate/online.ts";
import { readMode } from "../../../node/mode/mode-file.ts";
import { resolveWorkdir } from "../../workdir.ts";
import type { Command, Context } from "../../command.ts";
import { type ExitCode, exitCode } from "../../exit-code.ts";
import { type OptionTable, type Options, parseOptions } from "../../options.ts";
import {
  clusterOptions,
  clusterUsage,
  ledJson,
  ledLine,
  regionOption,
  withLook,
  withReach,
} from "./cluster.ts";

const onlineOptions: OptionTable = { ...clusterOptions, region: "value", workdir: "value" };

const statusUsage = `usage: nokv migrate status --config FILE [options]

How far a running cluster is on its way from one store to several: its regions, their members, and what is next.

${clusterUsage}
Exit codes: 0 all is known, 2 usage, 69 somebody is silent or a region has no leader (the rest is shown).

  nokv migrate status --config ./raft_config.json
`;

const verifyUsage = `usage: nokv migrate verify --config FILE [--workdir DIR] [--region N|all] [options]

Reads a running cluster in independent ways: as a transaction through the leaders, and the records of each replica as
they lie there, at one timestamp, and compares their contents. With the directory of the seed also with what the
database showed before it became one, as of that moment.

${clusterUsage}  --workdir DIR            the directory of the seed's store, which may be in use
  --region N|all           which region (default all)

Exit codes: 0 the same everywhere, 1 the contents differ, 2 usage, 74 I/O error, 75 no answer within --wait.

  nokv migrate verify --config ./raft_config.json --workdir ./data
`;

export const clusterStatusCommand: Command = {
  usage: statusUsage,
  run: (argv, context) => statusOfCluster(parseOptions(argv, clusterOptions), context),
};

export const clusterVerifyCommand: Command = {
  usage: verifyUsage,
  run: (argv, context) => verifyRunning(parseOptions(argv, onlineOptions), context),
};

/** What was recorded when the directory became a seed. */
interface Recorded {
  readonly baseTs: number;
  readonly content: ContentSum;
}

/** `nokv migrate status --config FILE`: how far the running cluster is. */
async function statusOfCluster(given: Options, { terminal }: Context): Promise<ExitCode> {
  const status = await withLook(given, (look) => onlineStatus(look));
  terminal.out(given.has("json") ? `${JSON.stringify(statusJson(status))}\n` : statusText(status));
  return status.problems.length === 0 ? exitCode.ok : exitCode.unavailable;
}

export function statusText({ stage, regions, problems }: OnlineStatus): string {
  const lines = regions.map((status) => {
    const behind = status.members.map(({ storeId, applied }) => {
      return applied === null ? `store ${storeId} is silent` : `store ${storeId} at ${applied}`;
    });
    return `  - ${ledLine(status)} (${behind.join(", ")})\n`;
  });
  const told = problems.length === 0 ? "" : `Problems\n${problems.map((line) => `  - ${line}\n`).join("")}`;
  return `Stage    ${stage}\nNext     ${nextOf(stage)}\nRegions\n${lines.join("")}${told}`;
}

function nextOf(stage: OnlineStatus["stage"]): string {
  switch (stage) {
    case "seeded":
      return "nokv migrate expand --config FILE --to STORES";
    case "expanding":
      return "the same nokv migrate expand again, or with --abort";
    case "expanded":
      return "nokv migrate verify --config FILE";
    case "unknown":
      return "start the stores and the Coordinator";
  }
}

export function statusJson({ stage, regions, problems }: OnlineStatus): object {
  return {
    stage,
    next: nextOf(stage),
    regions: regions.map((status) => ({
      ...ledJson(status),
      members: status.members.map(({ storeId, peerId, role, applied }) => {
        return { store_id: storeId, peer_id: peerId, role, applied_index: applied };
      }),
    })),
    problems,
  };
}

/**
 * `nokv migrate verify --config FILE`: every region through its leader and on each replica; with the seed's directory,
 * as of the moment at which it became one, against what could be read there then.
 */
async function verifyRunning(given: Options, { terminal }: Context): Promise<ExitCode> {
  const asked = { regionId: regionOption(given), readTs: null };
  const { verified, recorded } = await withReach(given, terminal, async (world) => {
    const workdir = given.text("workdir");
    const mode = workdir === null ? null : readMode(world.env.disk, resolveWorkdir(workdir));
    const known = mode?.verify ?? null;
    const base = known === null || mode === null ? null : { baseTs: mode.baseTs, content: known };
    const found = await verifyCluster(world, { ...asked, readTs: base?.baseTs ?? null });
    return { verified: found, recorded: base };
  });
  const kept = recorded === null || sameContent(recorded.content, verified.content);
  terminal.out(given.has("json")
    ? `${JSON.stringify(verifiedJson(verified, recorded))}\n`
    : verifiedText(verified, recorded));
  return verified.same && kept ? exitCode.ok : exitCode.violation;
}

export function verifiedText(verified: Verified, recorded: Recorded | null): string {
  const lines = verified.regions.map(({ regionId, readTs, readings, differing }) => {
    const ways = readings.map(({ by, content }) => {
      const who = by === "scan" ? "scan through the leader" : `records of store ${by}`;
      return `    ${who.padEnd(24)}${sumText(content)}\n`;
    });
    const keys = differing.length === 0 ? "" : `    differs in ${differing.join(", ")}\n`;
    return `  - region ${regionId} at ${readTs}\n${ways.join("")}${keys}`;
  });
  const seed = recorded === null ? "" : `Recorded  ${sumText(recorded.content)} at ${recorded.baseTs}\n`;
  const kept = recorded === null || sameContent(recorded.content, verified.content);
  const verdict = verified.same && kept ? "the same everywhere" : "not the same";
  return `Regions\n${lines.join("")}Content   ${sumText(verified.content)}\n${seed}Verdict   ${verdict}\n`;
}

export function verifiedJson(verified: Verified, recorded: Recorded | null): object {
  const kept = recorded === null || sameContent(recorded.content, verified.content);
  return {
    same: verified.same && kept,
    content: sumJson(verified.content),
    recorded: recorded === null ? null : { base_ts: recorded.baseTs, ...sumJson(recorded.content) },
    regions: verified.regions.map(({ regionId, readTs, readings, differing }) => ({
      region_id: regionId,
      read_ts: readTs,
      readings: readings.map(({ by, content }) => {
        return { by: by === "scan" ? "scan" : `store ${by}`, ...sumJson(content) };
      }),
      differing_keys: differing,
    })),
  };
}

function sumText(content: ContentSum): string {
  return `${content.count} keys, ${content.bytes} bytes, ${contentText(content)}`;
}

function sumJson(content: ContentSum): { readonly count: number; readonly bytes: number; readonly hash: string } {
  return { count: content.count, bytes: content.bytes, hash: contentText(content) };
}
