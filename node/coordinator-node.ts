import { refusal } from "../core/engine/failure.ts";
import type { Env } from "../core/env/env.ts";
import type { Address } from "../core/env/network.ts";
import { NokvError } from "../core/errors.ts";
import { Coordinator, type CoordinatorOptions, coordinatorDefaults } from "../coordinator/coordinator.ts";
import type { RootJournal } from "../coordinator/journal.ts";
import { journalFileBytesMax, LocalJournal } from "../coordinator/local-journal.ts";
import { coordinatorId } from "../coordinator/service/methods.ts";
import { serveCoordinator } from "../coordinator/service/server.ts";
import type { NetOptions } from "../net/rpc/options.ts";
import { Transport } from "../net/rpc/transport.ts";
import type { RegionMeta } from "../raft/region.ts";
import { type CoordinatorGroup, openGroupJournal } from "./coordinator-group.ts";
import { coordinatorVars } from "./coordinator-vars.ts";
import { Diagnostics } from "./diagnostics.ts";
import { foundCluster, isFounded } from "./found-cluster.ts";
import { listenTransport } from "./listen.ts";

export interface CoordinatorNodeConfig {
  /** The journal's directory. Created if its parent exists. */
  readonly workDir: string;
  /** Port 0 picks a free one. */
  readonly listen: Address;
  readonly clusterId: string;
  /** Of a new cluster: who holds which keys until leaders say otherwise. */
  readonly firstRegions: readonly RegionMeta[];
  /** Of a new cluster: that each region is to have, and gets again when stores are lost; 0: as they are. */
  readonly replicas?: number;
  /** Owner of the directory's lock, for people. */
  readonly owner: string;
  /** Null: nowhere. */
  readonly diagnostics: Address | null;
  /** Not given: it is alone. */
  readonly group?: CoordinatorGroup | null;
  readonly coordinator?: CoordinatorOptions;
  readonly network?: Partial<NetOptions>;
  /**
   * Called once: the disk refused, and nothing can be decided any more. A process does best to close the node and to
   * exit, for its supervisor to start it anew.
   */
  readonly onFatal?: (error: NokvError) => void;
}

/** A Coordinator's journal and the transport that speaks for it, of one that is alone or of a member of a group. */
export interface JournalParts {
  readonly journal: RootJournal;
  readonly transport: Transport;
  /** What it waits for before it is of use; empty: it serves. */
  waitingFor(): readonly string[];
  /** Resolves when it takes part. Rejects with `NokvError`. */
  begin(): Promise<void>;
  close(): Promise<void>;
}

interface NodeParts extends JournalParts {
  readonly coordinator: Coordinator;
}

/** A Coordinator with its journal and its transport: the whole of a Coordinator's process. */
export class CoordinatorNode {
  readonly coordinator: Coordinator;
  readonly address: Address;
  readonly diagnostics: Diagnostics | null;
  readonly #parts: NodeParts;
  #closing: Promise<void> | null = null;

  constructor(parts: NodeParts, address: Address, diagnostics: Diagnostics | null) {
    this.coordinator = parts.coordinator;
    this.#parts = parts;
    this.address = address;
    this.diagnostics = diagnostics;
  }

  /** Whoever waits for an answer hears that the connection is gone. May be called again. */
  close(): Promise<void> {
    this.#closing ??= closeParts(this.#parts, this.diagnostics);
    return this.#closing;
  }

  get journal(): RootJournal {
    return this.#parts.journal;
  }

  get transport(): Transport {
    return this.#parts.transport;
  }

  waitingFor(): readonly string[] {
    return this.#parts.waitingFor();
  }
}

/** Tells the first failure, and remembers it. */
class Ailment {
  readonly #onFatal: (error: NokvError) => void;
  message: string | null = null;

  constructor(onFatal: (error: NokvError) => void) {
    this.#onFatal = onFatal;
  }

  tell(error: NokvError): void {
    if (this.message !== null) return;
    this.message = error.message;
    this.#onFatal(error);
  }
}

/**
 * Opens the journal, and listens. One that is alone names a new cluster before; in a group whoever leads does. Throws
 * `NokvError`: what the journal's opening throws, `NOKV_FOREIGN_DIRECTORY` when the directory is another cluster's,
 * `NOKV_IO` when an address cannot be taken; then nothing is left open.
 */
export async function openCoordinatorNode(env: Env, config: CoordinatorNodeConfig): Promise<CoordinatorNode> {
  const ailment = new Ailment(config.onFatal ?? (() => {}));
  const failed = (error: NokvError): void => ailment.tell(error);
  const { group = null } = config;
  const opened = await (group === null ? openAlone(env, config, failed) : openGroupJournal(env, config, group, failed));
  const { journal, transport } = opened;
  const coordinator = new Coordinator(env, journal, config.coordinator ?? coordinatorDefaults);
  const parts: NodeParts = { ...opened, coordinator };
  let diagnostics: Diagnostics | null = null;
  try {
    if (group === null) await foundCluster(env, coordinator, config);
    else foundWhenLeading(env, coordinator, journal, config);
    serveCoordinator(transport, coordinator, () => isFounded(coordinator.state));
    if (config.diagnostics !== null) {
      diagnostics = await Diagnostics.open(env, config.diagnostics, {
        ailment: () => ailment.message,
        waitingFor: () => parts.waitingFor(),
        vars: () => coordinatorVars(coordinator, journal, transport),
        cluster: null,
      });
    }
    const address = await listenTransport(transport, config.listen);
    await parts.begin();
    return new CoordinatorNode(parts, address, diagnostics);
  } catch (error) {
    if (error instanceof NokvError) await closeParts(parts, diagnostics);
    throw error;
  }
}

async function openAlone(
  env: Env,
  config: CoordinatorNodeConfig,
  failed: (error: NokvError) => void,
): Promise<JournalParts> {
  const { workDir, owner, clusterId } = config;
  const journal = await LocalJournal.open(env, workDir, {
    owner,
    fileBytesMax: journalFileBytesMax,
    failed: (error) => failed(refusal(error, `the Coordinator's journal in ${workDir} failed`)),
  });
  const transport = new Transport(env, {
    identity: { clusterId, storeId: coordinatorId, incarnation: journal.token.term, role: "coordinator", features: 0 },
    options: config.network ?? {},
    resolve: (_, done) => done(null),
    hooks: { onMessage: () => {}, onUnreachable: () => {} },
    streams: null,
  });
  return {
    journal,
    transport,
    waitingFor: () => (journal.status.role === "leader" ? [] : ["a working journal"]),
    begin: () => Promise.resolve(),
    close: () => journal.close(),
  };
}

/** A leader that is deposed meanwhile leaves it to the next one. */
// oxlint-disable-next-line max-params
function foundWhenLeading(
  env: Env,
  coordinator: Coordinator,
  journal: RootJournal,
  config: CoordinatorNodeConfig,
): void {
  const found = async (): Promise<void> => {
    try {
      await foundCluster(env, coordinator, config);
    } catch (error) {
      if (!(error instanceof NokvError)) throw error;
      env.trace.emit("coordinator/not-founded", { why: error.message });
    }
  };
  journal.watchOffice({ lead: () => void found(), stepDown: () => {} });
}

async function closeParts(parts: NodeParts, diagnostics: Diagnostics | null): Promise<void> {
  diagnostics?.close();
  parts.coordinator.stop();
  parts.transport.close();
  await parts.close();
}
