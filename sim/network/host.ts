import type { Address, ListenHandler, Listener, NetworkErrorCode } from "../../core/env/network.ts";
import type { Incarnation } from "../incarnation.ts";
import type { Life } from "../life.ts";
import type { Endpoint, EndpointHost } from "./endpoint.ts";

/** Names by which a machine reaches itself only. */
const loopbackNames: readonly string[] = ["127.0.0.1", "localhost", "::1"];
const anyNames: readonly string[] = ["0.0.0.0", "::"];

const portFirst = 49_152;
const portLast = 65_535;

export function isLoopback(host: string): boolean {
  return loopbackNames.includes(host);
}

/** A machine's kernel, as far as the network knows it: ports, listeners, open connections. */
export class Host implements EndpointHost {
  readonly name: string;
  readonly hardware: Life;
  readonly #listeners = new Map<number, SimListener>();
  readonly #endpoints = new Set<Endpoint>();
  #powered = true;
  #portNext = portFirst;
  #waiting: (() => void)[] = [];

  constructor(name: string, hardware: Life) {
    this.name = name;
    this.hardware = hardware;
  }

  get powered(): boolean {
    return this.#powered;
  }

  powerOff(): void {
    this.#powered = false;
  }

  powerOn(): void {
    this.#powered = true;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const run of waiting) run();
  }

  whenPowered(run: () => void): void {
    this.#waiting.push(run);
  }

  add(endpoint: Endpoint): void {
    this.#endpoints.add(endpoint);
  }

  forget(endpoint: Endpoint): void {
    this.#endpoints.delete(endpoint);
  }

  /** Open or opening, oldest first. */
  endpoints(): readonly Endpoint[] {
    return [...this.#endpoints];
  }

  takePort(): number {
    const port = this.#portNext;
    this.#portNext = port === portLast ? portFirst : port + 1;
    return port;
  }

  /** Takes the address, or says why not. */
  listen(address: Address, incarnation: Incarnation, handler: ListenHandler): SimListener | NetworkErrorCode {
    const local = isLoopback(address.host);
    const known = local || anyNames.includes(address.host) || address.host === this.name;
    if (!known) return "EADDRNOTAVAIL";
    let port = address.port;
    while (port === 0 || (address.port === 0 && this.#listeners.has(port))) port = this.takePort();
    if (this.#listeners.has(port)) return "EADDRINUSE";
    const listener = new SimListener(this, incarnation, { host: address.host, port });
    listener.handler = handler;
    this.#listeners.set(port, listener);
    return listener;
  }

  /** Who accepts connections made to `host` (as the connecting side wrote it) and `port`. */
  listener(host: string, port: number): SimListener | null {
    const listener = this.#listeners.get(port);
    if (listener === undefined) return null;
    const bound = listener.address.host;
    const reached = anyNames.includes(bound) || isLoopback(bound) === isLoopback(host);
    return reached ? listener : null;
  }

  unlisten(listener: SimListener): void {
    if (this.#listeners.get(listener.address.port) === listener) {
      this.#listeners.delete(listener.address.port);
    }
  }

  /** Its process ended. */
  dropListeners(): void {
    this.#listeners.clear();
  }
}

/** A port taken by one incarnation. */
export class SimListener implements Listener {
  readonly incarnation: Incarnation;
  readonly address: Address;
  handler: ListenHandler | null = null;
  open = true;
  readonly #host: Host;

  constructor(host: Host, incarnation: Incarnation, address: Address) {
    this.#host = host;
    this.incarnation = incarnation;
    this.address = address;
  }

  close(): void {
    this.incarnation.call("net.unlisten", "", this.address.port, 0);
    this.open = false;
    this.#host.unlisten(this);
  }
}
