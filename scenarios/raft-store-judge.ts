import { versionMax } from "../core/bytes/record.ts";
import { type RegionMeta, describeRegion } from "../raft/region.ts";
import type { World } from "../sim/world.ts";
import { netOptions } from "../net/rpc/options.ts";
import { bodyBytesMaxControl } from "../net/rpc/wire.ts";
import { noteKey, storeGroup } from "../raft/store/log-notes.ts";
import { toyAt } from "./raft-store-clients.ts";
import { leaderOf } from "./region-seat.ts";
import { ToyMachine } from "./raft-store-toy.ts";
import { RegionViews } from "./region-views.ts";
import type { StoreNode, StoreSeat, StoreStage } from "./raft-store-seat.ts";

/** Families that a region's records are in. */
const families = [0, 1, 2];
const recordsMax = 10_000;
/** Entries that nobody has asked to be cut yet. */
const logSlack = 16;
/** Until an office is known to be over. */
const ticksSlack = 10;

/** Looks at all stores at once, now and then, and at what they hold in the end. */
export class StoreJudge {
  readonly #stage: StoreStage;
  readonly #world: World;
  readonly #seats: readonly StoreSeat[];
  readonly #views: RegionViews;
  /** By replica: for which proposal somebody has waited, at a peer without office, since which tick of its store. */
  readonly #patient = new WeakMap<ToyMachine, { readonly proposal: number; readonly sinceTick: number }>();

  readonly #regions: () => readonly number[];

  /** `regions`: those that there are. */
  constructor(stage: StoreStage, seats: readonly StoreSeat[], regions: () => readonly number[]) {
    this.#regions = regions;
    this.#stage = stage;
    this.#world = stage.world;
    this.#seats = seats;
    this.#views = new RegionViews((oracle, message) => stage.world.fail(oracle, message));
  }

  look(): void {
    for (const { node, machine } of this.#seats) {
      if (node === null || !machine.up) continue;
      for (const view of node.store.regions()) {
        this.#views.look(machine.name, node, view);
      }
      const overslept = node.store.overslept();
      if (overslept !== null) this.#stage.world.fail("asleep", `${machine.name}: ${overslept}`);
      this.#bounds(machine.name, node);
      this.#patience(machine.name, node);
    }
  }

  /** Every member of every region has what its leader has, and nobody else is there. */
  upToDate(): boolean {
    for (const region of this.#regions()) {
      const office = leaderOf(this.#seats, region);
      if (office === null) return false;
      const index = office.store.region(region)?.applyState.index;
      for (const { storeId, node, machine } of this.#seats) {
        const isMember = office.region.peers.some((peer) => peer.storeId === storeId);
        if (node === null || !machine.up) return false;
        const toy = toyAt(node, region);
        if (!isMember && toy !== null) return false;
        if (isMember && toy === null) return false;
        if (toy === null || !isMember) continue;
        if (node.store.region(region)?.applyState.index !== index || toy.waitingCount > 0) return false;
      }
    }
    return true;
  }

  /** Nothing is left to be done. */
  isSettled(): boolean {
    return this.upToDate() && this.logsAreCut() && this.noLogIsOrphaned();
  }

  /** The records of all replicas, byte for byte. */
  async compare(): Promise<void> {
    for (const region of this.#regions()) {
      let first: { name: string; records: string } | null = null;
      for (const seat of this.#seats) {
        const { machine } = seat;
        let records = "";
        const looked = await seat.enter((node) => {
          const view = node.store.region(region);
          if (view === null) return;
          records = recordsOf(node, view.region);
        });
        if (!looked || records === "") continue;
        if (first === null) first = { name: machine.name, records };
        else if (first.records !== records) {
          const both = `${first.name}: ${first.records}\n${machine.name}: ${records}`;
          this.#world.fail("replicas", `region ${region} is not the same everywhere\n${both}`);
        }
      }
    }
  }

  standing(): string {
    const lines: string[] = [];
    for (const { node, machine } of this.#seats) {
      if (node === null) lines.push(`${machine.name} is ${machine.up ? "starting" : "down"}`);
      for (const { region, leadingTerm, leaderStore, applyState, machine: toy } of node?.store.regions() ?? []) {
        const role = leadingTerm > 0 ? `leads ${leadingTerm}` : `follows ${leaderStore}`;
        const peers = region.peers.map(({ peerId, storeId, role: as }) => `${peerId}@${storeId} ${as}`).join(", ");
        const waiting = "waitingCount" in toy ? Number(toy.waitingCount) : 0;
        const where = `${describeRegion(region)}, applied ${applyState.index}`;
        lines.push(`${machine.name} ${role} in ${where}, ${waiting} wait (${peers})`);
      }
    }
    const orphans = this.noLogIsOrphaned() ? "" : "a store has the log of a region that it has no peer of\n";
    return `no progress after the faults:\n${orphans}${lines.join("\n")}`;
  }

  /** Nobody is behind any more: what is applied is kept for no longer than the options say. */
  logsAreCut(): boolean {
    const { logKeepEntries } = this.#stage.plan.store;
    return this.#seats.every(({ node }) => {
      const regions = node?.store.regions() ?? [];
      return regions.every(({ region }) => {
        const group = node?.log.group(region.id) ?? null;
        return group === null || group.last - group.start.index <= 2 * logKeepEntries + logSlack;
      });
    });
  }

  /** Whoever proposed to a leader of the past is told in time that nobody knows the outcome. */
  #patience(name: string, node: StoreNode): void {
    const { proposalTicks } = this.#stage.plan.store;
    for (const { region, leadingTerm, leaderStore, machine } of node.store.regions()) {
      if (!(machine instanceof ToyMachine)) continue;
      const proposal = machine.oldestWaiting;
      const { ticks } = node.store.stats;
      const known = this.#patient.get(machine);
      const leads = leadingTerm > 0 || leaderStore === node.store.storeId;
      if (leads || proposal === 0 || known?.proposal !== proposal) {
        this.#patient.set(machine, { proposal: leads ? 0 : proposal, sinceTick: ticks });
        continue;
      }
      if (ticks - known.sinceTick <= proposalTicks + ticksSlack) continue;
      const waited = `${ticks - known.sinceTick} ticks for proposal ${proposal} of region ${region.id}`;
      this.#world.fail("liveness", `${name} leads no more, and somebody has waited ${waited}`);
    }
  }

  /** Every log belongs to a peer: of one that was removed nothing is left. */
  noLogIsOrphaned(): boolean {
    return this.#seats.every(({ node }) => {
      const groups = node?.log.groups() ?? [];
      return groups.every((id) => {
        const isOurs = id === storeGroup || node?.store.region(id) !== null;
        return isOurs || node?.log.group(id)?.notes.has(noteKey.peer) === true;
      });
    });
  }

  #bounds(name: string, node: StoreNode): void {
    const { controlMessages, appendBytes } = node.transport.state();
    const { controlMessagesMax, appendBytesMax } = netOptions(this.#stage.plan.net);
    if (controlMessages > controlMessagesMax || appendBytes > appendBytesMax + bodyBytesMaxControl) {
      this.#world.fail("bounds", `${name}: ${controlMessages} control messages and ${appendBytes} bytes wait`);
    }
  }
}

const decoder = new TextDecoder();

function recordsOf(node: StoreNode, { start, end }: RegionMeta): string {
  const lines = families.flatMap((family) => {
    const wish = { family, start, end, versionMax, limit: recordsMax, live: true };
    return node.engine
      .scan(wish)
      .map(({ key, value }) => `${family} ${decoder.decode(key)}=${value === null ? "-" : decoder.decode(value)}`);
  });
  return lines.join("; ");
}
