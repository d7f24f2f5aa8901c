import { assert } from "../../core/assert.ts";
import {
  type Address,
  type Connection,
  type ConnectionHandler,
  type ListenHandler,
  type Listener,
  type Network,
  NetworkError,
} from "../../core/env/network.ts";
import { Dice } from "../dice.ts";
import type { Incarnation } from "../incarnation.ts";
import { Attempt } from "./attempt.ts";
import { Endpoint } from "./endpoint.ts";
import { type Host, isLoopback } from "./host.ts";
import type { SimNetwork } from "./sim-network.ts";

const portMax = 65_535;

/** One incarnation's way into the simulated network. */
export class IncarnationNetwork implements Network {
  readonly #network: SimNetwork;
  readonly #host: Host;
  readonly #incarnation: Incarnation;
  #attempts = 0;

  constructor(network: SimNetwork, host: Host, incarnation: Incarnation) {
    this.#network = network;
    this.#host = host;
    this.#incarnation = incarnation;
  }

  listen(address: Address, handler: ListenHandler): Listener {
    const incarnation = this.#incarnation;
    checkPort(address.port);
    incarnation.call("net.listen", address.host, address.port, 0);
    const taken = this.#host.listen(address, incarnation, handler);
    if (typeof taken === "string") {
      const error = new NetworkError(taken, `listen ${address.host}:${address.port}`);
      incarnation.after(0, () => handler.onError(error));
      return nobody;
    }
    incarnation.after(0, () => {
      if (taken.open) handler.onListening(taken.address);
    });
    return taken;
  }

  connect(address: Address, handler: ConnectionHandler): Connection {
    const incarnation = this.#incarnation;
    const from = this.#host;
    checkPort(address.port);
    incarnation.call("net.connect", address.host, address.port, 0);
    const to = isLoopback(address.host) ? from : this.#network.host(address.host);
    const port = from.takePort();
    const label = `${from.name}:${port}>${address.host}:${address.port}`;
    const client = new Endpoint({ host: from, incarnation, label }, true);
    client.attach(handler);
    client.meet(address);
    from.add(client);
    const out = this.#network.pipe(client, from, to ?? from);
    client.wireOut(out);
    if (to === null) {
      incarnation.after(0, () => client.broken("EUNKNOWN"));
      return client;
    }
    const key = this.#network.loop.random.stream(`sim/connect/${from.name}/${incarnation.number}`);
    const dice = new Dice(key, this.#attempts++);
    new Attempt({ network: this.#network, from, to, client, out, address, port, dice }).knock();
    return client;
  }
}

/** The listener of an address that could not be taken. */
const nobody: Listener = { close: () => {} };

function checkPort(port: number): void {
  assert(Number.isInteger(port), "a port is an integer");
  assert(port >= 0 && port <= portMax, "a port fits 16 bits");
}
