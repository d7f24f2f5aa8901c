import type { Address, NetworkError } from "../core/env/network.ts";
import { NokvError } from "../core/errors.ts";
import type { Transport } from "../net/rpc/transport.ts";

/** What takes connections at an address: of Redis clients, or HTTP. */
interface Listener {
  listen(address: Address, listening: (error: NetworkError | null) => void): void;
}

/** Resolves with where it listens. Rejects with `NOKV_IO` when the address cannot be taken. */
export function listenTransport(transport: Transport, address: Address): Promise<Address> {
  return new Promise((resolve, reject) => {
    transport.listen(address, { onListening: resolve, onError: (error) => reject(cannotListen(address, "", error)) });
  });
}

/** Rejects with `NOKV_IO` when the address cannot be taken. `purpose` is for the message: "for diagnostics". */
export async function listenServer(server: Listener, address: Address, purpose = ""): Promise<void> {
  const failure = await new Promise<NetworkError | null>((resolve) => server.listen(address, resolve));
  if (failure !== null) throw cannotListen(address, purpose, failure);
}

function cannotListen({ host, port }: Address, purpose: string, error: NetworkError): NokvError {
  const where = purpose === "" ? `${host}:${port}` : `${host}:${port} ${purpose}`;
  return new NokvError("NOKV_IO", `cannot listen on ${where}: ${error.message}`, { cause: error });
}
