import { openHostEnv } from "../../host/env.ts";
import { RedisClient } from "../../net/redis/client.ts";
import type { Reply } from "../../net/redis/reply.ts";
import type { KvClient } from "./system.ts";

const env = openHostEnv();

/** One connection to a server that speaks Redis's protocol. */
export class RedisKvClient implements KvClient {
  readonly #client: RedisClient;

  constructor(port: number) {
    this.#client = new RedisClient(env, { host: "127.0.0.1", port });
  }

  async put(key: string, value: Uint8Array): Promise<void> {
    await this.#ask("SET", key, value);
  }

  async get(key: string): Promise<Uint8Array | null> {
    const reply = await this.#ask("GET", key);
    return reply.kind === "bulk" ? reply.bytes : null;
  }

  async increment(key: string): Promise<void> {
    await this.#ask("INCR", key);
  }

  async putTwo(one: string, other: string, value: Uint8Array): Promise<void> {
    await this.#ask("MSET", one, value, other, value);
  }

  close(): void {
    this.#client.close();
  }

  async #ask(...tokens: readonly (string | Uint8Array)[]): Promise<Reply> {
    const outcome = await this.#client.request(tokens);
    if (outcome.kind === "reply") return outcome.reply;
    throw new Error(outcome.kind === "error" ? outcome.message : outcome.reason);
  }
}
