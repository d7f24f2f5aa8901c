import type { Timer } from "../core/env/clock.ts";
import type { Env } from "../core/env/env.ts";
import type { Address } from "../core/env/network.ts";
import { NokvError } from "../core/errors.ts";
import type { CoordinatorClient } from "../coordinator/service/client.ts";
import { checkGatewayOptions, type GatewayOptions } from "../net/redis/options.ts";
import { RedisServer } from "../net/redis/server.ts";
import type { NetOptions } from "../net/rpc/options.ts";
import type { Transport } from "../net/rpc/transport.ts";
import type { TxnClientOptions } from "../txn/remote/client-options.ts";
import { GarbageKeeper, type GarbageKeeperOptions, garbageKeeperOptionsDefault } from "../txn/remote/garbage-keeper.ts";
import { ClusterKv } from "../txn/remote/cluster-kv.ts";
import { TxnClient } from "../txn/remote/txn-client.ts";
import { ClusterWatch, clusterSource, storesOf } from "./cluster-watch.ts";
import { Diagnostics } from "./diagnostics.ts";
import { gatewayVars } from "./gateway-vars.ts";
import { listenServer } from "./listen.ts";
import { reachCluster } from "./reach-cluster.ts";
import type { Topology } from "./topology.ts";

export interface GatewayNodeConfig {
  readonly topology: Topology;
  /** Port 0 picks a free one. */
  readonly listen: Address;
  readonly gateway: Partial<GatewayOptions>;
  /** Null: nowhere. */
  readonly diagnostics: Address | null;
  /** The HTML that shows the cluster there. */
  readonly page?: string | null;
  readonly client?: Partial<TxnClientOptions>;
  readonly garbage?: Partial<GarbageKeeperOptions>;
  readonly network?: Partial<NetOptions>;
}

interface GatewayParts {
  readonly transport: Transport;
  readonly coordinator: CoordinatorClient;
  readonly client: TxnClient;
  readonly server: RedisServer;
  readonly probe: CoordinatorProbe;
  readonly garbage: GarbageKeeper;
  readonly watch: ClusterWatch;
}

const probeMs = 500;

/** A Redis server before a cluster. It keeps nothing: any number of them may serve one cluster. */
export class GatewayNode {
  readonly diagnostics: Diagnostics | null;
  readonly #parts: GatewayParts;
  #closing: Promise<void> | null = null;

  constructor(parts: GatewayParts, diagnostics: Diagnostics | null) {
    this.#parts = parts;
    this.diagnostics = diagnostics;
  }

  /** Where clients connect. */
  get address(): Address {
    return this.#parts.server.address;
  }

  get client(): TxnClient {
    return this.#parts.client;
  }

  get transport(): Transport {
    return this.#parts.transport;
  }

  /** Takes no more clients, answers what was begun, hangs up. May be called again. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.diagnostics?.close();
    await new Promise<void>((resolve) => this.#parts.server.close(resolve));
    closeRest(this.#parts);
  }
}

/**
 * Listens for Redis clients; the cluster is asked when they are. Rejects with `NOKV_INVALID_ARGUMENT` for options, and
 * `NOKV_IO` when an address cannot be taken; then nothing is left open.
 */
export async function openGatewayNode(env: Env, config: GatewayNodeConfig): Promise<GatewayNode> {
  const options = checkGatewayOptions(config.gateway);
  const parts = compose(env, config, options);
  const { server, transport, coordinator, probe } = parts;
  let diagnostics: Diagnostics | null = null;
  try {
    if (config.diagnostics !== null) {
      diagnostics = await Diagnostics.open(env, config.diagnostics, {
        ailment: () => null,
        waitingFor: () => (probe.answered ? [] : ["the Coordinator"]),
        vars: () => gatewayVars(server, parts.client, coordinator, transport),
        cluster: clusterSource(parts.watch, config.page ?? null),
      });
    }
    await listenServer(server, config.listen);
  } catch (error) {
    if (!(error instanceof NokvError)) throw error;
    diagnostics?.close();
    closeRest(parts);
    throw error;
  }
  probe.start();
  parts.garbage.start();
  return new GatewayNode(parts, diagnostics);
}

function compose(env: Env, config: GatewayNodeConfig, options: GatewayOptions): GatewayParts {
  const { topology, network = {} } = config;
  const { transport, coordinator } = reachCluster(env, topology, "gateway", network);
  const { clock, random } = env;
  const client = new TxnClient({ clock, random, caller: transport, coordinator, options: config.client ?? {} });
  const server = new RedisServer(env, new ClusterKv(client, clock), options);
  const garbage = new GarbageKeeper({
    client, clock, coordinator, options: { ...garbageKeeperOptionsDefault, ...config.garbage },
  });
  const probe = new CoordinatorProbe(env, coordinator);
  const watch = new ClusterWatch({ clock, coordinator, caller: transport, stores: storesOf(topology) });
  return { transport, coordinator, client, server, probe, garbage, watch };
}

function closeRest({ client, coordinator, transport, probe, garbage, watch }: GatewayParts): void {
  watch.stop();
  probe.stop();
  garbage.stop();
  client.close();
  coordinator.close();
  transport.close();
}

/** Asks for a timestamp until one came. From then on a gateway is of use, whatever becomes of the Coordinator. */
class CoordinatorProbe {
  readonly #env: Env;
  readonly #coordinator: CoordinatorClient;
  answered = false;
  #timer: Timer | null = null;

  constructor(env: Env, coordinator: CoordinatorClient) {
    this.#env = env;
    this.#coordinator = coordinator;
  }

  start(): void {
    this.#coordinator.timestamps(1, probeMs, (error) => {
      if (error === null) this.answered = true;
      else if (error.code !== "STOPPED") this.#timer = this.#env.clock.after(probeMs * 1_000, () => this.start());
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }
}
