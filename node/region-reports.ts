import type { PeerReport, RegionReport } from "../coordinator/region-report.ts";
import type { PeerView } from "../raft/store/peer-view.ts";

/** So far behind, a log still follows closely: it is there before a change of peers is agreed upon. */
const lagEntriesMax = 64;

/** What a store remembers of a region that it leads. */
interface Seen {
  readonly term: number;
  /** When the rate was taken last, and what had been applied then. */
  atUs: number;
  applied: number;
  entriesPerSecond: number;
  /** By peer: when it was last seen to answer. */
  readonly heardUs: Map<number, number>;
  /** Peers that slept with it when it was looked at last: they were there until now. */
  readonly asleep: Set<number>;
}

/** The rate is taken over so long at least. */
const rateUsMin = 1_000_000;
/** Between two answers: nobody is silent for less. */
const silentMsMin = 1_000;

/** How much a region is. */
export type RegionUsage = Pick<RegionReport, "sizeBytes" | "commandsPerSecond">;

/** What the leaders of a store know of their regions' peers, and how busy they are. Forgotten with their offices. */
export class RegionReporter {
  readonly #usageOf: (view: ReportedRegion) => RegionUsage;
  readonly #seen = new Map<number, Seen>();

  constructor(usageOf: (view: ReportedRegion) => RegionUsage) {
    this.#usageOf = usageOf;
  }

  report(view: ReportedRegion, nowUs: number): RegionReport {
    const { region, peerId, leadingTerm, applyState } = view;
    const seen = this.#of(region.id, leadingTerm, applyState.index, nowUs);
    const elapsedUs = nowUs - seen.atUs;
    if (elapsedUs >= rateUsMin) {
      seen.entriesPerSecond = Math.floor(((applyState.index - seen.applied) * 1_000_000) / elapsedUs);
      seen.atUs = nowUs;
      seen.applied = applyState.index;
    }
    const { peers, committed, quiesced, absent } = view.status();
    const reports = peers.map(({ id, state, match, recentlyActive }): PeerReport => {
      // Whoever sleeps with its leader is not asked; whoever is not there does not.
      const sleeps = quiesced && !absent.includes(id);
      const isActive = recentlyActive && !quiesced;
      const isHeard = sleeps || isActive || seen.asleep.has(id) || !seen.heardUs.has(id);
      if (id === peerId || isHeard) seen.heardUs.set(id, nowUs);
      if (sleeps) seen.asleep.add(id);
      else seen.asleep.delete(id);
      const sinceMs = Math.floor((nowUs - (seen.heardUs.get(id) ?? nowUs)) / 1_000);
      const silentMs = sinceMs < silentMsMin ? 0 : sinceMs;
      // Who sleeps with its leader has all of it. A connection that broke since has it probed, once it is awake.
      const follows = sleeps || (state === "replicate" && match + lagEntriesMax >= committed);
      return { peerId: id, silentMs, caughtUp: id === peerId || follows };
    });
    return { ...this.#usageOf(view), entriesPerSecond: seen.entriesPerSecond, peers: reports };
  }

  forget(regionId: number): void {
    this.#seen.delete(regionId);
  }

  // oxlint-disable-next-line max-params
  #of(regionId: number, term: number, applied: number, atUs: number): Seen {
    const known = this.#seen.get(regionId);
    if (known?.term === term) return known;
    const seen: Seen = { term, atUs, applied, entriesPerSecond: 0, heardUs: new Map(), asleep: new Set() };
    this.#seen.set(regionId, seen);
    return seen;
  }
}

export type ReportedRegion = Pick<PeerView, "peerId" | "region" | "leadingTerm" | "applyState" | "status">;
