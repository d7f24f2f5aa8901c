import { decode, encode } from "../core/bytes/layout.ts";
import { columnFamily } from "../core/bytes/record.ts";
import type { Clock } from "../core/env/clock.ts";
import type { Engine } from "../core/engine/engine.ts";
import { bodyBytesMaxControl } from "../net/rpc/wire.ts";
import { raftAdminMethod } from "../raft/store/admin-messages.ts";
import type { HandlerTable } from "../raft/store/admin-service.ts";
import type { PeerView } from "../raft/store/peer-view.ts";
import {
  type NamedCount,
  type RegionStatus,
  statusRequestLayout,
  type StoreStatusAnswer,
  storeStatusLayout,
} from "../raft/store/status-messages.ts";
import type { Store } from "../raft/store/store.ts";
import type { StoreStats } from "../raft/store/store-stats.ts";
import type { RequestMeter } from "../txn/server/request-meter.ts";

/** The parts of a store node that are told of. */
export interface StatusSource {
  readonly clock: Clock;
  readonly engine: Pick<Engine, "sizeOf" | "stats">;
  readonly store: Pick<Store, "regions" | "stats" | "guard">;
  readonly meter: RequestMeter;
  readonly ident: { readonly storeId: number; readonly incarnation: number };
}

const hotKeysMax = 16;
const keyShownMax = 64;
const answerBytesMax = bodyBytesMaxControl - 1_024;

/** Answers `storeStatus`: what operators, and the page that shows the cluster, want to know of a store. */
export function serveStoreStatus(table: HandlerTable, source: StatusSource): void {
  const startedUs = source.clock.monotonicUs();
  table.handle(raftAdminMethod.storeStatus, (request) => {
    const decoded = decode(statusRequestLayout, request.payload);
    if (typeof decoded === "string") return request.fail({ kind: "malformed", reason: decoded });
    source.store.guard(() => {
      request.respond(encode(storeStatusLayout, storeStatus(source, decoded.value.from, startedUs)));
    });
  });
}

export function storeStatus(source: StatusSource, from: number, startedUs: number): StoreStatusAnswer {
  const { clock, engine, store, meter, ident } = source;
  const peers = store.regions().filter(({ region }) => region.id >= from);
  const regions: RegionStatus[] = [];
  let bytes = 0;
  let nextRegion = 0;
  for (const peer of peers) {
    bytes += regionBytes(peer);
    if (bytes > answerBytesMax && regions.length > 0) {
      nextRegion = peer.region.id;
      break;
    }
    regions.push(regionStatus(peer, source));
  }
  return {
    storeId: ident.storeId,
    incarnation: ident.incarnation,
    uptimeMs: Math.floor((clock.monotonicUs() - startedUs) / 1_000),
    regions,
    nextRegion,
    hotKeys: meter.top(hotKeysMax).map(({ key, recent }) => ({ key: key.slice(0, keyShownMax), recent })),
    counts: [...counts(store.stats), { name: "walBytes", value: engine.stats().walBytes }],
  };
}

function regionStatus(peer: PeerView, { engine, meter }: StatusSource): RegionStatus {
  const { region, peerId, leadingTerm, leaderStore } = peer;
  const { term, applied, committed, last, peers } = peer.status();
  const end = region.end.length === 0 ? null : region.end;
  const size = engine.sizeOf({ family: columnFamily.data, start: region.start, end });
  return {
    region, peerId, term, leadingTerm, leaderStore, applied, committed, last,
    progress: leadingTerm === 0 ? [] : peers.map(({ id, match, state }) => ({ peerId: id, match, state })),
    bytes: Math.floor(size.tableBytes + size.memtableBytes),
    records: Math.floor(size.records),
    ...meter.of(region.id),
  };
}

/** At most, once encoded. */
function regionBytes({ region }: PeerView): number {
  return 160 + region.start.length + region.end.length + region.peers.length * 48;
}

function counts(stats: StoreStats): NamedCount[] {
  return Object.entries(stats).flatMap(([name, value]) => (typeof value === "number" ? [{ name, value }] : []));
}
