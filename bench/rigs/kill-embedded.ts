import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Xorshift } from "../xorshift.ts";
import { Lineage, Writer } from "./lineage.ts";

export interface EmbeddedKillOptions {
  readonly rounds: number;
  readonly seed: number;
  /** The kill lands after a random number of acknowledgements up to this, and a moment later. */
  readonly operationsPerRound: number;
  readonly parent: string;
  readonly report: (round: number, report: EmbeddedKillReport) => void;
}

export interface EmbeddedKillReport {
  readonly rounds: number;
  readonly acknowledged: number;
  readonly verified: number;
}

export const embeddedKillDefaults: EmbeddedKillOptions = {
  rounds: 500,
  seed: 1,
  operationsPerRound: 600,
  parent: tmpdir(),
  report: () => {},
};

/**
 * Kills a process that writes through the embedded API, with SIGKILL, again and again on one directory: sets,
 * deletes, batches, lifetimes, range deletes, values in the value log. What the next process finds must be the
 * outcome of a prefix with everything that was acknowledged, at every durability level.
 */
export async function embeddedKillRounds(options: EmbeddedKillOptions): Promise<EmbeddedKillReport> {
  const parent = mkdtempSync(join(options.parent, "nokv-kill-embedded-"));
  const random = new Xorshift(options.seed);
  const lineage = new Lineage(options.seed);
  let acknowledged = 0;
  for (let round = 1; round <= options.rounds; round++) {
    const durability = random.below(4) === 0 ? "none" : "sync";
    const writer = new Writer({
      directory: join(parent, "db"),
      seed: options.seed,
      first: lineage.next,
      count: 1_000_000,
      durability,
    });
    const before = lineage.next - 1;
    const killAt = before + 1 + random.below(options.operationsPerRound);
    writer.onLine = () => {
      if (writer.acknowledged >= killAt) writer.child.kill("SIGKILL");
    };
    await writer.exited;
    lineage.found(writer);
    lineage.wrote(writer);
    acknowledged += Math.max(0, writer.acknowledged - before);
    options.report(round, { rounds: round, acknowledged, verified: lineage.verified });
  }
  const look = { seed: options.seed, first: 0, count: 0, durability: "sync" } as const;
  const last = new Writer({ ...look, directory: join(parent, "db") });
  await last.exited;
  lineage.found(last);
  rmSync(parent, { recursive: true, force: true });
  return { rounds: options.rounds, acknowledged, verified: lineage.verified };
}
