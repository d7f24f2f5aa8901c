import type { Env } from "../core/env/env.ts";
import type { Scenario } from "../sim/scenario.ts";
import type { World } from "../sim/world.ts";
import { NodeSeat, type SeatStage } from "./cluster-seat.ts";
import { ClusterBackend, type ClusterGateway } from "./gateway-cluster.ts";
import { gatewayPort } from "./gateway-run.ts";
import { ListUser, Lists } from "./list-users.ts";

const faultsMsMax = 60_000;
/** Once nothing is wrong, everything that there is can be read within this. */
const recoveryMsMax = 120_000;

export const isolation: Scenario = {
  name: "isolation",
  why: "Transactions look as if they ran one after the other, or on snapshots where they asked for no more.",
  weight: 2,
  run: (world) => new IsolationRun(world).run(),
};

/** Users of lists on one gateway before regions without disk and consensus. */
class IsolationRun {
  readonly #world: World;
  readonly #stage: SeatStage;
  readonly #backend: ClusterBackend;
  readonly #gateway: NodeSeat<ClusterGateway>;
  readonly #lists: Lists;
  readonly #users: readonly ListUser[];
  readonly #gapMsMax: number;
  readonly #faultsMs: number;

  constructor(world: World) {
    const plan = world.dice("plan");
    this.#world = world;
    this.#stage = { world, closing: false, calm: false };
    this.#backend = new ClusterBackend(world, plan);
    this.#gateway = new NodeSeat(this.#stage, "node", 0, (env: Env) => {
      return this.#backend.open(env, { gateway: { protectedMode: false } });
    });
    this.#lists = new Lists(world, world.dice("workload"));
    this.#users = Array.from({ length: plan.between(2, 6) }, (_, at) => {
      return new ListUser(this.#lists, at + 1, this.#gateway, gatewayPort);
    });
    this.#gapMsMax = plan.pick([1, 20, 500]);
    this.#faultsMs = plan.between(2_000, faultsMsMax);
    world.story(`${this.#users.length} users of ${this.#lists.workload}; ${this.#backend.plan}`);
  }

  async run(): Promise<void> {
    const world = this.#world;
    const running = this.#gateway.keepRunning();
    world.startFaults(this.#gateway.machine, ...this.#backend.others);
    this.#backend.begin();
    const untilUs = world.nowUs + this.#faultsMs * 1_000;
    await Promise.all(
      this.#users.map(async (user) => {
        while (world.nowUs < untilUs && !this.#lists.isFull) {
          await user.operate();
          await world.sleep(user.dice.skewed(1, this.#gapMsMax + 1));
        }
      }),
    );
    world.stopFaults();
    this.#backend.end();
    this.#stage.calm = true;
    // What nobody was told of may still come.
    await world.sleep(this.#backend.graceMs);
    const deadlineUs = world.nowUs + recoveryMsMax * 1_000;
    while (!(await this.#users[0]?.readAll())) {
      if (world.nowUs > deadlineUs) world.fail("liveness", "the lists can not be read although nothing is wrong");
      await world.sleep(200);
    }
    this.#stage.closing = true;
    this.#gateway.stop();
    await running;
    this.#lists.judge();
  }
}
