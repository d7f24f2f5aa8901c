import type { EngineOptions } from "../core/engine/options.ts";
import type { Env } from "../core/env/env.ts";
import { openRedisNode } from "../node/redis-node.ts";
import type { ClockReadings } from "../sim/checkers/lifetime.ts";
import type { Dice } from "../sim/dice.ts";
import type { Scenario } from "../sim/scenario.ts";
import type { World } from "../sim/world.ts";
import { drawEngineOptions } from "./engine-sizes.ts";
import { type GatewayBackend, gatewayPort, GatewayRun, type ServingNode } from "./gateway-run.ts";
import { recordClock } from "./recording-clock.ts";

const workdir = "/data";

export const gatewayClients: Scenario = {
  name: "gateway-clients",
  why: "What a Redis client was told must stay true, however often its server and its connection break.",
  weight: 4,
  run: (world) => new GatewayRun(world, (...parts) => new EmbeddedBackend(...parts)).run(),
};

/** An engine in the server's process. */
class EmbeddedBackend implements GatewayBackend {
  readonly plan: string;
  readonly graceMs = 0;
  readonly unknownMax = Infinity;
  readonly judgesLifetimes = true;
  readonly others = [];
  readonly #world: World;
  readonly #readings: ClockReadings;
  readonly #engine: Partial<EngineOptions>;

  constructor(world: World, plan: Dice, readings: ClockReadings) {
    this.#world = world;
    this.#readings = readings;
    this.#engine = this.#drawEngine(plan);
    this.plan = JSON.stringify(this.#engine);
  }

  open(env: Env, config: Parameters<GatewayBackend["open"]>[1]): Promise<ServingNode> {
    return openRedisNode(recordClock(env, this.#world, this.#readings), {
      workdir,
      address: { host: "0.0.0.0", port: gatewayPort },
      engine: this.#engine,
      gateway: config.gateway,
      onFatal: (error) => config.onFatal(error),
    });
  }

  begin(): void {
    // The simulator's faults are all there are.
  }

  end(): void {
    // They end by themselves.
  }

  /** Weaker levels promise less than these oracles ask, unless nothing takes the page cache away. */
  #drawEngine(plan: Dice): Partial<EngineOptions> {
    const drawn = drawEngineOptions(this.#world, plan);
    const { crash, disk, faultFree } = this.#world.options;
    const cacheIsKept = faultFree || (!crash.kinds.includes("power") && disk.faults.syncFailed === 0);
    return cacheIsKept ? drawn : { ...drawn, durability: "sync" };
  }
}
