// Goal: what only the real network has: gathered writes, plain byte arrays, errors of the operating system.
import * as net from "node:net";
import { describe, expect, test } from "vitest";
import { Door, Peer } from "../sim/conformance/network-peer.ts";
import { HostNetwork } from "./network.ts";
import { toNetworkError } from "./network-error.ts";

const network = new HostNetwork();
const loopback = "127.0.0.1";

describe("HostNetwork", () => {
  test("writes of one turn leave together", async () => {
    const door = await Door.open(network, { host: loopback, port: 0 });
    const near = Peer.connect(network, { host: loopback, port: door.port });
    await near.until(({ opened }) => opened);
    const far = await door.peer(0);
    for (let i = 0; i < 500; i++) near.write(Uint8Array.of(i & 255));
    expect(near.connection.pendingBytes()).toBe(500);
    await far.until((peer) => peer.received.length === 500);
    expect(far.dataCalls).toBe(1);
    expect(near.connection.pendingBytes()).toBe(0);
    near.destroy();
    door.close();
  });

  test("long and short writes keep their order", async () => {
    const door = await Door.open(network, { host: loopback, port: 0 });
    const near = Peer.connect(network, { host: loopback, port: door.port });
    const sent: number[] = [];
    for (const length of [10, 20_000, 3, 16_384, 16_383, 2, 70_000, 1]) {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * 31 + length) & 255);
      near.write(bytes);
      sent.push(...bytes);
      bytes.fill(0);
    }
    const far = await door.peer(0);
    await far.until((peer) => peer.received.length === sent.length);
    expect(far.received).toEqual(sent);
    near.destroy();
    door.close();
  });

  test("data is a plain Uint8Array, whose slice copies", async () => {
    const door = await Door.open(network, { host: loopback, port: 0 });
    const kinds: string[] = [];
    door.onAccept = (far) => {
      far.onPiece = (bytes) => void kinds.push(bytes.constructor.name);
    };
    const near = Peer.connect(network, { host: loopback, port: door.port });
    near.write(Uint8Array.of(1));
    const far = await door.peer(0);
    await far.until((peer) => peer.received.length === 1);
    expect(kinds).toEqual(["Uint8Array"]);
    near.destroy();
    door.close();
  });

  test("speaks to any TCP client, and hears its half-close", async () => {
    const door = await Door.open(network, { host: loopback, port: 0 });
    door.onAccept = (far) => {
      far.onPiece = (bytes) => void far.write(bytes.slice());
    };
    const heard = await new Promise<string>((resolve, reject) => {
      const socket = net.connect({ host: loopback, port: door.port, allowHalfOpen: true });
      let text = "";
      socket.setEncoding("latin1");
      socket.on("data", (piece) => {
        text += String(piece);
        if (text === "hello") socket.end();
      });
      socket.on("end", () => resolve(text));
      socket.on("error", reject);
      socket.write("hello", "latin1");
      void door
        .peer(0)
        .then((far) => far.until(({ ended }) => ended).then(() => far.end()))
        .catch(reject);
    });
    expect(heard).toBe("hello");
    door.close();
  });

  test("an unknown name is an error of the connection", async () => {
    const near = Peer.connect(network, { host: "256.256.256.256", port: 1 });
    await near.until(({ closed }) => closed);
    expect(near.opened).toBe(false);
    expect(near.error).not.toBeNull();
  });
});

describe("toNetworkError", () => {
  test.each([
    ["ECONNREFUSED", "ECONNREFUSED"],
    ["EPIPE", "ECONNRESET"],
    ["EHOSTUNREACH", "ETIMEDOUT"],
    ["EPERM", "EACCES"],
    ["ENOTFOUND", "EUNKNOWN"],
  ])("%s is %s", (system, code) => {
    const error = toNetworkError(Object.assign(new Error("what happened"), { code: system }));
    expect(error.code).toBe(code);
    expect(error.message).toContain("what happened");
  });
});
