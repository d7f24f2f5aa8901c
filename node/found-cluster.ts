import { assert } from "../core/assert.ts";
import type { Env } from "../core/env/env.ts";
import { NokvError } from "../core/errors.ts";
import type { Coordinator } from "../coordinator/coordinator.ts";
import { replicasEntry } from "../coordinator/operations.ts";
import type { RootEvent } from "../coordinator/root-event.ts";
import type { CoordinatorState } from "../coordinator/state.ts";
import type { RegionMeta } from "../raft/region.ts";

/** What a cluster is on its first day. */
export interface FirstDay {
  readonly clusterId: string;
  /** Who holds which keys until leaders say otherwise. */
  readonly firstRegions: readonly RegionMeta[];
  /** That each region is to have; 0: as many as it has. */
  readonly replicas?: number;
  /** Of the Coordinator's directory, for messages. */
  readonly workDir: string;
}

/** The entry of the Coordinator's state that says which cluster it is. It comes last: with it the rest is there. */
const clusterEntry = "cluster-id";
const clusterVersion = 1;
/** First regions that share a sync of the journal. */
const atATime = 64;

/** The cluster has its name and knows its first regions: from then on the Coordinator answers. */
export function isFounded({ config }: CoordinatorState): boolean {
  return config.some(({ name }) => name === clusterEntry);
}

/**
 * Names a new cluster. A crash, or another leader, may end this anywhere: what is there already changes nothing, and
 * what is missing is added the next time. Rejects with `NOKV_FOREIGN_DIRECTORY` when the state is another cluster's,
 * and `NOKV_IO` when the journal refuses.
 */
export async function foundCluster(env: Env, coordinator: Coordinator, firstDay: FirstDay): Promise<void> {
  const { state } = coordinator;
  const { clusterId: asked, firstRegions, replicas = 0, workDir } = firstDay;
  const known = state.config.find(({ name }) => name === clusterEntry);
  if (known !== undefined && known.value !== asked) {
    const [is, not] = [known.value, asked].map((name) => JSON.stringify(name));
    const message = `${workDir} is the Coordinator's of cluster ${is}, not of ${not}: correct cluster_id`;
    throw new NokvError("NOKV_FOREIGN_DIRECTORY", message, { path: workDir });
  }
  if (state.clusterId === 0) {
    const clusterId = 1 + env.random.u32("node/cluster-id", 0, Math.max(0, env.clock.wallMs()));
    await publish(coordinator, { kind: "ClusterBootstrapped", clusterId, clusterVersion });
  }
  if (known !== undefined) return;
  if (replicas > 0) await publish(coordinator, { kind: "ConfigSet", name: replicasEntry, value: String(replicas) });
  for (let at = 0; at < firstRegions.length; at += atATime) {
    const some = firstRegions.slice(at, at + atATime);
    await Promise.all(some.map((region) => publish(coordinator, { kind: "RegionBootstrap", region })));
  }
  // Behind them: a directory that has the name has been told of its first regions.
  await publish(coordinator, { kind: "ConfigSet", name: clusterEntry, value: asked });
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
