// Goal: whoever scrapes gets what is there, whole; whoever does not speak HTTP, sends too much or nothing is let go.
// Method: connections over a network in memory, cut into pieces, moved by a clock by hand.
import { expect, test } from "vitest";
import type { Connection } from "../../core/env/network.ts";
import { ManualClock, MemoryNetwork } from "../redis/memory-network.test-support.ts";
import { HttpServer } from "./server.ts";

const address = { host: "here", port: 80 };

class Stage {
  readonly clock = new ManualClock();
  readonly network = new MemoryNetwork(this.clock);
  readonly server = new HttpServer(this, ({ method, path }) => {
    const body = `${method} ${path} ${"ä".repeat(3)}`;
    return { status: path === "/there" ? 200 : 404, contentType: "text/plain", body };
  });

  constructor() {
    this.server.listen(address, (error) => expect(error).toBeNull());
    this.clock.run();
  }

  ask(...pieces: string[]): { text: () => string; closed: () => boolean; connection: Connection } {
    let text = "";
    let closed = false;
    const connection = this.network.connect(address, {
      onOpen: () => {},
      onData: (bytes) => {
        text += new TextDecoder().decode(bytes, { stream: true });
      },
      onEnd: () => connection.end(),
      onDrain: () => {},
      onClose: () => {
        closed = true;
      },
    });
    this.clock.run();
    for (const piece of pieces) {
      connection.write(new TextEncoder().encode(piece));
      this.clock.run();
    }
    return { text: () => text, closed: () => closed, connection };
  }
}

test("a request in pieces, with headers and a query, is answered and the connection ends", () => {
  const stage = new Stage();
  const { text, closed } = stage.ask("GET /the", "re?x=1 HTTP/1.1\r", "\nHost: a\r\nX: y\r\n\r", "\n");
  expect(text()).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(text()).toContain("Content-Length: 17\r\n");
  expect(text()).toMatch(/\r\n\r\nGET \/there äää$/);
  expect(closed()).toBe(true);
});

test("HEAD has no body, other paths and methods are refused", () => {
  const stage = new Stage();
  expect(stage.ask("HEAD /there HTTP/1.0\n\n").text()).toMatch(/200 OK[^]*\r\n\r\n$/);
  expect(stage.ask("GET /nowhere HTTP/1.1\r\n\r\n").text()).toMatch(/^HTTP\/1\.1 404 Not Found/);
  expect(stage.ask("POST /there HTTP/1.1\r\n\r\n").text()).toMatch(/^HTTP\/1\.1 405/);
  expect(stage.ask("SET a b\r\n\r\n").text()).toMatch(/^HTTP\/1\.1 400/);
  expect(stage.ask(`GET /${"a".repeat(9_000)}`).text()).toMatch(/^HTTP\/1\.1 431/);
});

test("a client that says nothing is let go in time, and all of them when the server closes", () => {
  const stage = new Stage();
  const silent = stage.ask("GET /there");
  stage.clock.advance(9_000);
  expect(silent.closed()).toBe(false);
  stage.clock.advance(2_000);
  expect(silent.closed()).toBe(true);
  const other = stage.ask("GET /there");
  stage.server.close();
  stage.clock.run();
  expect(other.closed()).toBe(true);
});
