import { TimestampModel } from "../sim/checkers/timestamp-model.ts";
import type { Dice } from "../sim/dice.ts";
import type { Scenario } from "../sim/scenario.ts";
import type { World } from "../sim/world.ts";
import { GarbageCollector } from "../txn/client/garbage-collector.ts";
import { TxnCluster } from "./txn-cluster.ts";
import { type TxnNetwork, type TxnStage, TxnUser, bytesOf } from "./txn-user.ts";
import { TxnWorkload, drawKinds, everyKey } from "./txn-workload.ts";

/** Whatever is waited for at the end, it comes within this. */
const settleMsMax = 120_000;
const calmDelayUs = 500;
const ttlMsLong = 3_000;

export const txnModel: Scenario = {
  name: "txn-model",
  why: "A transaction is all there or not at all, at one instant, whoever dies, splits or repeats in its midst.",
  weight: 2,
  run: (world) => new TxnModelRun(world, "any").run(),
};

export const txnSplits: Scenario = {
  name: "txn-splits",
  why: "Whatever waits in a region that is divided meanwhile is answered by the region that has its keys by then.",
  weight: 1,
  run: (world) => new TxnModelRun(world, "splits").run(),
};

/** What a run is bent to, because chance brings it together too rarely; "any": nothing. */
type TxnFocus = "any" | "splits";

class TxnModelRun {
  readonly #world: World;
  readonly #model = new TimestampModel();
  readonly #cluster: TxnCluster;
  readonly #stage: TxnStage;
  readonly #users: TxnUser[] = [];
  readonly #workload: TxnWorkload;
  readonly #nemesis: Dice;
  readonly #operations: number;
  readonly #regionsMax: number;
  readonly #gcLagMs: number;
  /** Regions are divided when most is going on in them, and right after garbage was collected. */
  readonly #dividesAtWork: boolean;
  /** In the end all clients die at work, and somebody finds what they left. */
  readonly #allDie: boolean;
  #working = true;

  constructor(world: World, focus: TxnFocus) {
    this.#world = world;
    const plan = world.dice("plan");
    this.#nemesis = world.dice("nemesis");
    const slowest = plan.pick([100, 2_000, 50_000]);
    const isBent = focus === "splits";
    const applyUsMax = plan.pick([10, slowest, slowest * 4]);
    // Who waits for a timestamp has claimed its keys, and reads wait for it.
    const timestampUsMax = Math.max(plan.pick([10, slowest]), isBent ? 5_000 : 0);
    const answerMsMax = plan.pick([20, 200, 1_000]);
    const confirmUsMax = Math.min(applyUsMax, answerMsMax * 100);
    const deadlineMs = Math.max(answerMsMax, plan.pick([2, 10]) * Math.ceil((applyUsMax + timestampUsMax) / 1_000));
    this.#cluster = new TxnCluster(world, { applyUsMax, confirmUsMax, timestampUsMax, deadlineMs }, this.#model);
    this.#stage = {
      world,
      cluster: this.#cluster,
      txns: [],
      atomics: [],
      options: {
        ttlMs: plan.pick([20, 200, ttlMsLong]),
        deadlineMs: plan.pick([1_000, 5_000, 20_000]),
        pageEntriesMax: plan.pick([1, 3, 256]),
      },
      answerMsMax,
      network: drawNetwork(plan, slowest, world.options.faultFree),
    };
    this.#gcLagMs = plan.pick([0, 30, 300, 3_000]);
    this.#operations = plan.between(10, 60);
    this.#workload = new TxnWorkload(world.dice("workload"), {
      kinds: isBent ? [...drawKinds(plan), "atomic", "insert", "registers"] : drawKinds(plan),
      atomicsEverywhere: isBent,
      registers: plan.between(1, 6),
      serializable: plan.pick(["never", "always", "some"] as const),
      large: plan.chance(1, 3),
      fail: (message) => world.fail("bank", message),
    });
    const shape = world.dice("shape");
    this.#dividesAtWork = isBent && !world.options.faultFree;
    this.#regionsMax = isBent ? 16 : 5;
    this.#allDie = !world.options.faultFree && shape.chance(1, 2);
    for (let i = 1; i <= plan.between(2, 6); i++) this.#users.push(new TxnUser(this.#stage, i));
    for (let splits = plan.between(0, 3); splits > 0; splits--) this.#split(plan);
  }

  async run(): Promise<void> {
    const world = this.#world;
    const setUp = new TxnUser(this.#stage, 0);
    const faulty = this.#stage.network;
    this.#stage.network = calm(faulty);
    if (!(await this.#workload.setUp(setUp))) world.fail("liveness", "the accounts can not be opened");
    this.#stage.network = faulty;
    const working = Promise.all(this.#users.map((user) => this.#work(user)));
    const harming = world.options.faultFree ? Promise.resolve() : this.#harm();
    const collecting = this.#collectSometimes();
    const dividing = this.#dividesAtWork ? this.#divide() : Promise.resolve();
    await working;
    this.#working = false;
    await harming;
    await collecting;
    await dividing;
    if (this.#allDie) await Promise.all(this.#users.map((user) => this.#die(user)));
    this.#stage.network = calm(faulty);
    if (this.#allDie) await this.#inherit();
    await this.#cleanUp();
    world.story(this.#summary());
    const wrong = this.#model.judge(this.#stage.txns, this.#stage.atomics);
    if (wrong !== null) world.fail("timestamps", wrong);
  }

  async #work(user: TxnUser): Promise<void> {
    const canCrash = !this.#world.options.faultFree;
    for (let left = this.#operations; left > 0; left--) {
      if (canCrash && user.dice.chance(1, 12)) user.crashAfter(user.dice.skewed(1, 30));
      if (canCrash && user.dice.chance(1, 16)) {
        const { deadlineMs } = this.#stage.options;
        this.#world.after(user.dice.skewed(1, 100_000), () => {
          if (this.#working) user.deafen(user.dice.skewed(1, 2 * deadlineMs));
        });
      }
      await this.#workload.operate(user);
      if (user.dice.chance(1, 4)) await this.#world.sleep(user.dice.skewed(1, 200));
      const wrong = this.#cluster.mirrorDefect();
      if (wrong !== null) this.#world.fail("mirror", wrong);
    }
  }

  /** Works until it dies, which is soon. */
  async #die(user: TxnUser): Promise<void> {
    const lives = user.crashes;
    user.crashAfter(user.dice.skewed(1, 40));
    for (let left = 10; left > 0 && user.crashes === lives; left--) await this.#workload.operate(user);
  }

  /**
   * Each key is read by itself, the last one first: whatever stands in its way is somebody's who is dead, and nobody
   * has cleared up before it.
   */
  async #inherit(): Promise<void> {
    const heir = new TxnUser(this.#stage, this.#users.length + 4);
    for (const key of everyKey.toReversed()) {
      let isRead = false;
      for (let left = 20; left > 0 && !isRead; left--) isRead = await this.#workload.readOne(heir, key);
      if (!isRead) this.#world.fail("liveness", `${key} can not be read although nothing is broken`);
    }
  }

  /** Splits and changes of leaders, while clients work. */
  async #harm(): Promise<void> {
    const dice = this.#nemesis;
    const gapMs = dice.skewed(2, 500);
    while (this.#working) {
      await this.#world.sleep(dice.between(1, gapMs));
      if (dice.chance(1, 3)) this.#split(dice);
      else this.#cluster.changeLeader();
    }
  }

  #split(dice: Dice): void {
    if (this.#cluster.regionCount >= this.#regionsMax) return;
    this.#cluster.split(bytesOf(dice.pick(everyKey)));
  }

  async #divide(): Promise<void> {
    const dice = this.#world.dice("divide");
    const gapMs = dice.pick([5, 50, 500]);
    while (this.#working && this.#cluster.regionCount < this.#regionsMax) {
      await this.#world.sleep(dice.between(1, gapMs));
      this.#divideAtWork(dice);
    }
  }

  #divideAtWork(dice: Dice): void {
    if (this.#cluster.regionCount < this.#regionsMax) this.#cluster.splitAtWork(everyKey.map(bytesOf), dice);
  }

  async #collectSometimes(): Promise<void> {
    const dice = this.#nemesis;
    const lagMs = this.#gcLagMs;
    if (lagMs === 0) return;
    const collector = new TxnUser(this.#stage, this.#users.length + 1);
    while (this.#working) {
      await this.#world.sleep(dice.between(10, 1_000));
      await this.#collect(collector, this.#cluster.timestamp() - lagMs * 4_096, 5_000);
      if (dice.chance(1, 2)) this.#cluster.compact();
      if (this.#dividesAtWork) this.#divideAtWork(dice);
    }
  }

  async #collect(user: TxnUser, safePoint: number, deadlineMs: number): Promise<boolean> {
    const done = await user.perform<boolean>(deadlineMs, (calls, then) =>
      new GarbageCollector(calls, safePoint).run(then),
    );
    return done === true;
  }

  /** Nothing is broken any more: whatever was left behind is resolved and collected, and a transaction commits. */
  async #cleanUp(): Promise<void> {
    const world = this.#world;
    const user = new TxnUser(this.#stage, this.#users.length + 2);
    const stopProbing = this.#probe();
    // Old clients too: what they have cached of regions is as old as they are, and now wrong.
    this.#cluster.split(bytesOf("b"));
    for (const each of [user, ...this.#users]) {
      each.recover();
      const { name, outcome, refusal } = await this.#workload.last(each);
      if (outcome === "committed") continue;
      world.fail("liveness", `the last transaction, ${name}, was ${outcome} (${refusal ?? "nobody said why"})`);
    }
    await stopProbing();
    await world.sleep(2 * this.#stage.options.deadlineMs + 3 * this.#stage.network.lateUsMax / 1_000);
    if (!this.#users.every(({ isIdle }) => isIdle)) world.fail("liveness", "a client still waits for something");
    if (!(await this.#collect(user, this.#cluster.timestamp(), settleMsMax))) {
      world.fail("liveness", "garbage can not be collected although nothing is broken");
    }
    // What is on its way to a region whose answer nobody needed any more.
    await world.sleep(1_000);
    const left = this.#cluster.left();
    if (left !== null) world.fail("hygiene", left);
    const after = await this.#workload.readAll(user);
    if (after.reads.length + after.scans.length === 0) world.fail("liveness", "what is there can not be read");
  }

  /** Somebody reads all the while: locks with time to live are not in their owner's way because they are looked at. */
  #probe(): () => Promise<void> {
    const prober = new TxnUser(this.#stage, this.#users.length + 3);
    // Shorter lives may well be over before a slow region has answered.
    let isDone = this.#stage.options.ttlMs < ttlMsLong;
    const probe = async (): Promise<void> => {
      while (!isDone) await this.#workload.readAll(prober);
    };
    const probing = probe();
    return async () => {
      isDone = true;
      await probing;
    };
  }

  #summary(): string {
    const { txns, atomics } = this.#stage;
    const ended = (outcome: string): number => txns.filter((txn) => txn.outcome === outcome).length;
    const crashes = this.#users.reduce((sum, user) => sum + user.crashes, 0);
    return (
      `${ended("committed")} committed, ${ended("aborted")} aborted, ${ended("unknown")} unknown, ` +
      `${atomics.length} operations, ${crashes} crashes of clients, ${this.#cluster.splits} splits, ` +
      `${this.#cluster.leaderChanges} changes of leaders, ${this.#model.writeCount} versions`
    );
  }
}

function drawNetwork(plan: Dice, slowestUs: number, faultFree: boolean): TxnNetwork {
  const [lost, doubled] = [plan.pick([0, 5, 50]), plan.pick([0, 20, 200])];
  return {
    delayUsMax: slowestUs,
    lost: faultFree ? 0 : lost,
    doubled: faultFree ? 0 : doubled,
    stale: faultFree ? 0 : 100,
    lateUsMax: plan.pick([1_000, 100_000, 5_000_000]),
  };
}

function calm(network: TxnNetwork): TxnNetwork {
  return { ...network, delayUsMax: calmDelayUs, lost: 0, doubled: 0, stale: 0 };
}

