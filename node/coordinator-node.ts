import { assert } from "../core/assert.ts";
import { refusal } from "../core/engine/failure.ts";
import type { Env } from "../core/env/env.ts";
import type { Address } from "../core/env/network.ts";
import { NokvError } from "../core/errors.ts";
import { Coordinator, type CoordinatorOptions, coordinatorDefaults } from "../coordinator/coordinator.ts";
import { journalFileBytesMax, LocalJournal } from "../coordinator/local-journal.ts";
import type { RootEvent } from "../coordinator/root-event.ts";
import { coordinatorId } from "../coordinator/service/methods.ts";
import { serveCoordinator } from "../coordinator/service/server.ts";
import type { NetOptions } from "../net/rpc/options.ts";
import { Transport } from "../net/rpc/transport.ts";
import type { RegionMeta } from "../raft/region.ts";
import { coordinatorVars } from "./coordinator-vars.ts";
import { Diagnostics } from "./diagnostics.ts";
import { listenTransport } from "./listen-transport.ts";

export interface CoordinatorNodeConfig {
  /** The journal's directory. Created if its parent exists. */
  readonly workDir: string;
  /** Port 0 picks a free one. */
  readonly listen: Address;
  readonly clusterId: string;
  /** Of a new cluster: who holds which keys until leaders say otherwise. */
  readonly firstRegions: readonly RegionMeta[];
  /** Owner of the directory's lock, for people. */
  readonly owner: string;
  /** Null: nowhere. */
  readonly diagnostics: Address | null;
  readonly coordinator?: CoordinatorOptions;
  readonly network?: Partial<NetOptions>;
  /**
   * Called once: the disk refused, and nothing can be decided any more. A process does best to close the node and to
   * exit, for its supervisor to start it anew.
   */
  readonly onFatal?: (error: NokvError) => void;
}

/** The entry of the Coordinator's state that says which cluster its directory belongs to. */
const clusterEntry = "cluster-id";
const clusterVersion = 1;

/** A Coordinator with its journal and its transport: the whole of a Coordinator's process. */
export class CoordinatorNode {
  readonly coordinator: Coordinator;
  readonly address: Address;
  readonly diagnostics: Diagnostics | null;
  readonly #journal: LocalJournal;
  readonly #transport: Transport;
  #closing: Promise<void> | null = null;

  constructor(parts: NodeParts, address: Address, diagnostics: Diagnostics | null) {
    this.coordinator = parts.coordinator;
    this.#journal = parts.journal;
    this.#transport = parts.transport;
    this.address = address;
    this.diagnostics = diagnostics;
  }

  /** Whoever waits for an answer hears that the connection is gone. May be called again. */
  close(): Promise<void> {
    this.#closing ??= closeParts(this, this.diagnostics);
    return this.#closing;
  }

  get journal(): LocalJournal {
    return this.#journal;
  }

  get transport(): Transport {
    return this.#transport;
  }
}

interface NodeParts {
  readonly coordinator: Coordinator;
  readonly journal: LocalJournal;
  readonly transport: Transport;
}

/**
 * Opens the journal, names a new cluster, and listens. Throws `NokvError`: what the journal's opening throws,
 * `NOKV_FOREIGN_DIRECTORY` when the directory is another cluster's, `NOKV_IO` when an address cannot be taken; then
 * nothing is left open.
 */
export async function openCoordinatorNode(env: Env, config: CoordinatorNodeConfig): Promise<CoordinatorNode> {
  let ailment: string | null = null;
  const journal = await LocalJournal.open(env, config.workDir, {
    owner: config.owner,
    fileBytesMax: journalFileBytesMax,
    failed: (error) => {
      const fatal = refusal(error, `the Coordinator's journal in ${config.workDir} failed`);
      ailment = fatal.message;
      config.onFatal?.(fatal);
    },
  });
  const coordinator = new Coordinator(env, journal, config.coordinator ?? coordinatorDefaults);
  const identity = {
    clusterId: config.clusterId, storeId: coordinatorId, incarnation: journal.token.term, role: "coordinator",
    features: 0,
  } as const;
  const transport = new Transport(env, {
    identity,
    options: config.network ?? {},
    resolve: (_, done) => done(null),
    hooks: { onMessage: () => {}, onUnreachable: () => {} },
    streams: null,
  });
  const parts = { coordinator, journal, transport };
  let diagnostics: Diagnostics | null = null;
  try {
    await nameCluster(env, coordinator, config);
    serveCoordinator(transport, coordinator);
    if (config.diagnostics !== null) {
      diagnostics = await Diagnostics.open(env, config.diagnostics, {
        ailment: () => ailment,
        waitingFor: () => (journal.status.role === "leader" ? [] : ["a working journal"]),
        vars: () => coordinatorVars(coordinator, journal, transport),
      });
    }
    const address = await listenTransport(transport, config.listen);
    return new CoordinatorNode(parts, address, diagnostics);
  } catch (error) {
    if (error instanceof NokvError) await closeParts(parts, diagnostics);
    throw error;
  }
}

/** A crash may end this anywhere: what is there already changes nothing, and what is missing is added the next time. */
async function nameCluster(env: Env, coordinator: Coordinator, config: CoordinatorNodeConfig): Promise<void> {
  const { state } = coordinator;
  const known = state.config.find(({ name }) => name === clusterEntry);
  if (known !== undefined && known.value !== config.clusterId) {
    const [is, asked] = [known.value, config.clusterId].map((name) => JSON.stringify(name));
    const message = `${config.workDir} is the Coordinator's of cluster ${is}, not of ${asked}: correct cluster_id`;
    throw new NokvError("NOKV_FOREIGN_DIRECTORY", message, { path: config.workDir });
  }
  const events: RootEvent[] = [];
  if (state.clusterId === 0) {
    const clusterId = 1 + env.random.u32("node/cluster-id", 0, Math.max(0, env.clock.wallMs()));
    events.push({ kind: "ClusterBootstrapped", clusterId, clusterVersion });
  }
  if (known === undefined) {
    // Before the name: a directory that has one has been told of its first regions.
    for (const region of config.firstRegions) events.push({ kind: "RegionBootstrap", region });
    events.push({ kind: "ConfigSet", name: clusterEntry, value: config.clusterId });
  }
  for (const event of events) await publish(coordinator, event);
}

function publish(coordinator: Coordinator, event: RootEvent): Promise<void> {
  return new Promise((resolve, reject) => {
    coordinator.publish(event, 0, (error, published) => {
      if (error !== null) {
        reject(new NokvError("NOKV_IO", `the Coordinator could not begin: ${error.message}`, { cause: error }));
        return;
      }
      assert(published !== null, "an answer is an error or what was published");
      resolve();
    });
  });
}

async function closeParts(parts: NodeParts, diagnostics: Diagnostics | null): Promise<void> {
  diagnostics?.close();
  parts.coordinator.stop();
  parts.transport.close();
  await parts.journal.close();
}
