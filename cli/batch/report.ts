import { styleText } from "node:util";
import type { Build } from "../build.ts";
import { duration, grouped } from "./progress.ts";
import type { SeedReport } from "./run-seed.ts";
import { type BatchSummary, type BatchVerdict, seedsToReachAll, seedsToSeeEveryFault } from "./tally.ts";

/** Inner width of the box; longer lines are folded. */
const boxChars = 96;
/** Lines of the story that a report shows: how it ended matters most. */
const storyLinesMax = 5;
const failuresListedMax = 20;

/** The command that runs this seed again. */
export function replayCommand({ seed, scenario }: { seed: number; scenario: string }): string {
  return `npx -y pnpm@12 sim --seed ${seed}${scenario === "" ? "" : ` --scenario ${scenario}`}`;
}

export function cleanSeed(report: SeedReport): string {
  const { seed, scenario, traceHash, events, calls, faults, twice, why } = report;
  const times = `${duration(report.simulatedMs)} simulated in ${duration(report.wallMs)}`;
  const lines = [
    `seed ${seed}  scenario ${scenario}: ${why}`,
    `clean  trace ${traceHash}${twice ? " (the same when run twice)" : ""}`,
    `${grouped(events)} events, ${grouped(calls)} env calls, ${times}`,
    `faults injected: ${faultList(faults)}`,
  ];
  return `${lines.join("\n")}\n`;
}

/** A red box with the oracle, the end of the story and the faults; the replay command alone in the end. */
export function failedSeed(report: SeedReport, build: Build, colors: boolean): string {
  const { seed, scenario, verdict, oracle, message, story, why, traceHash, simulatedMs, faults } = report;
  const body = [
    `seed ${seed}  scenario ${scenario === "" ? "as the seed picks" : scenario}`,
    ...(message ?? "").split("\n"),
    "",
    `why it matters: ${why}`,
    ...story.slice(-storyLinesMax).map((line) => `  ${line}`),
    `after ${duration(simulatedMs)} simulated, trace ${traceHash === "" ? "unknown" : traceHash}`,
    `faults injected: ${faultList(faults)}`,
  ];
  const title = verdict === "nondeterminism" ? "NOT DETERMINISTIC" : `VIOLATION of ${oracle ?? "nothing"}`;
  const box = drawBox(title, body);
  const red = colors ? styleText("red", box, { validateStream: false }) : box;
  return `${red}\nnode ${build.node}, commit ${build.commit}\n${replayCommand(report)}\n`;
}

export function batchReport(summary: BatchSummary, build: Build, colors: boolean): string {
  const { seeds, from, wallMs, events, simulatedMs, twice, violations } = summary;
  const speed = `${duration(wallMs)} (${summary.seedsPerSecond}/s)`;
  const lines = [
    `${grouped(seeds)} seeds from ${from} in ${speed}, ${grouped(twice)} run twice`,
    `${grouped(events)} events, ${duration(simulatedMs)} simulated`,
    ...Object.entries(summary.perScenario).map(([name, tally]) => {
      const failing = tally.violations === 0 ? "clean" : `${tally.violations} failing`;
      const reached = Object.entries(tally.reached).map(([what, count]) => `, ${what} in ${grouped(count)}`);
      return `  ${name.padEnd(28)} ${grouped(tally.seeds).padStart(7)} seeds  ${failing}${reached.join("")}`;
    }),
    `faults injected: ${faultList(summary.faults)}`,
  ];
  if (summary.scenario === null && summary.never.length > 0) {
    const enough = summary.verdict === "fault-missing";
    const where = enough ? `, in ${grouped(seedsToSeeEveryFault)} seeds or more` : "";
    lines.push(`never injected${where}: ${summary.never.join(", ")}`);
  }
  if (summary.unreached.length > 0) {
    lines.push(`never reached, in ${seedsToReachAll} seeds or more: ${summary.unreached.join(", ")}`);
  }
  const [first] = violations;
  if (first === undefined) {
    lines.push(verdictWithoutViolations(summary.verdict));
    return `${lines.join("\n")}\n`;
  }
  for (const { seed, scenario, oracle, message } of violations.slice(0, failuresListedMax)) {
    lines.push(`  seed ${seed} ${scenario}: ${oracle ?? ""}: ${(message ?? "").split("\n")[0] ?? ""}`);
  }
  const unlisted = violations.length - failuresListedMax;
  if (unlisted > 0) lines.push(`  and ${unlisted} more`);
  return `${lines.join("\n")}\n${failedSeed(first, build, colors)}`;
}

function verdictWithoutViolations(verdict: BatchVerdict): string {
  if (verdict === "fault-missing") return "FAILED: a fault that is never injected is not survived";
  if (verdict === "unreached") return "FAILED: what a scenario never gets to, it says nothing of";
  return "clean";
}

function faultList(faults: Readonly<Record<string, number>>): string {
  const parts = Object.entries(faults).map(([kind, count]) => `${kind} ${grouped(count)}`);
  return parts.length === 0 ? "none" : parts.join(", ");
}

function drawBox(title: string, body: readonly string[]): string {
  const rows = body.flatMap((line) => fold(line, boxChars));
  const top = `┌─ ${title} ${"─".repeat(Math.max(0, boxChars - title.length - 1))}┐`;
  const middle = rows.map((row) => `│ ${row.padEnd(boxChars)} │`);
  return [top, ...middle, `└${"─".repeat(boxChars + 2)}┘`].join("\n");
}

/** Cuts a line at spaces where it can, anywhere where it must. */
function fold(line: string, width: number): string[] {
  const rows: string[] = [];
  let rest = line;
  while (rest.length > width) {
    const space = rest.lastIndexOf(" ", width);
    const cut = space > width / 2 ? space : width;
    rows.push(rest.slice(0, cut));
    rest = `  ${rest.slice(cut).trimStart()}`;
  }
  return [...rows, rest];
}
