import { type KeyOperation, keyModel } from "../sim/checkers/key-model.ts";
import { type TimedOperation, checkLinearizability } from "../sim/checkers/linearizability.ts";
import type { Dice } from "../sim/dice.ts";
import type { World } from "../sim/world.ts";
import type { StoreNode, StoreSeat, StoreStage } from "./raft-store-seat.ts";
import { type ToyCommand, type ToyEnd, ToyMachine, type ToyRead, isCounter, regionPrefix } from "./raft-store-toy.ts";

/** A request of a key, for its history. */
interface Asked {
  readonly key: string;
  readonly command: ToyCommand | null;
  readonly calledUs: number;
  returnedUs: number;
  end: ToyEnd | ToyRead | null;
}

/** Patience of a client, in elections. */
const patience = 4;
/** More operations of one key are more than the search for an order takes. */
const operationsPerKeyMax = 250;

/** All that was asked of the stores and answered, by key. */
export class StoreHistory {
  readonly #stage: StoreStage;
  readonly #asked = new Map<string, Asked[]>();
  #operations = 0;
  answered = 0;
  unknown = 0;

  constructor(stage: StoreStage) {
    this.#stage = stage;
  }

  get operation(): number {
    return ++this.#operations;
  }

  isFull(key: string): boolean {
    return (this.#asked.get(key)?.length ?? 0) >= operationsPerKeyMax;
  }

  begin(key: string, command: ToyCommand | null): Asked {
    const asked = { key, command, calledUs: this.#stage.world.nowUs, returnedUs: Infinity, end: null };
    const all = this.#asked.get(key) ?? [];
    this.#asked.set(key, all);
    all.push(asked);
    return asked;
  }

  ended(asked: Asked, end: ToyEnd | ToyRead): void {
    if (asked.end !== null) this.#stage.world.fail("reply", `a request of ${asked.key} is answered twice`);
    asked.returnedUs = this.#stage.world.nowUs;
    asked.end = end;
    const certain = end !== false && (!("kind" in end) || end.kind === "done");
    if (certain) this.answered++;
    else this.unknown++;
  }

  judge(): void {
    const { world } = this.#stage;
    for (const key of [...this.#asked.keys()].sort()) {
      const history = (this.#asked.get(key) ?? []).flatMap((asked) => this.#timed(asked));
      const verdict = checkLinearizability(keyModel, history);
      if (verdict.kind === "violation") world.fail("linearizability", `${key}: ${verdict.message}`);
      if (verdict.kind === "exhausted") world.fail("checker-budget", `${key}: ${verdict.message}`);
    }
  }

  /** An operation without an answer took effect when it was applied first, at the latest, or never. */
  #timed({ command, end, calledUs, returnedUs }: Asked): TimedOperation<KeyOperation>[] {
    if (command === null) {
      if (end === null || end === false || "kind" in end) return [];
      return [{ operation: { kind: "read", value: end.value }, calledUs, returnedUs, certain: true }];
    }
    const done = end !== null && end !== false && "kind" in end && end.kind === "done" ? end : null;
    const applied = this.#stage.witness.find(command.operation);
    if (done === null && (applied === null || applied.stale)) return [];
    if (done !== null && (applied === null || applied.stale)) {
      this.#stage.world.fail("durability", `operation ${command.operation} was acknowledged and never applied`);
    }
    const untilUs = done === null ? (applied?.firstUs ?? Infinity) : returnedUs;
    return [{ operation: operationOf(command, done), calledUs, returnedUs: untilUs, certain: true }];
  }
}

function operationOf(command: ToyCommand, end: Extract<ToyEnd, { kind: "done" }> | null): KeyOperation {
  const previous = end === null ? {} : { previous: end.previous };
  switch (command.kind) {
    case "put":
      return { kind: "put", value: command.text, condition: "always", applied: true, ...previous };
    case "append":
      return { kind: "append", suffix: command.text, length: end === null ? undefined : (end.value ?? "").length };
    case "add":
      return { kind: "increment", delta: command.delta, result: end === null ? undefined : Number(end.value) };
    case "delete":
      return { kind: "delete", existed: end === null ? undefined : end.previous !== null };
  }
}

/** The machine of `region` at `node`; null: it has none. */
export function toyAt(node: StoreNode | null, region: number): ToyMachine | null {
  const machine = node?.store.region(region)?.machine ?? null;
  return machine instanceof ToyMachine ? machine : null;
}

/** Where a client's keys lie, as it believes. */
export type DrawKey = (dice: Dice) => { readonly region: number; readonly key: string };

/** Somebody who asks for one thing at a time, of whom it believes to lead. */
export class StoreClient {
  readonly #stage: StoreStage;
  readonly #seats: readonly StoreSeat[];
  readonly #history: StoreHistory;
  readonly #dice: Dice;
  readonly #world: World;
  readonly #draw: DrawKey;
  #lastStore = 0;

  // oxlint-disable-next-line max-params -- what it works with
  constructor(stage: StoreStage, seats: readonly StoreSeat[], history: StoreHistory, index: number, draw?: DrawKey) {
    this.#draw = draw ?? ((dice): { region: number; key: string } => keyOf(stage, dice));
    this.#stage = stage;
    this.#world = stage.world;
    this.#seats = seats;
    this.#history = history;
    this.#dice = stage.world.dice("client", index);
  }

  /** Until `isOver`. */
  async work(isOver: () => boolean): Promise<void> {
    const { plan } = this.#stage;
    while (!isOver()) {
      const { region, key } = this.#draw(this.#dice);
      if (this.#history.isFull(key)) return;
      // Some requests are many at once: they share an entry's way, or fill a queue.
      const count = this.#dice.chance(1, 6) ? this.#dice.skewed(1, 8) : 1;
      const asked = Array.from({ length: count }, () => this.ask(region, key, this.#dice.chance(1, 3)));
      await Promise.all(asked);
      await this.#world.sleep(this.#dice.skewed(1, Math.floor(plan.gapMsMax) + 1) - 1);
    }
  }

  /** True: answered. */
  async ask(region: number, key: string, isRead: boolean): Promise<boolean> {
    const seat = this.#choose(region);
    const node = seat?.node ?? null;
    if (seat === null || node === null) {
      await this.#world.sleep(this.#dice.skewed(1, 50));
      return false;
    }
    const command = isRead ? null : this.#command(key);
    const asked = this.#history.begin(key, command);
    let isTold = false;
    const told = new Promise<boolean>((resolve) => {
      const done = (end: ToyEnd | ToyRead): void => {
        if (!isTold) this.#history.ended(asked, end);
        const answered = end !== false && (!("kind" in end) || end.kind === "done");
        this.#lastStore = answered ? seat.storeId : 0;
        resolve(answered);
      };
      void seat.enter((running) => {
        const machine = toyAt(running, region);
        if (machine === null || !machine.holds(key)) resolve(false);
        else if (command === null) machine.read(key, done);
        else machine.submit(command, done);
      });
    });
    const late = this.#world.sleep(patience * this.#stage.plan.electionMs).then(() => false);
    const answered = await Promise.race([told, late]);
    isTold = true;
    return answered;
  }

  /** Whoever says that it leads; of several, any: leaders of the past must be found out by themselves. */
  #choose(region: number): StoreSeat | null {
    const up = this.#seats.filter(({ node, machine }) => node !== null && machine.up);
    const leading = up.filter(({ node }) => (node?.store.region(region)?.leadingTerm ?? 0) > 0);
    const last = leading.find(({ storeId }) => storeId === this.#lastStore);
    if (last !== undefined && this.#dice.chance(1, 2)) return last;
    if (leading.length > 0 && this.#dice.chance(9, 10)) return this.#dice.pick(leading);
    return up.length > 0 ? this.#dice.pick(up) : null;
  }

  #command(key: string): ToyCommand {
    const dice = this.#dice;
    const { fillerMax } = this.#stage.plan;
    const base = { operation: this.#history.operation, key, filler: fillerMax > 0 ? dice.skewed(1, fillerMax) : 0 };
    if (isCounter(key)) return { ...base, kind: "add", delta: dice.between(1, 3) };
    switch (dice.below(6)) {
      case 0:
        return { ...base, kind: "delete" };
      case 1:
        return { ...base, kind: "append", text: "+" };
      default:
        return { ...base, kind: "put", text: `v${base.operation}.` };
    }
  }
}

function keyOf({ plan }: StoreStage, dice: Dice): { readonly region: number; readonly key: string } {
  const region = dice.between(1, plan.regions);
  const at = dice.below(plan.keysPerRegion);
  return { region, key: `${regionPrefix(region)}${at % 2 === 0 ? "r" : "c"}${at}` };
}
