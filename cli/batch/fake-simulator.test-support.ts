import type { Scenario } from "../../sim/scenario.ts";
import type { SimResult, Simulator } from "../../sim/simulate.ts";

function fakeScenario(name: string, weight: number): Scenario {
  const why = `a fake that stands for ${name} in tests`;
  return { name, why, weight, run: () => Promise.resolve() };
}

/** Each fails in a known way; see `fakeSimulator`. */
export const steady: Scenario = fakeScenario("steady", 3);
export const broken: Scenario = fakeScenario("broken", 1);
export const flaky: Scenario = fakeScenario("flaky", 1);
export const deadly: Scenario = fakeScenario("deadly", 1);
export const endless: Scenario = fakeScenario("endless", 1);

/** The one seed that `deadly` and `endless` do not survive, and of which `broken` is every multiple. */
export const badSeed = 7;

let flakyRuns = 0;

/** Answers at once, without a world. Tells `trace` "call N", after the first 2,500 with the flaw. */
export const fakeSimulator: Simulator = (scenario, seed, { trace, traceCalls }) => {
  const flaw = scenario === flaky ? `-${flakyRuns++}` : "";
  if (scenario === deadly && seed === badSeed) process.exit(9);
  if (scenario === endless && seed === badSeed) for (;;) void seed;
  for (let call = traceCalls?.from ?? 1; call <= (traceCalls?.to ?? 0); call++) {
    trace?.(`call ${call}${call > 2_500 ? flaw : ""}`);
  }
  const failed = scenario === broken && seed % badSeed === 0;
  const result: SimResult = {
    seed,
    scenario: scenario.name,
    verdict: failed ? "violation" : "clean",
    oracle: failed ? "acked-is-durable" : null,
    message: failed ? `key "k${seed}" was acknowledged and is gone` : null,
    story: failed ? [1, 2, 3, 4, 5, 6, 7].map((line) => `story line ${line}`) : [],
    traceHash: `${seed.toString(16).padStart(16, "0")}${flaw}`,
    checkpoints: ["a", "b", `c${flaw}`],
    events: 10,
    calls: 3_000,
    simulatedMs: 1_500,
    faults: seed % 2 === 0 ? { "disk.torn-write": 2 } : { "disk.torn-write": 2, "net.reset": 1 },
    reached: Object.fromEntries((scenario.reaches ?? []).map((what) => [what, 0])),
    why: scenario.why,
  };
  return result;
};

/** Ends as if the host's clock advanced one millisecond at each look. */
export function tickingClock(): () => number {
  let now = 0;
  return () => now++;
}
