import type { Env } from "../core/env/env.ts";
import type { NokvError } from "../core/errors.ts";
import { openHostEnv } from "../host/env.ts";
import type { Context } from "./command.ts";
import { describeError, type ExitCode, UsageError, exitCode, exitCodeOf } from "./exit-code.ts";
import type { OptionTable, Options } from "./options.ts";

/** What a server is to the process that runs it. */
export interface Service {
  close(): Promise<void>;
  /** What it can not serve without, and does not have; empty: it serves. */
  waitingFor?(): readonly string[];
}

export interface ServiceOrder<T extends Service> {
  /** For messages: where its data is. */
  readonly place: string;
  /** `fatal` may be called once, when the service is of no use any more. */
  readonly open: (env: Env, fatal: (error: NokvError) => void) => Promise<T>;
  readonly announce: (service: T) => void;
  /** Somebody stands behind stdin; when it ends, so does the service: nothing outlives a supervisor that was killed. */
  readonly untilStdinEnds: boolean;
  /** With `failpointOptions`. */
  readonly given: Options;
}

/** What a server creates is for its own user only. */
const privateMask = 0o077;

/** Whoever waits for so long says so, and what for. */
const waitingMs = 5_000;

/** Opens a service, runs it until a signal or a failure, and closes it. */
export async function runService<T extends Service>(context: Context, order: ServiceOrder<T>): Promise<ExitCode> {
  process.umask(privateMask);
  const stop = new Promise<null>((resolve) => {
    // From here on, so that a signal during recovery ends in a clean shutdown too.
    context.onInterrupt(() => resolve(null));
    if (order.untilStdinEnds) process.stdin.on("end", () => resolve(null)).on("error", () => resolve(null)).resume();
  });
  let fail: (error: NokvError) => void = () => {};
  const failure = new Promise<NokvError>((resolve) => {
    fail = resolve;
  });
  const service = await order.open(armedEnv(order.given), (error) => fail(error));
  order.announce(service);
  const timer = tellWaiting(context, order.place, service);
  const error = await Promise.race([stop, failure]);
  clearInterval(timer);
  if (error === null) {
    await service.close();
    return exitCode.ok;
  }
  context.terminal.err(`nokv: ${order.place}: ${describeError(error)}; shutting down\n`);
  await service.close();
  return exitCodeOf(error);
}

/** Not what it waits for in passing: a line for each change that lasts. */
function tellWaiting(context: Context, place: string, service: Service): NodeJS.Timeout {
  let told = "";
  return setInterval(() => {
    const waits = service.waitingFor?.().join(", ") ?? "";
    if (waits === told) return;
    told = waits;
    context.terminal.err(`nokv: ${place}: ${waits === "" ? "serves now" : `waits for ${waits}`}\n`);
  }, waitingMs).unref();
}

export const failpointOptions: OptionTable = { failpoint: "value" };

export const failpointUsage = `  --failpoint NAME=ACTION  bend reality at named places, as NOKV_FAILPOINTS does:
                           NAME=ACTION[,NAME=ACTION], an ACTION is [N%][N*]crash|error|delay
`;

/** The real world, bent where the command's arguments or the environment say so. */
export function armedEnv(given: Options): Env {
  const asked = given.text("failpoint");
  const ambient = process.env["NOKV_FAILPOINTS"] ?? "";
  const texts = [ambient, asked ?? ""].filter((text) => text !== "");
  try {
    return openHostEnv({ failpoints: texts.length === 0 ? null : texts.join(",") });
  } catch (error) {
    const source = asked === null ? "NOKV_FAILPOINTS" : "--failpoint";
    if (error instanceof RangeError) throw new UsageError(`${source}: ${error.message}`);
    throw error;
  }
}
