import { assert } from "../../core/assert.ts";
import { type Address, type Network, NetworkError } from "../../core/env/network.ts";
import { Door, type NetworkCase, Peer, bind, farewell, pair } from "./network-peer.ts";
import { streamCases } from "./network-stream-cases.ts";

/** No machine of ours has this address (RFC 5737). */
const foreignHost = "192.0.2.1";

const listening: readonly NetworkCase[] = [
  {
    name: "port 0 picks a free port and reports it",
    run: async ({ server, bindHost }) => {
      const [a, b] = await Promise.all([bind(server, bindHost), bind(server, bindHost)]);
      assert(a.port > 0 && b.port > 0, "the ports are known");
      assert(a.port !== b.port, "the ports are different");
      a.close();
      b.close();
    },
  },
  {
    name: "a port is taken once",
    run: async ({ server, bindHost }) => {
      const first = await bind(server, bindHost);
      const code = await refusal(server, { host: bindHost, port: first.port });
      assert(code === "EADDRINUSE", "the second is refused");
      first.close();
    },
  },
  {
    name: "an address of another machine cannot be taken",
    run: async ({ server }) => {
      const code = await refusal(server, { host: foreignHost, port: 0 });
      assert(code === "EADDRNOTAVAIL", "the address is not ours");
    },
  },
  {
    name: "a closed listener frees its port",
    run: async ({ server, bindHost }) => {
      const first = await bind(server, bindHost);
      const { port } = first;
      first.close();
      const second = await Door.open(server, { host: bindHost, port });
      assert(second.port === port, "the port is taken again");
      second.close();
    },
  },
  {
    name: "a closed listener leaves its connections alone",
    run: async (subject) => {
      const { door, near, far } = await pair(subject);
      door.close();
      near.write(Uint8Array.of(1));
      await far.until((peer) => peer.received.length === 1);
      far.write(Uint8Array.of(2));
      await near.until((peer) => peer.received.length === 1);
      await farewell(near, far);
    },
  },
];

const connecting: readonly NetworkCase[] = [
  {
    name: "a connection nobody accepts is refused, and never opens",
    run: async ({ server, client, bindHost, connectHost }) => {
      const door = await bind(server, bindHost);
      door.close();
      const peer = Peer.connect(client, { host: connectHost, port: door.port });
      await peer.until(({ closed }) => closed);
      assert(!peer.opened, "it never opened");
      assert(peer.error?.code === "ECONNREFUSED", "the reason is given");
      assert(peer.write(Uint8Array.of(1)), "writing to it is ignored");
    },
  },
  {
    name: "the other side is known once the connection is open",
    run: async (subject) => {
      const door = await bind(subject.server, subject.bindHost);
      const near = Peer.connect(subject.client, { host: subject.connectHost, port: door.port });
      assert(near.connection.remote.host === "", "not yet");
      await near.until(({ opened }) => opened);
      assert(near.connection.remote.host !== "", "the host is known");
      assert(near.connection.remote.port === door.port, "the port is the listener's");
      const far = await door.peer(0);
      assert(far.connection.remote.host !== "", "the client's host is known");
      assert(far.connection.remote.port > 0, "the client's port is known");
      door.close();
      await farewell(near, far);
    },
  },
  {
    name: "what is written before the connection opens arrives",
    run: async (subject) => {
      const door = await bind(subject.server, subject.bindHost);
      const near = Peer.connect(subject.client, { host: subject.connectHost, port: door.port });
      near.write(Uint8Array.of(1, 2));
      near.write(Uint8Array.of(3));
      const far = await door.peer(0);
      await far.until((peer) => peer.received.length === 3);
      assert(far.received.join() === "1,2,3", "in order");
      door.close();
      await farewell(near, far);
    },
  },
  {
    name: "a connection destroyed before it opens never opens",
    run: async (subject) => {
      const door = await bind(subject.server, subject.bindHost);
      const near = Peer.connect(subject.client, { host: subject.connectHost, port: door.port });
      near.destroy();
      await near.until(({ closed }) => closed);
      assert(!near.opened, "it never opened");
      assert(near.error !== null, "it did not end in order");
      door.close();
    },
  },
  {
    name: "connections do not mix",
    run: async (subject) => {
      const door = await bind(subject.server, subject.bindHost);
      door.onAccept = (far) => {
        far.onPiece = (bytes) => void far.write(bytes.slice());
      };
      const nears = Array.from({ length: 8 }, (_, i) => {
        const near = Peer.connect(subject.client, { host: subject.connectHost, port: door.port });
        for (let n = 0; n < 20; n++) near.write(Uint8Array.of(i, n));
        return near;
      });
      for (const [i, near] of nears.entries()) {
        await near.until((peer) => peer.received.length === 40);
        for (let n = 0; n < 20; n++) assert(near.received[2 * n] === i, "each hears its own echo");
        near.destroy();
      }
      door.close();
    },
  },
];

export const networkCases: readonly NetworkCase[] = [...listening, ...connecting, ...streamCases];

async function refusal(network: Network, address: Address): Promise<string> {
  try {
    const door = await Door.open(network, address);
    door.close();
    return "none";
  } catch (error) {
    if (error instanceof NetworkError) return error.code;
    throw error;
  }
}
