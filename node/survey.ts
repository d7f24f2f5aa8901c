import { compareKeys } from "../core/bytes/record.ts";
import { tilingProblem } from "../coordinator/region-map.ts";
import type { PeerRole, RegionMeta } from "../raft/region.ts";
import type { ReplicaStatus } from "../raft/store/admin-messages.ts";

/**
 * What each store said of its replicas at about one time; a string: why it said nothing. `R` is as much as was asked
 * for: operators of a migration ask for little and often, the page that shows the cluster for more.
 */
export type Survey<R extends ReplicaStatus = ReplicaStatus> = ReadonlyMap<number, readonly R[] | string>;

/** A replica, and the store that told of it. */
export interface ToldReplica<R extends ReplicaStatus = ReplicaStatus> {
  readonly storeId: number;
  readonly replica: R;
}

/** A region as its leader has it. */
export interface LedRegion {
  readonly region: RegionMeta;
  readonly leaderStore: number;
  readonly leaderPeer: number;
  readonly term: number;
  readonly applied: number;
}

/** A member of a region, and how far it is. */
export interface MemberStatus {
  readonly storeId: number;
  readonly peerId: number;
  readonly role: PeerRole;
  /** As its own store says; null: the store has no such replica, or did not answer. */
  readonly applied: number | null;
}

const idsShownMax = 20;

/** The replicas of each region that somebody told of, in order of their stores. */
export function replicasByRegion<R extends ReplicaStatus>(survey: Survey<R>): Map<number, ToldReplica<R>[]> {
  const told = new Map<number, ToldReplica<R>[]>();
  for (const [storeId, replicas] of [...survey].toSorted(([a], [b]) => a - b)) {
    if (typeof replicas === "string") continue;
    for (const replica of replicas) {
      const others = told.get(replica.region.id);
      if (others === undefined) told.set(replica.region.id, [{ storeId, replica }]);
      else others.push({ storeId, replica });
    }
  }
  return told;
}

/** Who was deposed and has not heard of it leads in an earlier term. Null: nobody says that it leads. */
export function leaderAmong<R extends ReplicaStatus>(told: readonly ToldReplica<R>[]): ToldReplica<R> | null {
  let leader: ToldReplica<R> | null = null;
  for (const other of told) {
    if (other.replica.leadingTerm > (leader?.replica.leadingTerm ?? 0)) leader = other;
  }
  return leader;
}

/** The members of `region`, in order of their stores. */
export function membersOf(region: RegionMeta, told: readonly ToldReplica[]): MemberStatus[] {
  const members = region.peers.map(({ storeId, peerId, role }): MemberStatus => {
    const own = told.find((other) => other.storeId === storeId && other.replica.peerId === peerId);
    return { storeId, peerId, role, applied: own?.replica.applied ?? null };
  });
  return members.toSorted((a, b) => a.storeId - b.storeId);
}

export function replicaOn(survey: Survey, storeId: number, regionId: number): ReplicaStatus | null {
  const replicas = survey.get(storeId);
  if (replicas === undefined || typeof replicas === "string") return null;
  return replicas.find(({ region }) => region.id === regionId) ?? null;
}

/** Null: nobody says that it leads it. */
export function ledRegion(survey: Survey, regionId: number): LedRegion | null {
  return asLed(leaderAmong(replicasByRegion(survey).get(regionId) ?? []));
}

/** The regions that are led, by start key. */
export function ledRegions(survey: Survey): LedRegion[] {
  const told = [...replicasByRegion(survey).values()];
  const led = told.map((replicas) => asLed(leaderAmong(replicas))).filter((found) => found !== null);
  return led.toSorted((a, b) => compareKeys(a.region.start, b.region.start) || a.region.id - b.region.id);
}

/** Null: the regions that are led, by start key, hold every key once. */
export function ledProblem(led: readonly LedRegion[]): string | null {
  if (led.length === 0) return "nobody leads any region";
  const problem = tilingProblem(led.map(({ region }) => region));
  return problem === null ? null : `of the regions that somebody leads, ${problem}`;
}

/**
 * Why a region that nobody leads is none that could be waited for: others that are led hold every key. Null: it may
 * be led yet.
 */
export function unknownRegion(survey: Survey, regionId: number): string | null {
  const led = ledRegions(survey);
  const ids = led.map(({ region }) => region.id).toSorted((a, b) => a - b);
  if (ids.includes(regionId) || ledProblem(led) !== null) return null;
  const more = ids.length > idsShownMax ? `, and ${ids.length - idsShownMax} more` : "";
  return `there is no region ${regionId}; there are ${ids.slice(0, idsShownMax).join(", ")}${more}`;
}

/** Stores that said nothing, and why. */
export function silentStores(survey: Survey): string[] {
  return [...survey].flatMap(([storeId, said]) => (typeof said === "string" ? [`store ${storeId}: ${said}`] : []));
}

function asLed(leader: ToldReplica | null): LedRegion | null {
  if (leader === null) return null;
  const { storeId, replica: { region, peerId, leadingTerm, applied } } = leader;
  return { region, leaderStore: storeId, leaderPeer: peerId, term: leadingTerm, applied };
}
