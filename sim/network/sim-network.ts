import { assert } from "../../core/assert.ts";
import { Dice } from "../dice.ts";
import type { EventLoop } from "../event-loop.ts";
import type { FaultKind } from "../faults.ts";
import type { CrashKind, Incarnation } from "../incarnation.ts";
import type { Life } from "../life.ts";
import type { Endpoint } from "./endpoint.ts";
import { Host } from "./host.ts";
import { Link } from "./link.ts";
import { type NetworkFaults, networkFaultsNone } from "./network-faults.ts";
import { Pipe } from "./pipe.ts";

/** Keeps the keys of connections of different links apart. */
const connectionsPerLink = 1_048_576;

/** All machines' network: who is there, and the links between them. */
export class SimNetwork {
  /** Read at every operation; the nemesis assigns. */
  readonly faults: NetworkFaults = { ...networkFaultsNone };
  readonly loop: EventLoop;
  readonly count: (kind: FaultKind) => void;
  readonly #hosts = new Map<string, Host>();
  readonly #links = new Map<string, Link>();
  readonly #plainHosts = new Set<string>();
  readonly #pipesOfLink = new Map<number, number>();

  constructor(loop: EventLoop, count: (kind: FaultKind) => void) {
    this.loop = loop;
    this.count = count;
  }

  /** A machine appears. `hardware` is the life of its kernel. */
  addHost(name: string, hardware: Life): Host {
    assert(!this.#hosts.has(name), "a host name is taken once");
    const host = new Host(name, hardware);
    this.#hosts.set(name, host);
    return host;
  }

  host(name: string): Host | null {
    return this.#hosts.get(name) ?? null;
  }

  /** The direction from one machine to another; made on first use. */
  link(from: string, to: string): Link {
    const key = `${from}>${to}`;
    const known = this.#links.get(key);
    if (known !== undefined) return known;
    const link = new Link({
      id: this.#links.size,
      from,
      to,
      faults: this.faults,
      dice: new Dice(this.loop.random.stream(`sim/link/${key}`), 0),
      count: this.count,
    });
    link.plain = this.#plainHosts.has(from) || this.#plainHosts.has(to);
    this.#links.set(key, link);
    return link;
  }

  /** What that machine says and hears has no checksum of its own: `faults.corrupt` spares it. */
  speaksPlain(name: string): void {
    this.#plainHosts.add(name);
    for (const link of this.#links.values()) link.plain ||= link.from === name || link.to === name;
  }

  /** Every link is open and fast again. What was held back arrives. */
  heal(): void {
    for (const link of this.#links.values()) link.heal();
  }

  /** Breaks the connections of a machine that are open now; both sides see a reset. */
  resetConnections(name: string): void {
    for (const endpoint of this.#hosts.get(name)?.endpoints() ?? []) {
      this.count("net.reset");
      endpoint.sever();
    }
  }

  /** One direction of a new connection; the receiver is named once somebody accepts. */
  pipe(sender: Endpoint, from: Host, to: Host): Pipe {
    const link = this.link(from.name, to.name);
    const ordinal = this.#pipesOfLink.get(link.id) ?? 0;
    this.#pipesOfLink.set(link.id, ordinal + 1);
    return new Pipe({
      loop: this.loop,
      link,
      reverse: this.link(to.name, from.name),
      faults: this.faults,
      dice: new Dice(this.loop.random.stream("sim/pipe"), link.id * connectionsPerLink + ordinal),
      count: this.count,
      senderLife: sender.incarnation.life,
      receiverHardware: to.hardware,
      sender,
    });
  }

  /**
   * The process of `host` ended: listeners are gone, and its kernel (unless it is gone too) ends connections.
   */
  processEnded(host: Host, kind: CrashKind, incarnation: Incarnation): void {
    const dice = new Dice(this.loop.random.stream(`sim/abandon/${host.name}`), incarnation.number);
    host.dropListeners();
    if (kind === "power") host.powerOff();
    for (const endpoint of host.endpoints()) {
      const orderly = dice.chance(3, 4);
      if (kind === "process") {
        endpoint.abandon(orderly ? "end" : "reset");
      } else if (this.faults.halfOpen) {
        this.count("net.half-open");
        endpoint.abandon("silence");
      } else {
        endpoint.abandon("reset");
      }
    }
  }
}
