import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from "node:http2";
import { type ProtobufField, ProtobufWriter, readProtobuf } from "./protobuf.ts";
import type { KvClient } from "./system.ts";

const prefixBytes = 5;

/** One connection to one member of etcd: gRPC over HTTP/2, version 3 of its interface. */
export class EtcdClient implements KvClient {
  readonly #session: ClientHttp2Session;

  constructor(port: number) {
    this.#session = connect(`http://127.0.0.1:${port}`);
    // Requests hear of it.
    this.#session.on("error", () => undefined);
  }

  async put(key: string, value: Uint8Array): Promise<void> {
    await this.#call("KV/Put", putRequest(key, value));
  }

  async get(key: string): Promise<Uint8Array | null> {
    return (await this.#entry(key)).value;
  }

  /** Reads, and puts one more if nobody came in between, until that happens. */
  async increment(key: string): Promise<void> {
    for (;;) {
      const { value, revision } = await this.#entry(key);
      const next = Buffer.from(String(Number(value === null ? "0" : Buffer.from(value).toString()) + 1));
      const isModRevision = 2;
      const compare = new ProtobufWriter().integer(2, isModRevision).bytes(3, Buffer.from(key)).integer(6, revision);
      const request = new ProtobufWriter().bytes(1, compare.end()).bytes(2, putOperation(key, next));
      const answer = await this.#call("KV/Txn", request.end());
      if (answer.some(({ field, integer }) => field === 2 && integer === 1)) return;
    }
  }

  async putTwo(one: string, other: string, value: Uint8Array): Promise<void> {
    const request = new ProtobufWriter().bytes(2, putOperation(one, value)).bytes(2, putOperation(other, value));
    await this.#call("KV/Txn", request.end());
  }

  /** Whether this member leads. */
  async leads(): Promise<boolean> {
    const answer = await this.#call("Maintenance/Status", Buffer.alloc(0));
    const header = answer.find(({ field }) => field === 1);
    const member = readProtobuf(header?.bytes ?? Buffer.alloc(0)).find(({ field }) => field === 2)?.integer;
    const leader = answer.find(({ field }) => field === 4)?.integer;
    return leader !== undefined && leader !== 0 && leader === member;
  }

  close(): void {
    this.#session.destroy();
  }

  async #entry(key: string): Promise<{ readonly value: Uint8Array | null; readonly revision: number }> {
    const answer = await this.#call("KV/Range", new ProtobufWriter().bytes(1, Buffer.from(key)).end());
    const entry = answer.find(({ field }) => field === 2);
    if (entry === undefined) return { value: null, revision: 0 };
    const fields = readProtobuf(entry.bytes);
    const revision = fields.find(({ field }) => field === 3)?.integer ?? 0;
    return { value: fields.find(({ field }) => field === 5)?.bytes ?? null, revision };
  }

  #call(method: string, request: Buffer): Promise<ProtobufField[]> {
    return new Promise((resolve, reject) => {
      const stream = this.#session.request({
        ":method": "POST",
        ":path": `/etcdserverpb.${method}`,
        "content-type": "application/grpc",
        te: "trailers",
      });
      const chunks: Buffer[] = [];
      let status = "no answer";
      const told = (headers: IncomingHttpHeaders): void => {
        const given = headers["grpc-status"];
        if (typeof given === "string") status = given;
      };
      stream.on("response", told);
      stream.on("trailers", told);
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("error", reject);
      stream.on("close", () => {
        if (status === "0") resolve(readProtobuf(Buffer.concat(chunks).subarray(prefixBytes)));
        else reject(new Error(`etcd: ${method}: status ${status}`));
      });
      const prefix = Buffer.alloc(prefixBytes);
      prefix.writeUInt32BE(request.length, 1);
      stream.end(Buffer.concat([prefix, request]));
    });
  }
}

function putRequest(key: string, value: Uint8Array): Buffer {
  return new ProtobufWriter().bytes(1, Buffer.from(key)).bytes(2, value).end();
}

function putOperation(key: string, value: Uint8Array): Buffer {
  return new ProtobufWriter().bytes(2, putRequest(key, value)).end();
}
