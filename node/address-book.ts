import type { Address } from "../core/env/network.ts";
import type { CoordinatorClient } from "../coordinator/service/client.ts";
import { coordinatorIdOf } from "../coordinator/service/methods.ts";
import type { Topology } from "./topology.ts";

/**
 * Where others listen. The topology knows those of the first day; of stores that came later the Coordinator is asked.
 * Addresses only: who is a member, and who leads, is said elsewhere.
 */
export class AddressBook {
  readonly #known = new Map<number, Address>();
  #client: CoordinatorClient | null = null;

  constructor(topology: Pick<Topology, "coordinators" | "stores">) {
    for (const { memberId, address } of topology.coordinators) this.#known.set(coordinatorIdOf(memberId), address);
    for (const { storeId, address } of topology.stores) this.#known.set(storeId, address);
  }

  /** Whom to ask about the others. It needs a transport, which needs this book: so it comes later. */
  askWith(client: CoordinatorClient): void {
    this.#client = client;
  }

  /** For a transport. */
  resolve(storeId: number, done: (address: Address | null) => void): void {
    const known = this.#known.get(storeId) ?? null;
    if (known !== null || this.#client === null) return done(known);
    this.#client.stores((error, stores) => {
      for (const store of stores ?? []) {
        const address = parseAddress(store.address);
        if (address !== null && !this.#known.has(store.storeId)) this.#known.set(store.storeId, address);
      }
      done(error === null ? (this.#known.get(storeId) ?? null) : null);
    });
  }
}

/** Whom a `CoordinatorClient` asks. */
export function coordinatorIds({ coordinators }: Pick<Topology, "coordinators">): readonly number[] {
  return coordinators.map(({ memberId }) => coordinatorIdOf(memberId));
}

/** As stores write it when they join: `host:port`, a host with colons in brackets. */
export function addressText({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function parseAddress(text: string): Address | null {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  return host === undefined ? null : { host, port: Number(match?.[3]) };
}
