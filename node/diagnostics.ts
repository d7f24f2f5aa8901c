import type { Address } from "../core/env/network.ts";
import { type HttpResponse, plainText } from "../net/http/request.ts";
import { HttpServer, type HttpWorld } from "../net/http/server.ts";
import { listenServer } from "./listen.ts";
import { metricsText, type VarTree } from "./metrics-text.ts";

/** What a process says of itself. Asked for again and again: nothing here may be slow or change anything. */
export interface DiagnosticSource {
  /** Why the process is of no use any more and should be started anew; null: it is well. */
  ailment(): string | null;
  /** What it still waits for before it can serve; empty: it is ready. */
  waitingFor(): readonly string[];
  vars(): VarTree;
  /** Of a process that knows where the others are. */
  readonly cluster: ClusterSource | null;
}

export interface ClusterSource {
  /** Null: it is not known yet. */
  view(): VarTree | null;
  /** The HTML that draws it; null: this build has none. */
  readonly page: string | null;
}

/**
 * `/healthz` (is the process well), `/readyz` (does it serve), `/debug/vars` (statistics as JSON) and `/metrics` (the
 * same for Prometheus), at an address of its own. Stores and gateways show the cluster: `/` for people, and
 * `/debug/cluster`, which that page draws.
 */
export class Diagnostics {
  readonly #server: HttpServer;

  private constructor(server: HttpServer) {
    this.#server = server;
  }

  /** Rejects with `NOKV_IO` when the address cannot be taken. */
  static async open(world: HttpWorld, address: Address, source: DiagnosticSource): Promise<Diagnostics> {
    const server = new HttpServer(world, ({ path }) => answer(path, source));
    await listenServer(server, address, "for diagnostics");
    return new Diagnostics(server);
  }

  get address(): Address {
    return this.#server.address;
  }

  close(): void {
    this.#server.close();
  }
}

function answer(path: string, source: DiagnosticSource): HttpResponse {
  switch (path) {
    case "/healthz":
      return verdict(source.ailment());
    case "/readyz": {
      const waiting = source.waitingFor();
      return verdict(source.ailment() ?? (waiting.length === 0 ? null : `waiting for ${waiting.join(", ")}`));
    }
    case "/debug/vars":
      return json(source.vars());
    case "/debug/cluster":
      return source.cluster === null ? missing : json(source.cluster.view() ?? { pending: true });
    case "/": {
      const page = source.cluster?.page ?? null;
      return page === null ? missing : { status: 200, contentType: "text/html; charset=utf-8", body: page };
    }
    case "/metrics":
      return { status: 200, contentType: "text/plain; version=0.0.4; charset=utf-8", body: metricsText(source.vars()) };
    default:
      return missing;
  }
}

const missing: HttpResponse = {
  status: 404,
  contentType: plainText,
  body: "there are /healthz, /readyz, /debug/vars and /metrics; of stores and gateways / and /debug/cluster, too\n",
};

function json(tree: VarTree): HttpResponse {
  return { status: 200, contentType: "application/json", body: `${JSON.stringify(tree, null, 2)}\n` };
}

function verdict(problem: string | null): HttpResponse {
  return { status: problem === null ? 200 : 503, contentType: plainText, body: `${problem ?? "ok"}\n` };
}
