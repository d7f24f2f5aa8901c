import type { CallOrder } from "./call.ts";
import { type RpcError, describeRpcError } from "./rpc-error.ts";
import type { Transport } from "./transport.ts";
import { messageClass } from "./wire.ts";

/** A call that ended without a response, for those who work with promises. */
export class RpcFailure extends Error {
  override readonly name = "RpcFailure";
  readonly error: RpcError;

  constructor(error: RpcError) {
    super(describeRpcError(error));
    this.error = error;
  }
}

export type Question = Pick<CallOrder, "method" | "payload" | "timeoutMs"> & Partial<CallOrder>;

/** The response, owned by the caller. Rejects with `RpcFailure`; `signal` cancels the call. */
export function ask(
  transport: Transport,
  storeId: number,
  question: Question,
  signal: AbortSignal | null = null,
): Promise<Uint8Array> {
  const order: CallOrder = { cls: messageClass.client, traceId: 0, region: null, ...question };
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(new RpcFailure({ kind: "cancelled", sent: false }));
      return;
    }
    const abort = (): void => call.cancel();
    const call = transport.call(storeId, order, (error, payload) => {
      signal?.removeEventListener("abort", abort);
      if (error === null) resolve(payload.slice());
      else reject(new RpcFailure(error));
    });
    signal?.addEventListener("abort", abort);
  });
}
