import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Child, firstLineOf, listening } from "../child.ts";
import { RedisKvClient } from "./redis-kv-client.ts";
import type { Contestant } from "./system.ts";

const port = 23_700;

/** One process that syncs its log before it answers. Not replicated: what durability costs without consensus. */
export const redis: Contestant = {
  name: "redis",
  absent: () => (firstLineOf("redis-server", ["--version"]) === null ? "redis-server is not installed" : null),
  start: async (directory) => {
    mkdirSync(directory, { recursive: true });
    const words = ["--port", String(port), "--dir", directory, "--save", "", "--appendonly", "yes"];
    const child = new Child("redis-server", [...words, "--appendfsync", "always"], join(directory, "redis.log"));
    await listening(port, 30);
    return {
      name: "redis",
      version: /v=(\S+)/.exec(firstLineOf("redis-server", ["--version"]) ?? "")?.[1] ?? "",
      pids: () => [child.pid],
      connect: () => Promise.resolve(new RedisKvClient(port)),
      killLeader: null,
      stop: () => child.kill("SIGKILL"),
    };
  },
};
