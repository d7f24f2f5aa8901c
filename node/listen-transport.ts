import type { Address } from "../core/env/network.ts";
import { NokvError } from "../core/errors.ts";
import type { Transport } from "../net/rpc/transport.ts";

/** Resolves with where it listens. Rejects with `NOKV_IO` when the address cannot be taken. */
export function listenTransport(transport: Transport, address: Address): Promise<Address> {
  return new Promise((resolve, reject) => {
    transport.listen(address, {
      onListening: resolve,
      onError: (error) => {
        const where = `${address.host}:${address.port}`;
        reject(new NokvError("NOKV_IO", `cannot listen on ${where}: ${error.message}`, { cause: error }));
      },
    });
  });
}
