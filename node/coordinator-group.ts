import type { Env } from "../core/env/env.ts";
import type { Address } from "../core/env/network.ts";
import { NokvError } from "../core/errors.ts";
import { GroupFounding } from "../coordinator/group-founding.ts";
import { RaftJournal } from "../coordinator/raft-journal.ts";
import type { RaftJournalLimits } from "../coordinator/raft-journal-options.ts";
import { openRootDirectory, rootDirectoryName } from "../coordinator/root-directory.ts";
import { isRootMessage } from "../coordinator/root-post.ts";
import { partRequestLayout } from "../coordinator/root-snapshots.ts";
import { coordinatorIdOf, coordinatorMethod } from "../coordinator/service/methods.ts";
import { decode } from "../core/bytes/layout.ts";
import { Transport } from "../net/rpc/transport.ts";
import type { PeerWatch } from "../raft/store/peer-watch.ts";
import type { RaftLog } from "../raft/store/raft-log.ts";
import type { CoordinatorNodeConfig, JournalParts } from "./coordinator-node.ts";

/** Of which group a Coordinator is a member. */
export interface CoordinatorGroup {
  readonly memberId: number;
  /** All of them, as the others reach them. */
  readonly members: readonly { readonly memberId: number; readonly address: Address }[];
  readonly limits?: Partial<RaftJournalLimits>;
  /** Of the simulator. */
  readonly watch?: (log: RaftLog) => PeerWatch;
}

/** The journal of a member of a group. Rejects with `NokvError`; then nothing is left open. */
// oxlint-disable-next-line max-params
export async function openGroupJournal(
  env: Env,
  config: CoordinatorNodeConfig,
  group: CoordinatorGroup,
  failed: (error: NokvError) => void,
): Promise<JournalParts> {
  const { workDir, clusterId, owner } = config;
  const { memberId, members, limits = {}, watch } = group;
  let journal: RaftJournal | null = null;
  const directory = await openRootDirectory(env, {
    workDir, clusterId, storeId: coordinatorIdOf(memberId), owner,
    failed: (error) => (journal === null ? failed(error) : journal.fail(error)),
  });
  const addresses = new Map(members.map((member) => [coordinatorIdOf(member.memberId), member.address]));
  const transport = new Transport(env, {
    identity: { ...directory.ident, role: "coordinator", features: 0 },
    options: config.network ?? {},
    resolve: (storeId, done) => done(addresses.get(storeId) ?? null),
    hooks: {
      onMessage: (from, _, type, body) => {
        if (isRootMessage(type)) journal?.receive(from.storeId, type, body);
      },
      onUnreachable: (storeId) => journal?.unreachable(storeId),
    },
    streams: null,
  });
  const ids = members.map((member) => member.memberId);
  let opened: RaftJournal;
  try {
    opened = new RaftJournal({
      world: env, directory, path: `${workDir}/${rootDirectoryName}`, transport, memberId,
      members: ids, limits, failed,
      ...(watch === undefined ? {} : { watch: watch(directory.log) }),
    });
  } catch (error) {
    if (error instanceof NokvError) await directory.close();
    throw error;
  }
  journal = opened;
  transport.handle(coordinatorMethod.snapshotPart, (request) => {
    const read = decode(partRequestLayout, request.payload);
    if (typeof read === "string") request.fail({ kind: "malformed", reason: read });
    else opened.snapshotPart(read.value, request);
  });
  const founding = new GroupFounding({
    clock: env.clock, caller: transport, log: directory.log, memberId, members: ids, birth: directory.birth,
    path: workDir, founded: () => opened.start(), failed: (error) => opened.fail(error),
  });
  transport.handle(coordinatorMethod.greet, (request) => founding.answer(request));
  return {
    journal: opened,
    transport,
    waitingFor: () => {
      if (founding.missing.length > 0) return [`a word of members ${founding.missing.join(", ")}`];
      return opened.status.role === "none" ? ["a leader of the Coordinator's group"] : [];
    },
    // Not waited for: the others ask this member, too.
    begin: async () => {
      founding.begin();
      await Promise.resolve();
    },
    close: async () => {
      founding.stop();
      opened.close();
      await directory.close();
    },
  };
}
