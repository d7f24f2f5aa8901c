import type { Mutant } from "./mutant.ts";

const scenario = "coordinator";
/** Who may see first that the journal does not hold what was promised. */
const lost = ["recovery", "liveness", "timestamps", "ids", "root-token", "durability", "region-map", "transitions"];

/** Timestamps, ids, heartbeats, transitions and routes of the Coordinator. */
export const coordinatorMutants: readonly Mutant[] = [
  {
    name: "tso-served-before-fence-is-durable",
    file: "coordinator/allocators.ts",
    find: `    this.#journal.propose({ kind: "TSOAllocatorFenced", fence }, ({ error }) => {
      if (error !== null) return this.#unavailable(this.#timestamps, this.#oracle.unfenced(), error);
      this.#oracle.fenced(fence);
      this.#schedule();
    });`,
    replace: `    this.#journal.propose({ kind: "TSOAllocatorFenced", fence }, () => {});
    this.#oracle.fenced(fence);
    this.#schedule();`,
    oracles: ["timestamps"],
    scenario,
    why: "After a crash timestamps come a second time, and two transactions have one name.",
  },
  {
    name: "tso-beyond-its-fence",
    file: "coordinator/fenced-counter.ts",
    find: `      if (end > this.#fence) break;`,
    replace: `      if (first > this.#fence) break;`,
    oracles: ["timestamps", "ids"],
    scenario,
    why: "The end of a large batch was never made durable: it is given out again after a crash.",
  },
  {
    name: "tso-starts-at-the-clock",
    file: "coordinator/allocators.ts",
    find: `new TimestampOracle(journal.state.tsoFence, limits, mayBeOld)`,
    replace: `new TimestampOracle(0, limits, mayBeOld)`,
    oracles: ["timestamps", "exception", "hang"],
    scenario,
    why: "A restart on a slow clock gives timestamps that were given before.",
  },
  {
    name: "tso-follows-the-clock-back",
    file: "coordinator/fenced-counter.ts",
    find: `      const first = Math.max(this.#last + 1, floor);`,
    replace: `      const first = floor > 0 ? floor : this.#last + 1;`,
    oracles: ["timestamps"],
    scenario,
    why: "When the clock goes back, or twice in a millisecond, timestamps go back.",
  },
  {
    name: "tso-32-bit-arithmetic",
    file: "coordinator/timestamp-oracle.ts",
    find: `  return ms > 0 ? ms * versionsPerMs : 0;`,
    replace: `  return ms > 0 ? (ms * versionsPerMs) >>> 0 : 0;`,
    oracles: ["timestamps"],
    scenario,
    why: "Timestamps have nothing to do with the clock any more.",
  },
  {
    name: "tso-clock-lead-not-checked",
    file: "coordinator/timestamp-oracle.ts",
    find: `leadMs > leadMsMax && leadMsMax > 0`,
    replace: `leadMs < 0 && leadMsMax < 0`,
    oracles: ["timestamps"],
    scenario,
    why: "A clock that is wrong by years takes all timestamps with it, for ever.",
  },
  {
    name: "tso-takes-a-standstill-for-a-wrong-clock",
    file: "coordinator/timestamp-oracle.ts",
    find: `mayBeOld ? stoppedMsMax : leadMsMax;`,
    replace: `mayBeOld ? leadMsMax : leadMsMax;`,
    oracles: ["timestamps"],
    scenario,
    why: "A cluster that was stopped for a weekend gives no timestamps ever after.",
  },
  {
    name: "tso-window-piles-up",
    file: "coordinator/timestamp-oracle.ts",
    find: `    const ahead = Math.max(this.#counter.last, floor, paced) + windowAheadMs * versionsPerMs;`,
    replace: `    const ahead = Math.max(this.#counter.last, floor, paced) + 3_600_000 * versionsPerMs;`,
    oracles: ["timestamps"],
    scenario,
    why: "Every restart drives timestamps an hour ahead of the clock.",
  },
  {
    name: "id-window-not-burnt",
    file: "coordinator/allocators.ts",
    find: `new IdAllocator(journal.state.idFence)`,
    replace: `new IdAllocator(Math.max(0, journal.state.idFence - 1_000))`,
    oracles: ["ids"],
    scenario,
    why: "After a restart ids are given out again: two regions have one name.",
  },
  {
    name: "first-ids-given-out-again",
    file: "coordinator/root-event.ts",
    find: `  if (event.kind === "StoreJoined") return event.storeId;
  if (event.kind !== "RegionBootstrap" && event.kind !== "RegionDescriptorPublished") return 0;`,
    replace: `  if (event.kind !== "ClusterBootstrapped" || event.clusterId > 0) return 0;
  if (event.kind === "ClusterBootstrapped") return event.clusterId;`,
    oracles: ["ids"],
    scenario,
    why: "The ids of the first stores and regions are given to somebody else.",
  },
  {
    name: "heartbeat-last-write-wins",
    file: "coordinator/region-map.ts",
    find: `    if (!epochCovers(region.epoch, own.epoch)) return { kind: "stale", by: own };
    // Two descriptors of one epoch are the same one: the range and the peers follow from it.
    if (epochCovers(own.epoch, region.epoch)) return { kind: "known" };`,
    replace: `    const { version, confVer } = own.epoch;
    if (version === region.epoch.version && confVer === region.epoch.confVer) return { kind: "known" };`,
    oracles: ["region-map", "transitions"],
    scenario,
    why: "A late heartbeat takes a region back to a range or to peers that it left.",
  },
  {
    name: "heartbeat-ignores-other-regions",
    file: "coordinator/region-map.ts",
    find: `    if (other.epoch.version >= region.epoch.version) return { kind: "stale", by: other };`,
    replace: `    if (other.epoch.version < 0) return { kind: "stale", by: other };`,
    oracles: ["region-map", "transitions"],
    scenario,
    why: "A late heartbeat of a parent covers its children again.",
  },
  {
    name: "heartbeat-compares-peers-across-regions",
    file: "coordinator/region-map.ts",
    find: `    if (other.epoch.version >= region.epoch.version) return { kind: "stale", by: other };`,
    replace: `    if (!epochCovers(region.epoch, other.epoch)) return { kind: "stale", by: other };`,
    oracles: ["region-map", "transitions"],
    scenario,
    why: "A merged region never gets into the map when its source had changed its peers more often.",
  },
  {
    name: "vacated-range-forgotten",
    file: "coordinator/region-map.ts",
    find: `gap.version >= version && rangesOverlap(gap, region)`,
    replace: `gap.version < 0 && rangesOverlap(gap, region)`,
    oracles: ["region-map"],
    scenario,
    why: "A descriptor that is over comes back into a gap, and keys are routed to where they were long ago.",
  },
  {
    name: "map-keeps-what-is-overlapped",
    file: "coordinator/reduce.ts",
    find: `    const over = map.splice(first, count, region);`,
    replace: `    const over = map.splice(first, Math.min(count, 1), region);`,
    oracles: ["region-map", "exception"],
    scenario,
    why: "A merged region stands in the map beside the one it has swallowed.",
  },
  {
    name: "old-leader-wins",
    file: "coordinator/leader-view.ts",
    find: `    if (known !== undefined && known.term > term) return false;`,
    replace: ``,
    oracles: ["region-map"],
    scenario,
    why: "A late heartbeat of a deposed leader sends clients to it.",
  },
  {
    name: "plan-moves-the-route",
    file: "coordinator/reduce.ts",
    find: `      draft.pendingRangeChanges.sort((a, b) => a.regionId - b.regionId);
      return;`,
    replace: `      draft.pendingRangeChanges.sort((a, b) => a.regionId - b.regionId);
      draft.regions = draft.regions.filter(({ id }) => !otherIds.includes(id));
      return;`,
    oracles: ["region-map", "errors", "transitions"],
    scenario,
    why: "Planning a merge already takes its target out of the map.",
  },
  {
    name: "cancelled-plan-stays-open",
    file: "coordinator/reduce.ts",
    find: `      settle(draft, event.transitionId, "cancelled");`,
    replace: ``,
    oracles: ["transitions"],
    scenario,
    why: "A change that was given up stays open for ever, and no other change of the region is allowed.",
  },
  {
    name: "late-terminal-event-refused",
    file: "coordinator/assess.ts",
    find: `  return { ...assessment, decision, accepted: true, retryClass: "NONE" };`,
    replace: `  return { ...assessment, decision };`,
    oracles: ["transitions"],
    scenario,
    why: "A store that publishes again what heartbeats have told already is refused, and tries for ever.",
  },
  {
    name: "journal-not-synced",
    file: "coordinator/journal-file.ts",
    find: `    startSync(this.#opened(), (error) => {
      if (error === null) this.#frames.durableBytes = covered;
      done(error);
    });`,
    replace: `    this.#frames.durableBytes = covered;
    done(null);`,
    oracles: ["timestamps", "durability", "region-map", "transitions", "root-token", "recovery", "liveness", "ids"],
    scenario,
    why: "What was acknowledged is gone after a loss of power.",
  },
  {
    name: "heartbeat-answered-before-durable",
    file: "coordinator/coordinator.ts",
    find: `    const event: RootEvent = { kind: "RegionDescriptorPublished", region };
    this.#journal.propose(event, (proposed) => {
      if (proposed.error !== null) return reply(proposed.error, null, 0);`,
    replace: `    const event: RootEvent = { kind: "RegionDescriptorPublished", region };
    this.#answer(reply, null, null);
    this.#journal.propose(event, (proposed) => {
      if (proposed.error !== null || proposed.assessment.accepted) return;`,
    oracles: ["region-map", "exception"],
    scenario,
    why: "A descriptor that a leader was told to be known is forgotten in a crash, and keys are routed backwards.",
  },
  {
    name: "journal-renamed-before-sync",
    file: "coordinator/journal-directory.ts",
    find: `  journal.sync((error) => {
    if (error !== null) return refuse(error, false);`,
    replace: `  journal.sync(() => {});
  env.clock.soon((error: DiskError | null = null) => {
    if (error !== null) return refuse(error, false);`,
    oracles: [...lost, "exception"],
    scenario,
    why: "A loss of power leaves an empty journal under the name that counts.",
  },
  {
    name: "journal-name-not-synced",
    file: "coordinator/journal-directory.ts",
    find: `    directory.sync((failure) => (failure === null ? done(null, journal, false) : refuse(failure, false)));`,
    replace: `    done(null, journal, false);`,
    oracles: ["timestamps", "root-token", "durability", "region-map", "transitions", "recovery", "liveness"],
    scenario,
    why: "A loss of power takes the journal's name, when the one before it is removed already.",
  },
  {
    name: "journal-goes-on-after-failed-sync",
    file: "coordinator/local-journal.ts",
    find: `    if (error !== null) return this.#fail(error);
    const told`,
    replace: `    const told`,
    oracles: ["timestamps", "durability", "region-map", "transitions", "root-token", "exception", "recovery", "ids"],
    scenario,
    why: "Events whose sync failed are acknowledged, and gone after the next loss of power.",
  },
  {
    name: "journal-checkpoint-without-its-events",
    file: "coordinator/local-journal.ts",
    find: `    const state = this.#writing.at(-1)?.state ?? this.#state;`,
    replace: `    const { state } = this;`,
    oracles: ["timestamps", "durability", "region-map", "transitions", "root-token", "ids"],
    scenario,
    why: "The events that made the journal begin a new file are lost with the next crash.",
  },
  {
    name: "journal-skip-overtakes",
    file: "coordinator/local-journal.ts",
    find: `    this.#gathering.push({ event: applied, assessment, state, done });`,
    replace: `    if (assessment.decision === "SKIP") {
      const token = this.#token;
      this.#env.clock.soon(() => done({ error: null, assessment, token }));
      return;
    }
    this.#gathering.push({ event: applied, assessment, state, done });`,
    oracles: ["transitions", "durability", "region-map", "root-token"],
    scenario,
    why: "An event is called known although the one that says so is lost with the next crash.",
  },
  {
    name: "failed-fence-is-never-asked-for-again",
    file: "coordinator/fenced-counter.ts",
    find: `    this.#proposed = 0;
    return this.drain();`,
    replace: `    return [];`,
    oracles: ["hang"],
    scenario,
    why: "When the Coordinator's disk has failed, its clients wait for ever instead of being told.",
  },
  {
    name: "journal-term-not-raised",
    file: "coordinator/local-journal.ts",
    find: `token: { term: token.term + 1, index: token.index }`,
    replace: `token: { term: 1, index: 0 }`,
    oracles: ["root-token"],
    scenario,
    why: "A client takes an old view for one that has everything it has seen.",
  },
];
