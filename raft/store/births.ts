import { splitAfterApply, splitAfterLog, splitBeforePublish } from "../../failpoints/catalog.ts";
import { type RegionMeta, peerOnStore } from "../region.ts";
import type { AdminRun, Birth } from "./applier.ts";
import type { Graveyard } from "./graveyard.ts";
import { readApplyStates, readRegionStates } from "./local-records.ts";
import type { LogChange } from "./log-change.ts";
import { noteKey } from "./log-notes.ts";
import type { Peer } from "./peer.ts";
import type { PeerContext } from "./peer-context.ts";
import { encodePeerNote } from "./peer-note.ts";
import type { PeerTable } from "./peer-table.ts";
import type { RaftLog } from "./raft-log.ts";
import { bootstrapIndex, bootstrapTerm } from "./tombstone.ts";

/** What a peer had said before it knew its region stays said. */
export interface Vow {
  readonly term: number;
  readonly vote: number;
}

/** The log of a peer whose region begins. Until something else says whose it is, a note does. */
export function beginningOfLog(group: number, peerId: number, { term, vote }: Vow): LogChange[] {
  const kept = term >= bootstrapTerm ? { term, vote } : { term: bootstrapTerm, vote: 0 };
  const start = { index: bootstrapIndex, term: bootstrapTerm };
  return [
    { op: "note", group, key: noteKey.peer, value: peerId === 0 ? null : encodePeerNote(peerId) },
    { op: "snapshot", group, start, meta: new Uint8Array(0) },
    { op: "hard", group, hard: { ...kept, commit: bootstrapIndex } },
  ];
}

export interface BirthParts {
  readonly context: PeerContext;
  readonly graveyard: Graveyard;
  readonly table: PeerTable;
  /** Nothing is begun any more. */
  readonly stopped: () => boolean;
}

/**
 * Peers that begin where their parent is divided. A child's records are in the parent's batch; it says its first word
 * when they are durable and its log begins, and not before: what it has said is never forgotten, and a crash in between
 * leaves either the parent as it was, or a child that begins at the next start.
 */
export class Births {
  readonly #parts: BirthParts;

  constructor(parts: BirthParts) {
    this.#parts = parts;
  }

  /** Of `children`, those that begin here: not those that are here already, or were and are not any more. */
  here(children: readonly RegionMeta[]): readonly RegionMeta[] {
    const { context, graveyard, table } = this.#parts;
    return children.filter((child) => {
      const own = peerOnStore(child, context.storeId);
      if (own === null || graveyard.tombstone(child.id) !== null || graveyard.holds(child.id)) return false;
      const known = table.get(child.id);
      // Who was made later than the split knows more than it: its region comes by a snapshot.
      return known === null || (!known.initialised && known.peerId <= own.peerId);
    });
  }

  /** The batch that divides `parent` is in the engine under `ticket`. */
  begin(parent: Peer, { effect, born }: AdminRun, ticket: number): void {
    const { context, graveyard, table } = this.#parts;
    context.world.failpoints.hit(splitAfterApply);
    const { isLeader } = parent;
    for (const birth of born) this.#begin(birth, isLeader, ticket);
    for (const child of effect.children) {
      const isHere = born.some(({ region }) => region.id === child.id) || table.get(child.id)?.initialised === true;
      if (!isHere) graveyard.sweep(child);
    }
  }

  #begin({ region, peerId, state }: Birth, campaigns: boolean, ticket: number): void {
    const { context, table, stopped } = this.#parts;
    const { engine, log, world } = context;
    const known = table.get(region.id);
    const vow = known?.peerId === peerId ? known.status() : { term: 0, vote: 0 };
    if (known !== null) table.drop(known);
    table.reserve(region);
    let waits = 2;
    const publish = (): void => {
      if (--waits > 0 || stopped()) return;
      world.failpoints.hit(splitBeforePublish);
      const peer = table.publish(peerId, region, state);
      log.submit([{ op: "note", group: region.id, key: noteKey.peer, value: null }], false, () => {});
      // The others wait for an election's time: whoever led the parent leads the child.
      if (campaigns) peer.intake.campaign();
    };
    log.submit(beginningOfLog(region.id, peerId, vow), true, () => {
      world.failpoints.hit(splitAfterLog);
      publish();
    });
    engine.whenDurable(ticket, (error) => {
      if (error === null) publish();
      else context.fail(error);
    });
  }
}

/** Children whose records outlived a crash, and whose log did not begin: it begins now, before they say anything. */
export async function finishBirths({ engine, log }: Pick<PeerContext, "engine" | "log">): Promise<void> {
  const applied = readApplyStates(engine);
  const changes: LogChange[] = [];
  for (const [regionId, { state, peerId }] of readRegionStates(engine)) {
    const isBegun = applied.get(regionId)?.index === bootstrapIndex;
    if (state === "normal" && isBegun && !hasBegun(log, regionId)) {
      changes.push(...beginningOfLog(regionId, peerId, log.group(regionId)?.hard ?? { term: 0, vote: 0 }));
    }
  }
  if (changes.length > 0) await log.submitted(changes);
}

function hasBegun(log: RaftLog, regionId: number): boolean {
  return (log.group(regionId)?.start.index ?? 0) >= bootstrapIndex;
}
