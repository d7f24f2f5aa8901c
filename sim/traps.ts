import { describeError } from "./defect.ts";

/** Something reached past the injected world. */
export class AmbientError extends Error {
  override readonly name = "AmbientError";
}

interface Trap {
  readonly target: object;
  readonly property: string;
  readonly name: string;
}

/** What a program may not see while it is simulated: the real clock, randomness, timers, network. */
function trappedFunctions(): Trap[] {
  const traps: Trap[] = [{ target: Math, property: "random", name: "Math.random" }];
  for (const name of ["setTimeout", "setInterval", "setImmediate", "fetch"]) {
    traps.push({ target: globalThis, property: name, name });
  }
  add(traps, "performance", ["now", "mark", "measure"]);
  add(traps, "crypto", ["getRandomValues", "randomUUID"]);
  add(traps, "process", ["hrtime", "uptime", "cpuUsage", "memoryUsage"]);
  add(traps, "AbortSignal", ["timeout"]);
  return traps;
}

function add(traps: Trap[], global: string, properties: readonly string[]): void {
  const target: unknown = Reflect.get(globalThis, global);
  const usable = (typeof target === "object" && target !== null) || typeof target === "function";
  if (!usable) return;
  for (const property of properties) traps.push({ target, property, name: `${global}.${property}` });
}

/**
 * Makes ambient time, randomness and I/O throw until the returned function is called. `report` hears of each
 * touch first, so swallowing the error does not hide it. `new Date(ms)` and `Date.UTC` are pure and stay.
 */
export function setTraps(report: (message: string) => void): () => void {
  const undo: (() => void)[] = [];
  const spring = (name: string): never => {
    const error = new AmbientError(`${name} called inside the simulation`);
    report(describeError(error));
    throw error;
  };
  for (const { target, property, name } of trappedFunctions()) {
    if (Reflect.has(target, property)) undo.push(replace(target, property, () => spring(name)));
  }
  undo.push(replace(globalThis, "Date", trappedDate(spring)));
  return () => {
    for (const restore of undo.toReversed()) restore();
  };
}

function trappedDate(spring: (name: string) => never): DateConstructor {
  return new Proxy(Date, {
    apply: () => spring("Date"),
    construct: (target, values: unknown[]) => {
      return values.length === 0 ? spring("new Date") : Reflect.construct(target, values);
    },
    get: (target, property) => {
      return property === "now" ? () => spring("Date.now") : Reflect.get(target, property);
    },
  });
}

/** Shadows a property and returns what puts back exactly what was there, inherited or own. */
function replace(target: object, property: string, value: unknown): () => void {
  const before = Reflect.getOwnPropertyDescriptor(target, property);
  Object.defineProperty(target, property, { value, configurable: true, writable: true });
  return () => {
    if (before === undefined) Reflect.deleteProperty(target, property);
    else Object.defineProperty(target, property, before);
  };
}
