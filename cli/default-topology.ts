/** What a playground is made of when nobody says otherwise: three stores, a region led by each, everything here. */
export function defaultTopology(clusterId: string, basePort: number | null): string {
  const addresses = basePort === null ? usualAddresses() : addressesFrom(basePort);
  const peers = (region: number): object[] =>
    storeIds.map((storeId) => ({ store_id: storeId, peer_id: storeId * 100 + region }));
  const topology = {
    cluster_id: clusterId,
    max_retries: 8,
    coordinator: { addr: addresses.coordinator, work_dir: "./coordinator", metrics_addr: addresses.metrics[0] },
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

const storeIds = [1, 2, 3];
/** Where names of keys begin: about as many before each. */
const bounds = [["", "h"], ["h", "q"], ["q", ""]] as const;

interface Addresses {
  readonly coordinator: string;
  readonly redis: string;
  readonly stores: readonly string[];
  /** Of the Coordinator, the stores and the gateway. */
  readonly metrics: readonly string[];
}

function usualAddresses(): Addresses {
  return {
    coordinator: at(2379),
    redis: at(6380),
    stores: [20_170, 20_171, 20_172].map(at),
    metrics: [12_379, 21_170, 21_171, 21_172, 16_380].map(at),
  };
}

/** Ten in a row. */
function addressesFrom(port: number): Addresses {
  return {
    redis: at(port),
    coordinator: at(port + 1),
    stores: [port + 2, port + 3, port + 4].map(at),
    metrics: [port + 5, port + 6, port + 7, port + 8, port + 9].map(at),
  };
}

function at(port: number): string {
  return `127.0.0.1:${port}`;
}
