import { versionMax } from "../../../core/bytes/record.ts";
import type { Expiry } from "../../../core/kv/kv.ts";
import type { Call } from "../call.ts";
import { errorText } from "../error-text.ts";

/** How a token says a lifetime: seconds or milliseconds, from now or since 1970. */
export interface LifetimeUnit {
  readonly factor: 1 | 1000;
  readonly absolute: boolean;
}

export const inSeconds: LifetimeUnit = { factor: 1000, absolute: false };
export const inMilliseconds: LifetimeUnit = { factor: 1, absolute: false };
export const atSecond: LifetimeUnit = { factor: 1000, absolute: true };
export const atMillisecond: LifetimeUnit = { factor: 1, absolute: true };

export const never: Expiry = { kind: "never" };
export const keep: Expiry = { kind: "keep" };

/** The option word at `index`, when it is one of EX PX EXAT PXAT. */
export function lifetimeOption(call: Call, index: number): LifetimeUnit | null {
  const { args } = call;
  if (args.is(index, "ex")) return inSeconds;
  if (args.is(index, "px")) return inMilliseconds;
  if (args.is(index, "exat")) return atSecond;
  return args.is(index, "pxat") ? atMillisecond : null;
}

/**
 * The lifetime at token `index`, at least `leastMs`; null when the request was answered with an error. Longer
 * than a record can hold, 285,000 years, is an error where Redis goes on to 292 million.
 */
export function readLifetime(
  call: Call,
  index: number,
  unit: LifetimeUnit,
  least: { readonly value: number; readonly command: string },
): Expiry | null {
  const value = call.args.integer(index);
  if (value === null) {
    call.error(errorText.notAnInteger);
    return null;
  }
  const amount = Number(value);
  const bound = Math.floor(versionMax / unit.factor);
  const ms = amount * unit.factor;
  const fits = amount >= least.value && amount <= bound && amount >= -bound;
  if (!fits || (!unit.absolute && ms + call.wallMs() > versionMax)) {
    call.error(`ERR invalid expire time in '${least.command}' command`);
    return null;
  }
  return unit.absolute ? { kind: "at", atMs: ms } : { kind: "after", ms };
}
