import type { Env } from "../core/env/env.ts";
import type { Address } from "../core/env/network.ts";
import { checkOptions, type EngineOptions } from "../core/engine/options.ts";
import type { Engine } from "../core/engine/engine.ts";
import { openEngine } from "../core/engine/engine.ts";
import { NokvError } from "../core/errors.ts";
import { EngineKv } from "../core/kv/engine-kv.ts";
import { checkGatewayOptions, type GatewayOptions } from "../net/redis/options.ts";
import { RedisServer } from "../net/redis/server.ts";
import { listenServer } from "./listen.ts";

export interface RedisNodeConfig {
  /** The database's directory. */
  readonly workdir: string;
  /** Port 0 picks a free one. */
  readonly address: Address;
  readonly engine: Partial<EngineOptions>;
  readonly gateway: Partial<GatewayOptions>;
  /**
   * Called once, when a write or a sync failed for good. Reads go on; writes are refused until the node is
   * opened again, so a process does best to close it and to exit with 74, for its supervisor to start it
   * anew.
   */
  readonly onFatal?: (error: NokvError) => void;
}

/** An embedded engine behind a Redis gateway: the whole of a standalone node. */
export class RedisNode {
  readonly engine: Engine;
  readonly #server: RedisServer;
  #closing: Promise<void> | null = null;

  constructor(engine: Engine, server: RedisServer) {
    this.engine = engine;
    this.#server = server;
  }

  /** Where clients connect. */
  get address(): Address {
    return this.#server.address;
  }

  /**
   * Takes no more clients, answers what was begun, then closes the engine. May be called again. Rejects with
   * NOKV_UNDETERMINED when acknowledged writes of a lower durability level than `sync` may be lost.
   */
  close(): Promise<void> {
    this.#closing ??= new Promise<void>((resolve) => this.#server.close(resolve)).then(() =>
      this.engine.close(),
    );
    return this.#closing;
  }
}

/**
 * Opens the database and listens. Throws what `openEngine` throws, NOKV_INVALID_ARGUMENT for options, and
 * NOKV_IO when the address cannot be taken; then nothing is left open.
 */
export async function openRedisNode(env: Env, config: RedisNodeConfig): Promise<RedisNode> {
  const engineOptions = checkOptions(config.engine);
  const gatewayOptions = checkGatewayOptions(config.gateway);
  const engine = await openEngine(env, config.workdir, engineOptions);
  const kv = new EngineKv(engine, env.clock, {
    // Redis's limit for APPEND is the one for arguments.
    valueBytesMax: Math.min(engineOptions.valueBytesMax, gatewayOptions.bulkBytesMax),
    // The reply has to fit with the headers of its items.
    readBytesMax: Math.floor(gatewayOptions.outputBytesMax / 2),
  });
  const server = new RedisServer(env, kv, gatewayOptions, () => estimateKeys(engine));
  try {
    await listenServer(server, config.address);
  } catch (error) {
    if (error instanceof NokvError) await engine.close();
    throw error;
  }
  if (config.onFatal !== undefined) engine.onPoisoned(config.onFatal);
  return new RedisNode(engine, server);
}

/** Smaller stores are counted when somebody asks. */
const countedBytesMax = 1024 * 1024;
const recordBytesGuess = 128;

function estimateKeys(engine: Engine): number {
  const { memtableBytes, tableBytesPerLevel } = engine.stats();
  const bytes = tableBytesPerLevel.reduce((sum, level) => sum + level, memtableBytes);
  return bytes <= countedBytesMax ? 0 : Math.ceil(bytes / recordBytesGuess);
}
