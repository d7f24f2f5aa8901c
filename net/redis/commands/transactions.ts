import type { Call } from "../call.ts";
import { allAreKeys, type Command, command } from "../command.ts";
import { errorText } from "../error-text.ts";
import { QueuedTransaction } from "../queued-transaction.ts";
import { TransactionRecorder } from "../transaction-recorder.ts";

function runMulti({ session, reply }: Call): void {
  if (session.transaction !== null) return reply.error(errorText.nestedMulti);
  session.transaction = new QueuedTransaction();
  reply.ok();
}

function runDiscard({ session, reply }: Call): void {
  if (session.transaction === null) return reply.error(errorText.discardWithoutMulti);
  session.endTransaction();
  reply.ok();
}

function runWatch(call: Call): void {
  const { gateway, session } = call;
  if (session.transaction !== null) return call.error(errorText.watchInMulti);
  const keys = call.keysFrom(1, 1);
  let watchedBytes = session.watched.reduce((sum, { key }) => sum + key.length + watchBytes, 0);
  for (const key of keys) watchedBytes += key.length + watchBytes;
  const { requestBytesMax } = gateway.options;
  if (watchedBytes > requestBytesMax) return call.error(`ERR watched keys take more than ${requestBytesMax} bytes`);
  // Later requests wait: an EXEC must know what it rests on.
  const pending = call.defer("barrier");
  gateway.kv.watch(keys, (error, watched) => {
    if (error === null) session.watched = [...session.watched, ...watched];
    pending.settle(error, (reply) => reply.ok());
  });
}

/** What a watched key takes in memory beside its bytes, about. */
const watchBytes = 128;

function runExec(call: Call): void {
  const { gateway, session } = call;
  const { transaction, watched } = session;
  if (transaction === null) return call.error(errorText.execWithoutMulti);
  session.endTransaction();
  if (transaction.broken) return call.error(errorText.execAbort);
  const recorder = new TransactionRecorder();
  record(call, transaction, recorder);
  const { operations } = recorder;
  if (operations.length === 0 && watched.length === 0) return recorder.render(call.reply, []);
  const pending = call.defer(recorder.hasLater ? "barrier" : "concurrent");
  gateway.kv.transact({ operations, watched }, (error, results) => {
    pending.settle(error, (reply) => {
      if (results === null) reply.nullArray();
      else recorder.render(reply, results);
    });
  });
}

function record(exec: Call, transaction: QueuedTransaction, recorder: TransactionRecorder): void {
  const { session } = exec;
  const { statistics } = exec.gateway;
  for (const { entry, args } of transaction.requests) {
    const call = exec.queued(args);
    call.recorder = recorder;
    const run = (): void => {
      statistics.commandsProcessed++;
      statistics.calls[entry.index] = (statistics.calls[entry.index] as number) + 1;
      entry.command.run(call);
    };
    if (entry.firstKey > 0) recorder.ask(run, session.protocol);
    else recorder.later(run);
  }
}

const group = "transactions";
const inTransaction = "immediate";
const flags = ["loading", "stale", "fast"] as const;

export const transactionCommands: readonly Command[] = [
  command(
    "multi",
    { arity: 1, flags, group, since: "1.2.0", summary: "Starts a transaction.", inTransaction },
    runMulti,
  ),
  command(
    "exec",
    {
      arity: 1,
      flags: ["loading", "stale"],
      group,
      since: "2.2.0",
      summary: "Executes all commands in a transaction.",
      caveat: "Atomic across a crash, too.",
      inTransaction,
    },
    runExec,
  ),
  command(
    "discard",
    { arity: 1, flags, group, since: "2.0.0", summary: "Discards a transaction.", inTransaction },
    runDiscard,
  ),
  command(
    "watch",
    {
      arity: -2,
      flags,
      keys: allAreKeys,
      group,
      since: "6.0.9",
      summary: "Monitors changes to keys to determine the execution of a transaction.",
      caveat:
        "FLUSHALL changes absent keys, too. That an absent key was left alone may be forgotten: EXEC then fails.",
      inTransaction,
    },
    runWatch,
  ),
  command(
    "unwatch",
    { arity: 1, flags, group, since: "2.2.0", summary: "Forgets about watched keys of a transaction." },
    (call) => {
      call.session.watched = [];
      call.reply.ok();
    },
  ),
];
