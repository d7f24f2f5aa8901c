import { assert } from "../../core/assert.ts";
import type { Address } from "../../core/env/network.ts";
import type { Dice } from "../dice.ts";
import { Endpoint } from "./endpoint.ts";
import type { Host, SimListener } from "./host.ts";
import { isLoopback } from "./host.ts";
import type { Pipe } from "./pipe.ts";
import type { SimNetwork } from "./sim-network.ts";

/** The first packet is sent again after this long, as often as drawn between the two. */
const retryUs = 1_000_000;
const triesMin = 3;
const triesMax = 60;

const perMillion = 1_000_000;

export interface AttemptParts {
  readonly network: SimNetwork;
  readonly from: Host;
  readonly to: Host;
  readonly client: Endpoint;
  readonly out: Pipe;
  /** As the connecting process wrote it. */
  readonly address: Address;
  /** The connecting side's own port. */
  readonly port: number;
  readonly dice: Dice;
}

/** One attempt to connect, from the first packet to acceptance, refusal or the end of patience. */
export class Attempt {
  readonly #parts: AttemptParts;
  #triesLeft: number;
  #answered = false;

  constructor(parts: AttemptParts) {
    this.#parts = parts;
    this.#triesLeft = parts.dice.between(triesMin, triesMax);
  }

  /** Sends the first packet, now and until it is answered. */
  knock(): void {
    const { network, from, to, client } = this.#parts;
    if (this.#answered || !client.opening) return;
    if (this.#triesLeft === 0) {
      client.broken("ETIMEDOUT");
      return;
    }
    this.#triesLeft--;
    const link = network.link(from.name, to.name);
    const loop = network.loop;
    const life = client.incarnation.life;
    if (link.blocked) {
      network.count("net.one-way-loss");
    } else {
      loop.at(link.arrivalUs(loop.presentUs(life.processor), 0), to.hardware, () => this.#arrive());
    }
    loop.after(retryUs, life, () => this.knock());
  }

  #arrive(): void {
    const { network, to, address, dice } = this.#parts;
    if (this.#answered || !to.powered) return;
    const listener = to.listener(address.host, address.port);
    const unlucky = dice.chance(network.faults.refused, perMillion);
    if (listener === null || unlucky) this.#refuse();
    else this.#accept(listener);
  }

  #refuse(): void {
    const { network, from, to, client } = this.#parts;
    const back = network.link(to.name, from.name);
    if (back.blocked) return;
    this.#answered = true;
    network.count("net.refused");
    const loop = network.loop;
    loop.at(back.arrivalUs(loop.nowUs, 0), client.incarnation.life, () => client.broken("ECONNREFUSED"));
  }

  #accept(listener: SimListener): void {
    const { network, from, to, client, out, address, port } = this.#parts;
    const { incarnation, handler } = listener;
    assert(handler !== null, "a listener has a handler");
    this.#answered = true;
    const server = new Endpoint({ host: to, incarnation, label: client.label }, false);
    const back = network.pipe(server, to, from);
    server.meet({ host: isLoopback(address.host) ? address.host : from.name, port });
    server.wireOut(back);
    server.wireIn(out);
    client.wireIn(back);
    out.connectTo(server);
    back.connectTo(client);
    to.add(server);
    back.open(true);
    incarnation.result("net.accept", client.label, 0);
    server.attach(handler.onConnection(server));
  }
}
