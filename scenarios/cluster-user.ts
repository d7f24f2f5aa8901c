import type { NokvError } from "../core/errors.ts";
import type { GatewayNode } from "../node/gateway-node.ts";
import { beganTxn, type TxnLog } from "../sim/checkers/timestamp-model.ts";
import type { SequenceLedger } from "../sim/checkers/sequence.ts";
import type { Dice } from "../sim/dice.ts";
import type { World } from "../sim/world.ts";
import type { ClientTransaction } from "../txn/remote/client-transaction.ts";
import type { NodeSeat } from "./cluster-seat.ts";
import { LoggedTxn, type WorkloadUser } from "./txn-user.ts";

/** Keys that the gateways' clients write, judged one by one. */
export function isOfGateways(key: string): boolean {
  return key.includes(":");
}

/** What the users of one cluster have in common. */
export interface UserStage {
  readonly world: World;
  readonly txns: TxnLog[];
  readonly timestamps: SequenceLedger;
}

interface UserTransaction {
  readonly log: TxnLog;
  readonly body: (txn: LoggedTxn) => Promise<boolean>;
  /** For all of it; undefined: what the client gives every operation. */
  readonly timeoutMs: number | undefined;
}

/** Runs transactions in the process of a gateway, and ends with it. */
export class ClusterUser implements WorkloadUser {
  readonly dice: Dice;
  /** Others may be in its way at any time. */
  readonly isPatient = false;
  readonly #stage: UserStage;
  readonly name: string;
  readonly #gateway: NodeSeat<GatewayNode>;

  constructor(stage: UserStage, index: number, gateway: NodeSeat<GatewayNode>) {
    this.#stage = stage;
    this.name = `user-${index}`;
    this.#gateway = gateway;
    this.dice = stage.world.dice("user", index);
  }

  async transact(
    serializable: boolean,
    body: (txn: LoggedTxn) => Promise<boolean>,
    timeoutMs?: number,
  ): Promise<TxnLog> {
    const { world, txns } = this.#stage;
    const log = beganTxn(`${this.name}/${txns.length}`, serializable, world.nowUs);
    txns.push(log);
    await this.#gateway.work((node) => this.#run(node, { log, body, timeoutMs }));
    // Nobody answers where nothing runs.
    if (log.startTs === 0) await world.sleep(20);
    return log;
  }

  /** Not of this workload. */
  atomically(): Promise<void> {
    return Promise.resolve();
  }

  /** One timestamp, entered into the ledger. */
  async timestamp(): Promise<void> {
    const { world, timestamps } = this.#stage;
    const calledUs = world.nowUs;
    await this.#gateway.work(async ({ client }) => {
      const answer = await new Promise<{ ts: number | null }>((resolve) => {
        client.timestamp({}, (_, ts) => resolve({ ts }));
      });
      if (answer.ts === null) return;
      const wrong = timestamps.give({ first: answer.ts, count: 1, calledUs, returnedUs: world.nowUs });
      if (wrong !== null) world.fail("timestamps", wrong);
    });
  }

  /** What crashed clients left and no reader meets is the collector's. */
  async collect(timeoutMs: number): Promise<void> {
    await this.#gateway.work(({ client }) => {
      return new Promise((resolve) => {
        client.timestamp({}, (_, ts) => {
          if (ts === null) resolve();
          else client.collectGarbage(ts, { timeoutMs }, () => resolve());
        });
      });
    });
  }

  async #run(node: GatewayNode, { log, body, timeoutMs }: UserTransaction): Promise<void> {
    const { world } = this.#stage;
    const txn = await new Promise<ClientTransaction | null>((resolve) => {
      node.client.begin({ serializable: log.serializable, timeoutMs }, (_, begun) => resolve(begun));
    });
    if (txn === null) return;
    log.startTs = txn.startTs;
    const logged = new LoggedTxn(txn, log, (start) => new Promise((resolve) => start(resolve)), isOfGateways);
    if (!(await body(logged))) {
      txn.abandon();
      return;
    }
    log.outcome = "unknown";
    type Ended = { readonly error: NokvError | null; readonly commitTs: number | null };
    const { error, commitTs } = await new Promise<Ended>((resolve) => {
      txn.commit((failure, ts) => resolve({ error: failure, commitTs: ts }));
    });
    log.returnedUs = world.nowUs;
    if (error === null) {
      log.outcome = "committed";
      log.commitTs = commitTs ?? 0;
    } else if (error.code === "NOKV_ABORTED" || error.code === "NOKV_BUSY") {
      log.outcome = "aborted";
      log.refusal = error.message;
    }
  }
}
