import { ContentHash } from "../../core/bytes/content-hash.ts";
import { decode, encode } from "../../core/bytes/layout.ts";
import { columnFamily, compareKeys } from "../../core/bytes/record.ts";
import type { VersionedStore } from "../../core/engine/versioned-store.ts";
import type { IncomingRequest } from "../../net/rpc/incoming-request.ts";
import { isBeforeEnd, rangeContains } from "../../raft/region.ts";
import {
  type ReplicaHashAnswer,
  type ReplicaHashRequest,
  behindCode,
  raftAdminMethod,
  replicaHashLayout,
  replicaHashRequestLayout,
} from "../../raft/store/admin-messages.ts";
import type { PeerView } from "../../raft/store/peer-view.ts";
import { isAlive } from "../percolator/execution.ts";
import { successor } from "../percolator/view.ts";
import { TxnRegion } from "./txn-region.ts";

interface Replicas {
  region(regionId: number): Pick<PeerView, "region" | "machine" | "applyState"> | null;
  /** What the disk refuses within ends the store, and nobody is answered. */
  guard(run: () => void): void;
}

interface Methods {
  handle(method: number, handler: (request: IncomingRequest) => void): void;
}

/** One answer keeps the store for some milliseconds. */
const bytesMax = 2 * 1024 * 1024;
const scanMax = 256;
const noBytes = new Uint8Array(0);

/**
 * Answers `replicaHash` from this store's own records, whether it leads or not. It passes neither the consensus nor the
 * locks: what is compared is what lies here.
 */
export function serveReplicaHash(table: Methods, replicas: Replicas, store: VersionedStore): void {
  table.handle(raftAdminMethod.replicaHash, (request) => {
    const asked = decode(replicaHashRequestLayout, request.payload);
    if (typeof asked === "string") return request.fail({ kind: "malformed", reason: asked });
    const regionId = request.region?.regionId ?? 0;
    const replica = replicas.region(regionId);
    if (replica === null) return request.fail({ kind: "region-not-found", regionId });
    const { region, machine, applyState } = replica;
    const { readTs, appliedMin, start, end } = asked.value;
    const version = request.region?.version ?? 0;
    if (version !== region.epoch.version || !rangeContains(region, start) || !isWithin(end, region.end)) {
      const hint = { regionId, ...region.epoch, start: region.start, end: region.end, leaderStore: 0 };
      return request.fail({ kind: "epoch-not-match", current: [hint] });
    }
    if (applyState.index < appliedMin) {
      const reason = `applied up to ${applyState.index}, asked for ${appliedMin}`;
      return request.fail({ kind: "application", code: behindCode, reason, detail: noBytes });
    }
    const floor = machine instanceof TxnRegion ? machine.gcFloor : 0;
    if (readTs < floor) return request.fail({ kind: "txn-too-old", startVersion: readTs, safePoint: floor });
    const reach = end.length === 0 ? region.end : end;
    replicas.guard(() => {
      const page = hashPage(store, { ...asked.value, end: reach });
      request.respond(encode(replicaHashLayout, { applied: applyState.index, ...page }));
    });
  });
}

function isWithin(end: Uint8Array, regionEnd: Uint8Array): boolean {
  return end.length === 0 || regionEnd.length === 0 || compareKeys(end, regionEnd) <= 0;
}

function hashPage(store: VersionedStore, asked: ReplicaHashRequest): Omit<ReplicaHashAnswer, "applied"> {
  const { readTs, end, entriesMax } = asked;
  const hash = new ContentHash();
  const family = columnFamily.data;
  let { start } = asked;
  // Values may be large: the first pages tell.
  let pace = 4;
  for (;;) {
    const limit = Math.max(1, Math.min(pace, entriesMax - hash.sum.count));
    const before = hash.sum.bytes;
    const wish = { family, start, end: end.length === 0 ? null : end, versionMax: readTs, limit, live: true };
    const page = isBeforeEnd(start, end) ? store.scan(wish) : [];
    for (const data of page) if (isAlive(data, readTs)) hash.entry(data.key, data.value, data.expiresAtMs);
    const last = page.at(-1);
    if (last === undefined || page.length < limit) return { content: hash.sum, next: null };
    start = successor(last.key);
    const { count, bytes } = hash.sum;
    if (count >= entriesMax || bytes >= bytesMax) return { content: hash.sum, next: start };
    if (bytes - before < bytesMax / 16) pace = Math.min(scanMax, pace * 2);
  }
}
