import { checkOptions } from "../../core/engine/arguments.ts";
import { NokvError } from "../../core/errors.ts";
import { type DiskFaults, diskFaultsNone } from "../disk/disk-faults.ts";
import type { CrashKind } from "../incarnation.ts";
import { type NetworkFaults, networkFaultsNone } from "../network/network-faults.ts";
import type { CrashOptions, NetworkOptions, SwarmOptions } from "../swarm.ts";

/**
 * What may go wrong while a program runs. A kind that is not named never happens. `true`: as each seed draws, whether
 * at all and how often, so that some seeds have many crashes, some one, some only slow disks. Numbers hold on all
 * seeds.
 */
export interface FaultPlan {
  /** Processes end, between any two things they do and inside any call that they make to their machine. */
  readonly crashes?: true | CrashPlan | undefined;
  /** A process gets no turn for a while; clocks and the others go on. */
  readonly pauses?: true | EpisodePlan | undefined;
  /** Wall clocks are wrong and jump, all clocks drift and stand still. */
  readonly clocks?: true | undefined;
  /**
   * EIO, ENOSPC, EMFILE, failing and slow syncs, short reads and writes, wrong bytes that a second read does not show.
   */
  readonly disks?: true | Partial<DiskFaults> | undefined;
  /** Latency, broken and refused connections, bytes that arrive in pieces. */
  readonly network?: true | Partial<NetworkFaults> | undefined;
  /** Between a machine and another one nothing gets through for a while, in one direction or both. */
  readonly partitions?: true | EpisodePlan | undefined;
}

export interface CrashPlan {
  /** Mean time between two on one machine. */
  readonly everyMs: number;
  /** `process`: the system lives on, and with it what was written; `power`: only what was synced survives. Both. */
  readonly kinds?: readonly CrashKind[] | undefined;
}

export interface EpisodePlan {
  /** Mean time between two on one machine. */
  readonly everyMs: number;
  readonly lengthMsMax: number;
}

const kindNames = ["crashes", "pauses", "clocks", "disks", "network", "partitions"];
const crashKinds: readonly CrashKind[] = ["process", "power"];

/** Throws `NOKV_INVALID_ARGUMENT` for a plan that makes no sense. */
export function checkFaultPlan(plan: FaultPlan): void {
  checkOptions(plan, "faults", kindNames);
  const { crashes, pauses, clocks, disks, network, partitions } = plan;
  if (isGiven(crashes)) {
    checkOptions(crashes, "faults.crashes", ["everyMs", "kinds"]);
    checkMs(crashes.everyMs, "faults.crashes.everyMs");
    const { kinds = crashKinds } = crashes;
    if (kinds.length === 0 || kinds.some((kind) => !crashKinds.includes(kind))) {
      throw invalid(`faults.crashes.kinds is ${JSON.stringify(kinds)}; list "process", "power" or both`);
    }
  }
  for (const [name, episodes] of Object.entries({ pauses, partitions })) {
    if (!isGiven(episodes)) continue;
    checkOptions(episodes, `faults.${name}`, ["everyMs", "lengthMsMax"]);
    checkMs(episodes.everyMs, `faults.${name}.everyMs`);
    checkMs(episodes.lengthMsMax, `faults.${name}.lengthMsMax`);
  }
  if (isGiven(clocks)) throw invalid("faults.clocks must be true, or be left out");
  if (isGiven(disks)) checkOptions(disks, "faults.disks", Object.keys(diskFaultsNone));
  if (isGiven(network)) checkOptions(network, "faults.network", Object.keys(networkFaultsNone));
}

function checkMs(value: number, name: string): void {
  if (Number.isSafeInteger(value) && value >= 1) return;
  throw invalid(`${name} is ${String(value)}; it must be an integer of at least 1`);
}

function invalid(message: string): NokvError {
  return new NokvError("NOKV_INVALID_ARGUMENT", message);
}

/** The world of a seed with those faults that the plan names, and no others. */
export function bendTo(plan: FaultPlan): (drawn: SwarmOptions) => SwarmOptions {
  const { crashes, pauses, clocks, disks, network, partitions } = plan;
  const named = [crashes, pauses, clocks, disks, network, partitions].filter((kind) => kind !== undefined);
  return (drawn) => ({
    ...drawn,
    // Some seeds have no faults at all, unless numbers ask for them.
    faultFree: named.length === 0 || (drawn.faultFree && named.every((kind) => kind === true)),
    atRestCorruption: false,
    failpoints: [],
    crash: bendCrashes(drawn.crash, crashes),
    pause: pauses === true ? drawn.pause : { gapMs: pauses?.everyMs ?? 0, lengthMsMax: pauses?.lengthMsMax ?? 1 },
    clock: clocks === true ? drawn.clock : { ...drawn.clock, ...calmClock },
    disk: bendDisks(drawn.disk, disks),
    network: bendNetwork(drawn.network, network, partitions),
  });
}

const calmClock = { offsetMsMax: 0, driftPpmMax: 0, jumpGapMs: 0, freezeGapMs: 0 };

function bendCrashes(drawn: CrashOptions, plan: FaultPlan["crashes"]): CrashOptions {
  if (plan === true) return drawn;
  if (plan === undefined) return { ...drawn, gapMs: 0, callsMax: 0, afterSync: 0 };
  // Half of the crashes, about, come inside a call: those are the ones that nobody thinks of.
  return { ...drawn, kinds: plan.kinds ?? crashKinds, gapMs: plan.everyMs, callsMax: drawn.callsMax || 1_000 };
}

function bendDisks(drawn: SwarmOptions["disk"], plan: FaultPlan["disks"]): SwarmOptions["disk"] {
  if (plan === true) return { ...drawn, corruptGapMs: 0 };
  // What a power loss takes, and how long an operation takes, is how this machine is, and no fault.
  const { personality, lostWrite, tornWrite, garbageGap, entryLost, operationUs, syncUsMin, syncUsMax } = drawn.faults;
  const hardware = { personality, lostWrite, tornWrite, garbageGap, entryLost, operationUs, syncUsMin, syncUsMax };
  return { ...drawn, faults: { ...diskFaultsNone, ...hardware, ...plan }, fullGapMs: 0, corruptGapMs: 0 };
}

// oxlint-disable-next-line max-params
function bendNetwork(
  drawn: NetworkOptions,
  plan: FaultPlan["network"],
  partitions: FaultPlan["partitions"],
): NetworkOptions {
  const blocks = isGiven(partitions)
    ? { blockGapMs: partitions.everyMs, blockMsMax: partitions.lengthMsMax }
    : { blockGapMs: partitions === true ? drawn.blockGapMs : 0 };
  if (plan === true) return { ...drawn, ...blocks };
  return { ...drawn, faults: { ...networkFaultsNone, ...plan }, resetGapMs: 0, slowGapMs: 0, ...blocks };
}

/** Something other than `true` or nothing. */
function isGiven<T>(plan: T | true | undefined): plan is T {
  return plan !== undefined && plan !== true;
}
