import { type Layout, decode, encode } from "../../core/bytes/layout.ts";
import type { Handler, IncomingRequest } from "../../net/rpc/incoming-request.ts";
import type { RpcError } from "../../net/rpc/rpc-error.ts";
import {
  type ReplicaProgress,
  type ReplicaStatus,
  changePeersLayout,
  changedLayout,
  mergeLayout,
  nothingLayout,
  raftAdminMethod,
  refusedCode,
  regionsLayout,
  regionsRequestLayout,
  replicaProgressLayout,
  splitAnswerLayout,
  splitRequestLayout,
  transferLayout,
} from "./admin-messages.ts";
import type { RaftAdmin } from "./admin.ts";
import type { PeerView } from "./peer-view.ts";
import type { ChangeDone } from "./requests.ts";
import type { SnapshotProgress } from "./snapshot-senders.ts";

/** The part of a transport that answers. */
export interface HandlerTable {
  handle(method: number, handler: Handler): void;
}

/** What the administration of a store is about. */
export interface AdminStore {
  readonly admin: RaftAdmin;
  region(regionId: number): PeerView | null;
  regions(): readonly PeerView[];
  snapshotsOut(regionId: number): readonly SnapshotProgress[];
}

const repliesMax = 1_000;
const noBytes = new Uint8Array(0);

/** Who divides and merges regions, and tells the Coordinator of it. */
export interface RangeChanger {
  split(regionId: number, keys: readonly Uint8Array[], done: ChangeDone): void;
  merge(regionId: number, targetId: number, done: ChangeDone): void;
}

/** Answers the methods of `raftAdminMethod` on `table`. Changes are made by the leader's store, and by no other. */
export function serveRaftAdmin(table: HandlerTable, store: AdminStore, ranges: RangeChanger): void {
  const on = <Q>(method: number, layout: Layout<Q>, answer: (question: Q, request: IncomingRequest) => void): void => {
    table.handle(method, (request) => {
      const decoded = decode(layout, request.payload);
      if (typeof decoded === "string") request.fail({ kind: "malformed", reason: decoded });
      else answer(decoded.value, request);
    });
  };
  on(raftAdminMethod.changePeers, changePeersLayout, ({ changes }, request) => {
    const peer = leading(store, request);
    if (peer === null) return;
    store.admin.changePeers(peer.region.id, changes, (outcome) => {
      if (outcome.kind === "done") request.respond(encode(changedLayout, { region: outcome.region }));
      else request.fail(failure(outcome));
    });
  });
  on(raftAdminMethod.merge, mergeLayout, ({ targetId }, request) => {
    const peer = leading(store, request);
    if (peer === null) return;
    ranges.merge(peer.region.id, targetId, (outcome) => {
      if (outcome.kind === "done") request.respond(encode(changedLayout, { region: outcome.region }));
      else request.fail(failure(outcome));
    });
  });
  on(raftAdminMethod.transferLeader, transferLayout, ({ storeId }, request) => {
    const peer = leading(store, request);
    if (peer === null) return;
    store.admin.transferLeader(peer.region.id, storeId, (outcome) => {
      if (outcome.kind === "done") request.respond(encode(nothingLayout, {}));
      else request.fail(failure(outcome));
    });
  });
  on(raftAdminMethod.campaign, nothingLayout, (_, request) => {
    const regionId = request.region?.regionId ?? 0;
    if (store.region(regionId) === null) return request.fail({ kind: "region-not-found", regionId });
    store.admin.campaign(regionId);
    request.respond(encode(nothingLayout, {}));
  });
  on(raftAdminMethod.split, splitRequestLayout, ({ keys }, request) => {
    const peer = leading(store, request);
    if (peer === null) return;
    const { id, epoch, start, end } = peer.region;
    if (request.region?.version !== epoch.version) {
      const current = [{ regionId: id, ...epoch, start, end, leaderStore: peer.leaderStore }];
      return request.fail({ kind: "epoch-not-match", current });
    }
    ranges.split(id, keys, (outcome) => {
      if (outcome.kind !== "done") return request.fail(failure(outcome));
      request.respond(encode(splitAnswerLayout, { regions: [outcome.region, ...outcome.children] }));
    });
  });
  on(raftAdminMethod.regions, regionsRequestLayout, ({ from }, request) => {
    const replicas = store.regions().filter(({ region }) => region.id >= from).slice(0, repliesMax).map(statusOf);
    request.respond(encode(regionsLayout, { replicas }));
  });
  on(raftAdminMethod.replicaProgress, nothingLayout, (_, request) => {
    const regionId = request.region?.regionId ?? 0;
    const peer = store.region(regionId);
    if (peer === null) return request.fail({ kind: "region-not-found", regionId });
    const snapshots = store.snapshotsOut(regionId);
    request.respond(encode(replicaProgressLayout, { ...progressOf(peer), snapshots }));
  });
}

/** The peer that leads the region, as the caller knows the region; null: it was told why not. */
function leading(store: AdminStore, request: IncomingRequest): PeerView | null {
  const { region: header } = request;
  const peer = header === null ? null : store.region(header.regionId);
  if (peer === null || header === null) {
    request.fail({ kind: "region-not-found", regionId: header?.regionId ?? 0 });
    return null;
  }
  const { region, leaderStore, leaderPeer } = peer;
  const { id, epoch, start, end } = region;
  if (peer.leadingTerm === 0) request.fail({ kind: "not-leader", regionId: id, leaderStore, leaderPeer });
  else if (header.confVer === epoch.confVer) return peer;
  else request.fail({ kind: "epoch-not-match", current: [{ regionId: id, ...epoch, start, end, leaderStore }] });
  return null;
}

function failure({ kind, reason }: { readonly kind: "refused" | "unknown"; readonly reason: string }): RpcError {
  if (kind === "unknown") return { kind: "undetermined", reason };
  return { kind: "application", code: refusedCode, reason, detail: noBytes };
}

function statusOf({ region, peerId, leadingTerm, leaderStore, applyState }: PeerView): ReplicaStatus {
  return { region, peerId, leadingTerm, leaderStore, applied: applyState.index };
}

function progressOf(peer: PeerView): Omit<ReplicaProgress, "snapshots"> {
  const { term, committed, last, peers } = peer.status();
  const members = peers.map(({ id, state, match, recentlyActive }) => ({ peerId: id, state, match, recentlyActive }));
  return { term, commit: committed, last, recent: peer.recentStates, members };
}
