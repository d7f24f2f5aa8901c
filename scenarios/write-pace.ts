import { type EngineOptions, engineOptionsDefault } from "../core/engine/options.ts";

/** µs that `bytes` may wait for at the slowest pace that the options allow: slow, and no failure. */
export function slowestUs({ slowestBytesPerSecond }: Partial<EngineOptions>, bytes: number): number {
  const pace = slowestBytesPerSecond ?? engineOptionsDefault.slowestBytesPerSecond;
  return Math.ceil((bytes * 1_000_000) / pace);
}
