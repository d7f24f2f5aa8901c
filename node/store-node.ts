import type { Env } from "../core/env/env.ts";
import type { Address } from "../core/env/network.ts";
import type { Engine } from "../core/engine/engine.ts";
import type { EngineOptions } from "../core/engine/options.ts";
import type { Scrubber, ScrubOptions, ScrubStats } from "../core/engine/scrubber.ts";
import { NokvError } from "../core/errors.ts";
import { CoordinatorClient } from "../coordinator/service/client.ts";
import type { NetOptions } from "../net/rpc/options.ts";
import { Transport } from "../net/rpc/transport.ts";
import { isStoreMessage } from "../raft/store/message-type.ts";
import { type RangeChanger, serveRaftAdmin } from "../raft/store/admin-service.ts";
import { EngineTransfer } from "../raft/store/engine-transfer.ts";
import type { PeerView } from "../raft/store/peer-view.ts";
import type { RaftLog } from "../raft/store/raft-log.ts";
import { Store } from "../raft/store/store.ts";
import type { StoreOptions } from "../raft/store/store-options.ts";
import { GcDriver } from "../txn/server/gc-driver.ts";
import { RegionService } from "../txn/server/region-service.ts";
import { serveReplicaHash } from "../txn/server/replica-hash.ts";
import { RequestMeter } from "../txn/server/request-meter.ts";
import { TxnRegion } from "../txn/server/txn-region.ts";
import { WriteCount } from "../txn/server/write-count.ts";
import { type TxnRegionOptions, txnRegionOptions } from "../txn/server/region-options.ts";
import { AddressBook, addressText, coordinatorIds } from "./address-book.ts";
import { ClusterWatch, clusterSource, storesOf } from "./cluster-watch.ts";
import { damagedStore } from "./damage-note.ts";
import { DamageWatch } from "./damage-watch.ts";
import { Diagnostics } from "./diagnostics.ts";
import { ForgottenPeers } from "./forgotten-peers.ts";
import { FirstRegions } from "./first-regions.ts";
import { listenTransport } from "./listen.ts";
import { regionRanges } from "./region-ranges.ts";
import { Rounds } from "./rounds.ts";
import { SeedPromotion } from "./seed-promotion.ts";
import type { SplitLimits } from "./split-checker.ts";
import { becomeStore, openStoreDirectory, type StoreDirectory } from "./store-directory.ts";
import { StoreFailure } from "./store-failure.ts";
import { StoreRanges } from "./store-ranges.ts";
import { StoreReporter } from "./store-reporter.ts";
import { StoreLoadMeter } from "./store-load.ts";
import { scrubOptions, storeScrubber } from "./store-scrub.ts";
import { serveStoreStatus } from "./store-status.ts";
import { storeVars } from "./store-vars.ts";
import type { Topology } from "./topology.ts";

export interface StoreNodeConfig {
  readonly storeId: number;
  /** Who is there, and which regions there are on the first day. */
  readonly topology: Topology;
  /** Where its data is. */
  readonly workDir: string;
  /** Port 0 picks a free one. */
  readonly listen: Address;
  /** As others reach it. */
  readonly address: Address;
  /** Null: nowhere. */
  readonly diagnostics: Address | null;
  /** The HTML that shows the cluster there. */
  readonly page?: string | null;
  readonly engine: Partial<EngineOptions>;
  readonly store?: Partial<StoreOptions>;
  readonly regions?: Partial<TxnRegionOptions>;
  readonly network?: Partial<NetOptions>;
  readonly heartbeatMs?: number;
  /** When regions are divided by themselves. */
  readonly splits?: Partial<SplitLimits>;
  /** How fast it reads what it holds by itself; missing: as the topology says, or once a day. */
  readonly scrub?: Partial<ScrubOptions>;
  /** A replica that has heard of nobody for so long asks the Coordinator whether its region still has it. */
  readonly forgottenMs?: number;
  /**
   * Called once: the disk refused, or the directory is not what the cluster knows of this store. The node does nothing
   * more; a process does best to close it and to exit, for its supervisor to start it anew.
   */
  readonly onFatal: (error: NokvError) => void;
}

const heartbeatMsDefault = 1_000;
const forgottenMsDefault = 120_000;

/** How often what the regions have forgotten is told to the engine. */
const garbageMs = 1_000;
/** How often what background work has met is looked at. */
const damageMs = 1_000;

interface StoreNodeParts extends StoreDirectory {
  readonly transport: Transport;
  readonly client: CoordinatorClient;
  readonly store: Store;
  readonly reporter: StoreReporter;
  readonly first: FirstRegions;
  readonly garbage: Rounds;
  readonly ranges: StoreRanges;
  readonly writes: WriteCount;
  readonly watch: ClusterWatch;
  readonly forgotten: ForgottenPeers;
  readonly damage: DamageWatch;
  readonly scrub: Scrubber;
}

/** A store of a cluster: engine, Raft log, replicas, transactions and transport. The whole of a store's process. */
export class StoreNode {
  readonly store: Store;
  readonly address: Address;
  readonly diagnostics: Diagnostics | null;
  readonly #parts: StoreNodeParts;
  #closing: Promise<void> | null = null;

  constructor(parts: StoreNodeParts, address: Address, diagnostics: Diagnostics | null) {
    this.#parts = parts;
    this.store = parts.store;
    this.address = address;
    this.diagnostics = diagnostics;
  }

  get engine(): Engine {
    return this.#parts.engine;
  }

  /** What it has read by itself so far. */
  get scrubbed(): ScrubStats {
    return this.#parts.scrub.stats();
  }

  get log(): RaftLog {
    return this.#parts.log;
  }

  get transport(): Transport {
    return this.#parts.transport;
  }

  /** Divides and merges the regions that it leads. */
  get ranges(): RangeChanger {
    return this.#parts.ranges;
  }

  get incarnation(): number {
    return this.#parts.ident.incarnation;
  }

  /** What it still waits for before it is of use; empty: it serves. */
  waitingFor(): readonly string[] {
    return waitingFor(this.#parts);
  }

  /** Whoever waits is told, or hears that the connection is gone. May be called again. */
  close(): Promise<void> {
    this.#closing ??= closeParts(this.#parts, this.diagnostics);
    return this.#closing;
  }
}

/**
 * Opens the store's directory, recovers its replicas, and listens. With a new directory it begins its first regions
 * once the Coordinator has said that this store was never there before; until then it takes no part.
 *
 * Rejects with `NokvError`: what `openStoreDirectory` and `Store.open` reject with, and `NOKV_IO` when an address
 * cannot be taken; then nothing is left open.
 */
export async function openStoreNode(env: Env, config: StoreNodeConfig): Promise<StoreNode> {
  try {
    return await openParts(env, config);
  } catch (error) {
    if (!(error instanceof NokvError) || error.code !== "NOKV_CORRUPTION") throw error;
    throw damagedStore(error, config.workDir);
  }
}

async function openParts(env: Env, config: StoreNodeConfig): Promise<StoreNode> {
  const { storeId, topology, workDir } = config;
  const fatal = new StoreFailure(env, workDir, config.onFatal);
  const directory = await openStoreDirectory(env, {
    workDir, clusterId: topology.clusterId, storeId, engine: config.engine, failed: (error) => fatal.tell(error),
  });
  const book = new AddressBook(topology);
  let store: Store | null = null;
  let parts: StoreNodeParts | null = null;
  // A store that lost its directory must not as much as vote: others count on what it has forgotten.
  const takesPart = (): Store | null => (parts?.first.takesPart === true ? store : null);
  const transport = new Transport(env, {
    identity: { ...directory.ident, role: "store", features: 0 },
    options: config.network ?? {},
    resolve: (id, done) => book.resolve(id, done),
    hooks: {
      onMessage: (from, _, type, body) => {
        if (isStoreMessage(type)) takesPart()?.receive(from, type, body);
      },
      onUnreachable: (id) => store?.unreachable(id),
      onSuperseded: (reason) => fatal.superseded(storeId, reason),
    },
    streams: {
      // oxlint-disable-next-line max-params
      begin: (from, manifest, done, stream) => {
        const open = takesPart();
        if (open === null) done("the store does not take part yet");
        else open.streams.begin(from, manifest, done, stream);
      },
    },
  });
  const client = new CoordinatorClient(env.clock, transport, coordinatorIds(topology));
  book.askWith(client);
  let diagnostics: Diagnostics | null = null;
  try {
    const options = txnRegionOptions(config.regions ?? {});
    const writes = new WriteCount();
    store = await Store.open({
      world: env, engine: directory.engine, log: directory.log, transport, storeId, options: config.store ?? {},
      transfer: new EngineTransfer(env, directory.engine, directory.snapshots, regionRanges),
      makeMachine: (host) => new TxnRegion(host, { timestamps: client, options, writes }),
      onFatal: (error) => fatal.tell(error),
    });
    fatal.onTell = (error) => store?.fail(error);
    const meter = new RequestMeter(env.clock);
    // A seed elects itself at once; before its promotion nobody may read from it, nor write.
    const region = (id: number): PeerView | null => takesPart()?.region(id) ?? null;
    const service = new RegionService({ region, regions: () => takesPart()?.regions() ?? [] }, meter);
    service.register(transport);
    const { heartbeatMs: retryMs = heartbeatMsDefault } = config;
    const rangeParts = { client, store, engine: directory.engine, meter, retryMs };
    const ranges = new StoreRanges(env, rangeParts, topology, config.splits ?? {});
    serveRaftAdmin(transport, store, ranges);
    serveReplicaHash(transport, store, directory.engine);
    serveStoreStatus(transport, { clock: env.clock, engine: directory.engine, store, meter, ident: directory.ident });
    parts = compose(env, config, { ...directory, transport, client, store, ranges, writes }, fatal);
    diagnostics = await openDiagnostics(env, config, parts, fatal);
    const address = await listenTransport(transport, config.listen);
    parts.first.begin();
    return new StoreNode(parts, address, diagnostics);
  } catch (error) {
    if (!(error instanceof NokvError)) throw error;
    diagnostics?.close();
    await closeAll({ ...directory, transport, client, store }, parts);
    throw error;
  }
}

type OpenParts = Omit<StoreNodeParts, "reporter" | "first" | "garbage" | "watch" | "forgotten" | "damage" | "scrub">;

// oxlint-disable-next-line max-params
function compose(env: Env, config: StoreNodeConfig, parts: OpenParts, fatal: StoreFailure): StoreNodeParts {
  const { client, store, engine } = parts;
  const { heartbeatMs = heartbeatMsDefault, forgottenMs = forgottenMsDefault } = config;
  const meter = new StoreLoadMeter(env.clock, engine, parts.ident.incarnation, parts.writes);
  const reporter = new StoreReporter({
    clock: env.clock, trace: env.trace, client, store, address: addressText(config.address), labels: [],
    load: () => meter.load(), usageOf: ({ region }) => parts.ranges.usageOf(region),
    merge: (regionId, targetId, done) => parts.ranges.merge(regionId, targetId, done), heartbeatMs,
  });
  const { seed } = parts;
  const { storeId, workDir, topology: { clusterId } } = config;
  const promotion = seed === null ? null : new SeedPromotion({
    clock: env.clock, client, seed, retryMs: heartbeatMs,
    promote: () => becomeStore(env, engine, { workDir, clusterId, storeId }, { seed, step: "done" }),
  });
  const first = new FirstRegions({
    clock: env.clock, client, store, regions: config.topology.regions, promotion, isNew: parts.isNew,
    retryMs: heartbeatMs,
    noteJoined: () => becomeStore(env, engine, { workDir, clusterId, storeId }, { seed, step: "done" }),
    begun: () => {
      reporter.start();
      parts.ranges.start();
    },
    failed: (error) => fatal.tell(error),
  });
  const collector = new GcDriver(store, engine, env.clock);
  const garbage = new Rounds(env.clock, garbageMs * 1_000, () => collector.step());
  garbage.start();
  const { clock } = env;
  const watch = new ClusterWatch({
    clock, coordinator: client, caller: parts.transport, stores: storesOf(config.topology),
  });
  const damage = new DamageWatch({
    clock, engine, log: parts.log, everyMs: damageMs, failed: (error) => fatal.tell(error),
  });
  damage.start();
  const scrub = storeScrubber(env, {
    workDir, engine, log: parts.log, options: scrubOptions(config.scrub ?? {}, config.topology),
    failed: (error) => fatal.tell(error),
  });
  scrub.start();
  const forgotten = new ForgottenPeers({ clock, client, store, afterMs: forgottenMs });
  forgotten.start();
  return { ...parts, reporter, first, garbage, watch, forgotten, damage, scrub };
}

function waitingFor({ store, reporter, first, seed }: StoreNodeParts): readonly string[] {
  const waiting: string[] = [];
  if (!first.takesPart && seed !== null) waiting.push("the Coordinator's word that it takes the seed");
  else if (!first.takesPart) waiting.push("the Coordinator's word that this store is new");
  else if (!reporter.joined) waiting.push("the Coordinator");
  const leaderless = store.regions().filter(({ leaderStore }) => leaderStore === 0);
  if (leaderless.length > 0) waiting.push(`leaders of ${leaderless.length} regions`);
  return waiting;
}

// oxlint-disable-next-line max-params
async function openDiagnostics(
  env: Env,
  { diagnostics: address, page = null }: StoreNodeConfig,
  parts: StoreNodeParts,
  fatal: StoreFailure,
): Promise<Diagnostics | null> {
  if (address === null) return null;
  return await Diagnostics.open(env, address, {
    ailment: () => fatal.error?.message ?? null,
    waitingFor: () => waitingFor(parts),
    vars: () => storeVars(parts),
    cluster: clusterSource(parts.watch, page),
  });
}

async function closeParts(parts: StoreNodeParts, diagnostics: Diagnostics | null): Promise<void> {
  diagnostics?.close();
  await closeAll(parts, parts);
}

async function closeAll(
  { store, client, transport, log, engine }: Omit<OpenParts, "store" | "ranges" | "writes"> & {
    readonly store: Store | null;
  },
  parts: StoreNodeParts | null,
): Promise<void> {
  const promoted = parts?.first.stop();
  parts?.reporter.stop();
  parts?.garbage.stop();
  parts?.ranges.stop();
  parts?.watch.stop();
  parts?.forgotten.stop();
  parts?.damage.stop();
  const scrubbed = parts?.scrub.stop();
  await store?.close();
  client.close();
  transport.close();
  // It reads files of both, and asks them which.
  await scrubbed;
  await log.close();
  // The engine has the directory's lock: whoever has it next must not meet a MODE that is being written.
  await promoted;
  await engine.close();
}
