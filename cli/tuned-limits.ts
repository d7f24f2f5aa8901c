import { checkOptions, type EngineOptions, engineOptionsDefault } from "../core/engine/options.ts";
import { NokvError } from "../core/errors.ts";
import { UsageError } from "./exit-code.ts";

const tunable = Object.entries(engineOptionsDefault).flatMap(([name, value]) =>
  typeof value === "number" && name !== "syncIntervalMs" ? [name] : [],
);

/** What `--tune` says: `NAME=N` pairs. Bounds are the engine's to check, together. */
export function tunedLimits(text: string | null): Partial<EngineOptions> {
  const limits = new Map<string, number>();
  for (const pair of text === null ? [] : text.split(",")) {
    const [, name, digits] = /^([A-Za-z0-9]+)=([0-9]{1,15})$/.exec(pair) ?? [];
    if (name === undefined) throw new UsageError(`--tune: "${pair}" is not NAME=N`, "such as memtableBytes=16777216");
    if (!tunable.includes(name)) throw new UsageError(`--tune: unknown limit ${name}`, `one of ${tunable.join(", ")}`);
    if (limits.has(name)) throw new UsageError(`--tune: ${name} is given twice`);
    limits.set(name, Number(digits));
  }
  const tuned: Partial<EngineOptions> = Object.fromEntries(limits);
  try {
    checkOptions(tuned);
  } catch (error) {
    if (error instanceof NokvError) throw new UsageError(`--tune: ${error.message}`);
    throw error;
  }
  return tuned;
}
