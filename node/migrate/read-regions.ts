import { ContentHash, type ContentSum } from "../../core/bytes/content-hash.ts";
import { ByteWriter } from "../../core/bytes/byte-writer.ts";
import type { Env } from "../../core/env/env.ts";
import { OverlayDisk } from "../../core/env/overlay-disk.ts";
import { raftDirectoryName } from "../../core/engine/file-names.ts";
import { openReadOnlyEngine } from "../../core/engine/read-only.ts";
import { NokvError } from "../../core/errors.ts";
import { CoordinatorError } from "../../coordinator/coordinator-error.ts";
import type { RpcError } from "../../net/rpc/rpc-error.ts";
import { Transport } from "../../net/rpc/transport.ts";
import type { RegionMeta } from "../../raft/region.ts";
import { readIdent } from "../../raft/store/ident.ts";
import type { PeerView } from "../../raft/store/peer-view.ts";
import type { SnapshotTransfer } from "../../raft/store/snapshot-transfer.ts";
import { Store } from "../../raft/store/store.ts";
import type { Command, Scan } from "../../txn/percolator/command.ts";
import { writeCommands } from "../../txn/server/command-codec.ts";
import { type Answer, readAnswers } from "../../txn/server/response-codec.ts";
import { txnRegionOptions } from "../../txn/server/region-options.ts";
import { RegionService } from "../../txn/server/region-service.ts";
import { TxnRegion } from "../../txn/server/txn-region.ts";
import { closing, withRaftLog } from "./sessions.ts";

/** Counts as it goes; both grow. */
export type Progress = (entries: number, bytes: number) => void;

/** How long a lone voter may take to elect itself. */
const electionMs = 20_000;
const pollUs = 10_000;
const pageEntries = 512;

/** What the regions of a stopped store show at a timestamp. */
export interface RegionsContent {
  readonly content: ContentSum;
  readonly regions: readonly RegionMeta[];
}

/**
 * Opens the store in `directory` as `nokv serve` does, over memory: not one byte of the directory changes. Every
 * replica that is its region's only voter elects itself, and is read to its end by the requests of clients. Rejects
 * with what the openings reject with, and with `NOKV_CORRUPTION` where a region gives no answer.
 */
export async function readRegions(env: Env, directory: string, readTs: number, progress: Progress):
  Promise<RegionsContent> {
  const { clock, network, random, jobs, trace, failpoints } = env;
  const disk = new OverlayDisk(env.disk, clock);
  const looking: Env = { clock, network, random, jobs, trace, failpoints, disk };
  // It neither flushes nor merges: jobs of others would work on the disk itself.
  const { engine } = await openReadOnlyEngine(env, directory, { durability: "none", versions: "given" });
  return await closing(
    withRaftLog(looking, `${directory}/${raftDirectoryName}`, async (log) => {
      const ident = readIdent(log);
      if (ident === null) throw new NokvError("NOKV_CORRUPTION", `the Raft log in ${directory} is nobody's`);
      const transport = new Transport(looking, {
        identity: { ...ident, role: "store", features: 0 }, options: {}, resolve: (_, done) => done(null),
        hooks: { onMessage: () => {}, onUnreachable: () => {} }, streams: null,
      });
      let failure: Error | null = null;
      const timestamps = { timestamps: noTimestamps(looking) };
      const store = await Store.open({
        world: looking, engine, log, transport, storeId: ident.storeId, options: {}, transfer: noTransfer,
        makeMachine: (host) => new TxnRegion(host, { timestamps, options: txnRegionOptions({}) }),
        onFatal: (error) => {
          failure = error;
        },
      });
      const hash = new ContentHash();
      const regions = store.regions().map(({ region }) => region);
      const service = new RegionService(store);
      for (const { id } of regions) {
        const peer = await electAlone(looking, store, id, () => failure);
        await readRegion({ env: looking, service, peer, readTs, hash, progress });
      }
      await store.close();
      transport.close();
      return { content: hash.sum, regions };
    }),
    () => engine.close(),
    `reading ${directory} failed`,
  );
}

function noTimestamps(env: Env) {
  return (_count: number, _timeoutMs: number, done: (error: CoordinatorError | null, range: null) => void): void => {
    env.clock.soon(() => done(new CoordinatorError("TSO_UNAVAILABLE", "nobody writes here"), null));
  };
}

/** A lone voter sends and takes no snapshots. */
const noTransfer: SnapshotTransfer = {
  exportAt: (_region, done) => done("nobody asks for it"),
  receive: () => "nobody sends",
  has: () => false,
  replace: (...[, , , , done]) => done(new NokvError("NOKV_CORRUPTION", "there are no files here")),
  sweep: () => {},
  clear: (_region, done) => done(null),
};

// oxlint-disable-next-line max-params
async function electAlone(env: Env, store: Store, id: number, failed: () => Error | null): Promise<PeerView> {
  store.admin.campaign(id);
  const deadlineUs = env.clock.monotonicUs() + electionMs * 1_000;
  for (;;) {
    const peer = store.region(id);
    if (peer !== null && peer.leadingTerm > 0) return peer;
    const why = failed()?.message ?? (env.clock.monotonicUs() > deadlineUs ? "it does not elect itself" : null);
    if (why !== null) throw new NokvError("NOKV_CORRUPTION", `region ${id} can not be read: ${why}`);
    await new Promise<void>((resolve) => env.clock.after(pollUs, resolve));
  }
}

interface RegionRead {
  readonly env: Env;
  readonly service: RegionService;
  readonly peer: PeerView;
  readonly readTs: number;
  readonly hash: ContentHash;
  readonly progress: Progress;
}

async function readRegion({ env, service, peer, readTs, hash, progress }: RegionRead): Promise<void> {
  const { region, peerId } = peer;
  const end = region.end.length === 0 ? null : region.end;
  let start: Uint8Array | null = region.start;
  while (start !== null) {
    const scan: Scan = { kind: "scan", range: { start, end }, readTs, bypass: [], limit: pageEntries };
    const answer = await ask(env, service, { regionId: region.id, ...region.epoch, peerId }, scan);
    if (answer.kind === "error" || answer.response.kind !== "page" || answer.response.lock !== null) {
      const what = answer.kind === "error" ? JSON.stringify(answer.error) : JSON.stringify(answer.response.kind);
      throw new NokvError("NOKV_CORRUPTION", `region ${region.id} can not be read at ${readTs}: ${what}`);
    }
    const { entries, next } = answer.response;
    for (const { key, value, expiresAtMs } of entries) hash.entry(key, value, expiresAtMs);
    const { count, bytes } = hash.sum;
    progress(count, bytes);
    start = next;
  }
}

type RegionOfRequest = NonNullable<Parameters<RegionService["execute"]>[0]["region"]>;

/** As a client's request, through both codecs. */
// oxlint-disable-next-line max-params
async function ask(env: Env, service: RegionService, region: RegionOfRequest, command: Command): Promise<Answer> {
  const writer = new ByteWriter();
  writeCommands(writer, [command]);
  const body = writer.toBytes();
  const ended = await new Promise<Uint8Array | RpcError>((resolve) => {
    service.execute({
      region, deadlineUs: env.clock.monotonicUs() + electionMs * 1_000, cancelled: false,
      keep: () => body, respond: resolve, fail: resolve,
    });
  });
  if (!(ended instanceof Uint8Array)) return { kind: "error", error: ended };
  const [answer] = readAnswers(ended);
  if (answer === undefined) throw new NokvError("NOKV_CORRUPTION", "a store answered nothing");
  return answer;
}
