import { fileMagic, readFileHeader } from "../core/wal/file-header.ts";
import { FrameReader } from "../core/wal/frame.ts";
import { replicasEntry } from "../coordinator/operations.ts";
import type { RootEvent } from "../coordinator/root-event.ts";
import type { CoordinatorState } from "../coordinator/state.ts";
import { NokvError } from "../core/errors.ts";
import { damageNoteName } from "../node/damage-note.ts";
import type { CoordinatorNode } from "../node/coordinator-node.ts";
import type { StoreNode } from "../node/store-node.ts";
import { describeRegion } from "../raft/region.ts";
import type { Dice } from "../sim/dice.ts";
import type { AtRestKind } from "../sim/disk/disk-faults.ts";
import type { SimDisk } from "../sim/disk/sim-disk.ts";
import type { World } from "../sim/world.ts";
import type { NodeSeat } from "./cluster-seat.ts";

export const rotKinds: readonly AtRestKind[] = ["bit-rot", "misdirected-write", "stale-sector"];

/** Where damage is looked for: by size alone it would nearly always be a table or a log. */
const dataTargets: readonly RegExp[] = [/\.sst$/, /\.sst$/, /\.vlog$/];
const otherTargets: readonly RegExp[] = [
  /./, /wal-\d+\.log$/, /raft-\d+\.log$/, /raft-\d+\.log$/, /MANIFEST-\d+$/, /CURRENT$|MODE$/,
];

/** Of tables and value files any number may rot; of what says which files there are, and of logs, one place. */
const dataFile = /\.(?:sst|vlog)$/;
const logFile = /(wal-|raft-|MANIFEST-)(\d+)(?:\.log)?$/;
const logMagic = { "wal-": fileMagic.wal, "raft-": fileMagic.raft, "MANIFEST-": fileMagic.manifest } as const;

export interface RotPlan {
  readonly storeId: number;
  /** Places that rot, at most. */
  readonly places: number;
  /** Tables and values only, which are met by whoever needs them, and else by nobody. */
  readonly dataOnly: boolean;
  readonly gapMsMax: number;
}

export function drawRot(dice: Dice, stores: number): RotPlan | null {
  const storeId = dice.between(1, stores);
  const places = dice.skewed(1, 40);
  const plan = { storeId, places, dataOnly: dice.chance(2, 3), gapMsMax: dice.skewed(500, 30_000) };
  return dice.chance(1, 4) ? plan : null;
}

/** The disk of one store decays, while its process runs and while it does not. Everybody else's is sound. */
export class RottingStore {
  readonly seat: NodeSeat<StoreNode>;
  readonly #world: World;
  readonly #plan: RotPlan;
  readonly #dice: Dice;
  #placesLeft: number;
  #evidenceLeft = 1;
  #target = /./;

  /** `isCalm`: its disk does nothing else to it. */
  // oxlint-disable-next-line max-params
  constructor(world: World, plan: RotPlan, seat: NodeSeat<StoreNode>, isCalm: boolean) {
    this.#world = world;
    seat.metDamage = () => {
      if (isCalm && !this.#isNoted()) world.fail("damage", `${seat.machine.name} met damage, and did not note it`);
    };
    this.#plan = plan;
    this.seat = seat;
    this.#dice = world.dice("rot");
    this.#placesLeft = plan.places;
  }

  async decay(isOver: () => boolean): Promise<void> {
    const dice = this.#dice;
    while (!isOver()) {
      await this.#world.sleep(dice.between(1, this.#plan.gapMsMax));
      if (this.servesDamage) this.#world.fail("damage", `${this.seat.machine.name} serves although it met damage`);
      if (!isOver() && this.#placesLeft > 0) this.#damage();
    }
  }

  /** A process of it serves although an earlier one has noted damage. */
  get servesDamage(): boolean {
    const { node, machine } = this.seat;
    return node !== null && machine.up && this.#isNoted();
  }

  #isNoted(): boolean {
    return this.seat.machine.disk.inspect(`/data/${damageNoteName}`)?.entryDurable === true;
  }

  #damage(): void {
    const dice = this.#dice;
    const { machine } = this.seat;
    this.#target = dice.pick(this.#plan.dataOnly ? dataTargets : [...dataTargets, ...otherTargets]);
    const found = machine.disk.corruptAtRest(dice.pick(rotKinds), (path, offset, length) => {
      return this.#mayDamage(path, offset + length);
    });
    const ends = dice.chance(1, this.#plan.dataOnly ? 16 : 3);
    if (found === null) return;
    this.#placesLeft--;
    if (!dataFile.test(found.path)) this.#evidenceLeft--;
    this.seat.rots = true;
    const { kind, path, offset, length } = found;
    this.#world.story(`${machine.name}: ${kind} in ${path} at ${offset}, ${length} bytes`);
    // Most of it is read when a process begins.
    if (ends) machine.crash("process");
  }

  /** The last bytes of a log that nothing durable vouches for are what a crash may leave. */
  #mayDamage(path: string, end: number): boolean {
    if (path.endsWith("/LOCK") || path.endsWith(damageNoteName) || !this.#target.test(path)) return false;
    if (dataFile.test(path)) return true;
    return this.#evidenceLeft > 0 && (!path.endsWith(".log") || end <= vouchedBytes(this.seat.machine.disk, path));
  }
}

/** Of a log or a manifest: what something durable in it vouches for. 0: it is none. */
export function vouchedBytes(disk: SimDisk, path: string): number {
  const [, kind = "", digits = ""] = logFile.exec(path) ?? [];
  const bytes = disk.inspect(path)?.durable;
  if (!isLogKind(kind) || bytes === undefined) return 0;
  const number = Number(digits);
  const header = readFileHeader(bytes, bytes.length, logMagic[kind], number, path);
  if (header instanceof NokvError) return 0;
  return new FrameReader(bytes, bytes.length, number, header.epoch).witnesses().durableBytes;
}

function isLogKind(kind: string): kind is keyof typeof logMagic {
  return kind in logMagic;
}

/** A store leaves, dead or alive, as an operator has it leave, and its replicas go where there is room. */
export class StoreRemoval {
  readonly #coordinators: readonly NodeSeat<CoordinatorNode>[];
  readonly #storeId: number;
  readonly #replicas: number;

  constructor(coordinators: readonly NodeSeat<CoordinatorNode>[], storeId: number, replicas: number) {
    this.#coordinators = coordinators;
    this.#storeId = storeId;
    this.#replicas = replicas;
  }

  /** Says again what was not heard. */
  isDone(): boolean {
    const state = this.#state();
    if (state === null) return false;
    const storeId = this.#storeId;
    const membership = state.stores.find((store) => store.storeId === storeId)?.membership;
    const hasLeft = membership === "left" && this.left() === "";
    if (membership === "member") this.#publish({ kind: "StoreLeaving", storeId, leaving: true });
    // Nothing moves any more for the sake of balance.
    const replicas = hasLeft ? "0" : String(this.#replicas);
    const given = state.config.find(({ name }) => name === replicasEntry)?.value ?? "0";
    if (given !== replicas) this.#publish({ kind: "ConfigSet", name: replicasEntry, value: replicas });
    return hasLeft && given === "0";
  }

  /** What is still to be done. */
  left(): string {
    const state = this.#state();
    if (state === null) return "no Coordinator leads";
    const { regions, pendingPeerChanges: [change] } = state;
    if (change !== undefined) return `${change.transitionId} is open`;
    const unfit = regions.find(({ peers }) => {
      const isWhole = peers.length === this.#replicas && peers.every(({ role }) => role === "voter");
      return !isWhole || peers.some(({ storeId }) => storeId === this.#storeId);
    });
    return unfit === undefined ? "" : describeRegion(unfit);
  }

  #state(): CoordinatorState | null {
    const leading = this.#coordinators.find(({ node }) => node?.journal.status.role === "leader");
    return leading?.node?.coordinator.state ?? null;
  }

  #publish(event: RootEvent): void {
    for (const seat of this.#coordinators) {
      if (seat.node?.journal.status.role !== "leader") continue;
      void seat.enter(({ coordinator }) => coordinator.publish(event, 0, () => {}));
    }
  }
}
