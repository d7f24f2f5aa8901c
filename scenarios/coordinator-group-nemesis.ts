import { memberAttemptMs } from "../coordinator/service/group-caller.ts";
import type { CoordinatorNode } from "../node/coordinator-node.ts";
import type { Dice } from "../sim/dice.ts";
import type { CrashKind } from "../sim/incarnation.ts";
import type { Machine } from "../sim/machine.ts";
import type { World } from "../sim/world.ts";
import type { NodeSeat } from "./cluster-seat.ts";
import type { GroupDeed, GroupPlan } from "./coordinator-group-plan.ts";

/** Misfortunes of a group, most of them its leader's. */
export class GroupNemesis {
  readonly #world: World;
  readonly #plan: GroupPlan;
  readonly #seats: readonly NodeSeat<CoordinatorNode>[];
  readonly #callers: readonly Machine[];
  readonly #dice: Dice;
  #stopped = false;

  // oxlint-disable-next-line max-params
  constructor(world: World, plan: GroupPlan, seats: readonly NodeSeat<CoordinatorNode>[], callers: readonly Machine[]) {
    this.#world = world;
    this.#plan = plan;
    this.#seats = seats;
    this.#callers = callers;
    this.#dice = world.dice("deeds");
  }

  start(): void {
    if (this.#plan.deeds.length > 0) this.#later();
  }

  stop(): void {
    this.#stopped = true;
    for (const seat of this.#seats) seat.held = false;
    this.#heal();
  }

  #later(): void {
    const gapMs = Math.ceil(this.#plan.deedGapMsMax);
    this.#world.after(this.#dice.between(Math.ceil(gapMs / 8), gapMs) * 1_000, () => {
      if (this.#stopped) return;
      this.#do(this.#dice.pick(this.#plan.deeds));
      this.#later();
    });
  }

  #do(deed: GroupDeed): void {
    const dice = this.#dice;
    const victim = dice.pick(this.#seats);
    const leader = this.#leader() ?? victim;
    const kind = dice.pick<CrashKind>(["process", "power"]);
    const lengthMs = this.#lengthMs();
    switch (deed) {
      case "isolate-leader":
      case "isolate": {
        // Sometimes from the other members alone: clients still reach it, and it does not know that it is deposed.
        const { machine } = deed === "isolate" ? victim : leader;
        const others = dice.chance(1, 2) ? [] : this.#callers;
        return this.#cut(`${deed} ${machine.name}`, lengthMs, others, (a, b) => a === machine || b === machine);
      }
      case "one-way": {
        const deaf = dice.chance(1, 2);
        const { machine } = leader;
        const what = `${machine.name} is ${deaf ? "deaf" : "mute"}`;
        return this.#cut(what, lengthMs, [], (a, b) => (deaf ? b : a) === machine);
      }
      case "split": {
        const all = [...this.#seats.map(({ machine }) => machine), ...this.#callers];
        const left = all.filter(() => dice.chance(1, 2));
        const names = left.map(({ name }) => name).join(",");
        const apart = (a: Machine, b: Machine): boolean => left.includes(a) !== left.includes(b);
        return this.#cut(`split ${names} from the others`, lengthMs, this.#callers, apart);
      }
      case "crash-leader":
        return this.#crash([leader], kind, dice.chance(1, 2) ? 0 : lengthMs);
      case "crash-all":
        return this.#crash(this.#seats, "process", 0);
      case "power-off-all":
        return this.#crash(this.#seats, "power", 0);
      case "lag":
        return this.#crash([victim], kind, 4 * lengthMs);
      case "pause-leader":
        this.#world.story(`pause ${leader.machine.name} for ${lengthMs} ms`);
        return leader.machine.pause(lengthMs);
      case "outlive-leader":
        return this.#outlive(leader.machine, lengthMs);
      case "heal":
        return this.#heal();
      default:
        return;
    }
  }

  /**
   * The leader hears nothing of the other members, then has no turn for as long as they need to elect another one and
   * callers to find it, and goes on as the leader of the past that nobody has told.
   */
  #outlive(machine: Machine, lengthMs: number): void {
    const { electionMs } = this.#plan;
    const pauseMs = Math.ceil(Math.max(electionMs, memberAttemptMs)) + lengthMs;
    const deafMs = this.#dice.below(Math.ceil(electionMs / 4) + 1);
    const afterMs = this.#dice.skewed(1, Math.ceil(electionMs / 2));
    const wholeMs = deafMs + pauseMs + afterMs;
    this.#cut(`${machine.name} is deaf`, wholeMs, [], (_, b) => b === machine);
    this.#world.after(deafMs * 1_000, () => {
      if (this.#stopped) return;
      this.#cut(`pause ${machine.name} for ${pauseMs} ms, mute`, wholeMs - deafMs, [], (a) => a === machine);
      machine.pause(pauseMs);
    });
  }

  #leader(): NodeSeat<CoordinatorNode> | null {
    const leads = ({ node, machine }: NodeSeat<CoordinatorNode>): boolean =>
      node !== null && machine.up && node.journal.status.role === "leader";
    return this.#seats.find(leads) ?? null;
  }

  /** Of any scale, or long enough for an election. */
  #lengthMs(): number {
    const { deedLengthMsMax, electionMs } = this.#plan;
    const longest = Math.ceil(deedLengthMsMax);
    const drawn = this.#dice.skewed(1, longest);
    return this.#dice.chance(1, 2) ? drawn : Math.max(drawn, Math.min(longest, electionMs));
  }

  #crash(seats: readonly NodeSeat<CoordinatorNode>[], kind: CrashKind, heldMs: number): void {
    const names = seats.map(({ machine }) => machine.name).join(", ");
    this.#world.story(`${kind} of ${names}${heldMs > 0 ? `, down for ${heldMs} ms` : ""}`);
    for (const seat of seats) {
      if (heldMs > 0) seat.held = true;
      seat.machine.crash(kind);
    }
    if (heldMs === 0) return;
    this.#world.after(heldMs * 1_000, () => {
      for (const seat of seats) seat.held = false;
    });
  }

  // oxlint-disable-next-line max-params -- what, how long, whom besides the members, and between whom
  #cut(what: string, lengthMs: number, others: readonly Machine[], apart: (a: Machine, b: Machine) => boolean): void {
    this.#world.story(`${what} for ${lengthMs} ms`);
    const machines = [...this.#seats.map(({ machine }) => machine), ...others];
    for (const from of machines) {
      for (const to of machines) {
        if (from === to || !apart(from, to)) continue;
        const link = this.#world.network.link(from.name, to.name);
        link.block();
        this.#world.count("net.one-way-loss");
        this.#world.after(lengthMs * 1_000, () => link.unblock());
      }
    }
  }

  #heal(): void {
    const machines = [...this.#seats.map(({ machine }) => machine), ...this.#callers];
    for (const from of machines) {
      for (const to of machines) {
        if (from !== to) this.#world.network.link(from.name, to.name).unblock();
      }
    }
  }
}
