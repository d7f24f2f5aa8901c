/** Coordinators of a topology that is written: one that is alone, or a group. */
export type CoordinatorCount = 1 | 3;

/**
 * What a playground is made of when nobody says otherwise: three stores, a region led by each, everything here, and one
 * Coordinator. A group of three is two processes more on a machine whose loss is the loss of all of them.
 */
export function defaultTopology(
  clusterId: string,
  basePort: number | null,
  coordinators: CoordinatorCount = 1,
): string {
  const addresses = basePort === null ? usualAddresses() : addressesFrom(basePort);
  const peers = (region: number): object[] =>
    storeIds.map((storeId) => ({ store_id: storeId, peer_id: storeId * 100 + region }));
  const topology = {
    cluster_id: clusterId,
    max_retries: 8,
    ...(coordinators === 1 ? { coordinator: placeOf(addresses, 0) } : { coordinators: group(addresses) }),
    redis: { addr: addresses.redis, metrics_addr: addresses.metrics[4] },
    store_work_dir_template: "./store-{id}",
    stores: storeIds.map((storeId, i) => ({
      store_id: storeId, addr: addresses.stores[i], metrics_addr: addresses.metrics[storeId],
    })),
    regions: bounds.map(([start, end], i) => ({
      id: i + 1, start_key: start, end_key: end, epoch: { version: 1, conf_version: 1 }, peers: peers(i + 1),
      leader_store_id: i + 1,
    })),
  };
  return `${JSON.stringify(topology, null, 2)}\n`;
}

function placeOf({ coordinators, metrics, otherMetrics }: Addresses, at: number): object {
  const places = [metrics[0], ...otherMetrics];
  return { addr: coordinators[at], work_dir: "./coordinator", metrics_addr: places[at] };
}

function group(addresses: Addresses): object[] {
  return [0, 1, 2].map((at) => ({ id: at + 1, ...placeOf(addresses, at), work_dir: `./coordinator-${at + 1}` }));
}

const storeIds = [1, 2, 3];
/** Where names of keys begin: about as many before each. */
const bounds = [["", "h"], ["h", "q"], ["q", ""]] as const;

interface Addresses {
  /** One that is alone is the first of them. */
  readonly coordinators: readonly string[];
  readonly redis: string;
  readonly stores: readonly string[];
  /** Of the Coordinator, the stores and the gateway. */
  readonly metrics: readonly string[];
  /** Of the second and the third Coordinator. */
  readonly otherMetrics: readonly string[];
}

function usualAddresses(): Addresses {
  return {
    coordinators: [2379, 2380, 2381].map(at),
    redis: at(6380),
    stores: [20_170, 20_171, 20_172].map(at),
    metrics: [12_379, 21_170, 21_171, 21_172, 16_380].map(at),
    otherMetrics: [12_380, 12_381].map(at),
  };
}

/** Ten in a row; with three Coordinators fourteen. */
function addressesFrom(port: number): Addresses {
  return {
    redis: at(port),
    coordinators: [port + 1, port + 10, port + 11].map(at),
    stores: [port + 2, port + 3, port + 4].map(at),
    metrics: [port + 5, port + 6, port + 7, port + 8, port + 9].map(at),
    otherMetrics: [port + 12, port + 13].map(at),
  };
}

function at(port: number): string {
  return `127.0.0.1:${port}`;
}
