// Goal: a whole cluster with one command: it serves, loses a store by kill -9, serves on, gets the store back, and has
// its data again after a clean end. Method: real processes on free ports, asked as a Redis client asks.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, expect, test } from "vitest";
import { openHostEnv } from "../../host/env.ts";
import { RedisClient } from "../../net/redis/client.ts";
import { showReply } from "../../net/redis/reply.ts";

const main = join(import.meta.dirname, "../main.ts");
const root = realpathSync(mkdtempSync(join(tmpdir(), "nokv-playground-")));
const running = new Set<ChildProcess>();

afterEach(() => {
  // Its children end with it: they notice that nobody holds their stdin any more.
  for (const child of running) child.kill("SIGKILL");
  running.clear();
});

afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

/** Ten in a row that nobody listens at. */
async function freePorts(): Promise<number> {
  for (let base = 20_000 + (process.pid % 400) * 100; ; base = 20_000 + ((base - 19_990) % 40_000)) {
    const free = await Promise.all(Array.from({ length: 10 }, (_, i) => isFree(base + i)));
    if (free.every(Boolean)) return base;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

class Running {
  stdout = "";
  stderr = "";
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;

  readonly #port: number;
  #client: RedisClient | null = null;

  constructor(workdir: string, port: number) {
    this.#port = port;
    const argv = [main, "playground", "--workdir", workdir, "--base-port", String(port)];
    this.child = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "pipe"] });
    running.add(this.child);
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => (this.stdout += text));
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
    this.ended = once(this.child, "close").then(([code]) => code as number | null);
  }

  async until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    while (!(await holds())) {
      if (this.child.exitCode !== null) throw new Error(`it ended before ${what}:\n${this.stdout}${this.stderr}`);
      await new Promise((run) => void setTimeout(run, 50));
    }
  }

  pid(name: string): number {
    return Number(new RegExp(`${name} .* pid (\\d+)`).exec(this.stdout)?.[1]);
  }

  async ask(line: string): Promise<string> {
    // Its connection is made at once, and only once: not before somebody listens.
    this.#client ??= new RedisClient(openHostEnv({ failpoints: null }), { host: "127.0.0.1", port: this.#port });
    const outcome = await this.#client.request(line.split(" "));
    if (outcome.kind === "reply") return showReply(outcome.reply);
    return outcome.kind === "error" ? outcome.code : outcome.kind;
  }
}

test("a directory that is none is named", { timeout: 60_000 }, async () => {
  writeFileSync(join(root, "file"), "");
  const first = new Running(join(root, "file"), 30_000);
  expect(await first.ended).toBe(73);
  expect(first.stderr).toBe(`nokv: workdir ${join(root, "file")}: is a file, not a directory\n`);
});

test("a cluster loses a store and gets it back, and has its data after a restart", { timeout: 240_000 }, async () => {
  const port = await freePorts();
  const workdir = join(root, "cluster");
  const first = new Running(workdir, port);
  await first.until("it was ready", () => first.stdout.includes("Ctrl-C"));
  expect(await first.ask("SET apple 1")).toBe("OK");
  expect(await first.ask("MSET house 2 zebra 3")).toBe("OK");
  process.kill(first.pid("store-1"), "SIGKILL");
  // Whoever led there is replaced; until then requests wait, or say that nothing happened.
  await first.until("a key of each region is read", async () => {
    const answers = [await first.ask("GET apple"), await first.ask("GET house"), await first.ask("GET zebra")];
    return answers.join() === '"1","2","3"';
  });
  await first.until("it is written to", async () => (await first.ask("SET apple 4")) === "OK");
  await first.until("the store is started again", () => first.stderr.includes("store-1 was killed by SIGKILL"));
  first.child.kill("SIGINT");
  expect(await first.ended).toBe(0);
  const second = new Running(workdir, port);
  await second.until("it was ready again", () => second.stdout.includes("Ctrl-C"));
  expect(await second.ask("MGET apple house zebra")).toBe('["4", "2", "3"]');
  const other = new Running(join(root, "other"), port);
  expect(await other.ended).toBe(69);
  expect(other.stderr).toContain("address already in use (another playground runs?");
  second.child.kill("SIGTERM");
  expect(await second.ended).toBe(0);
  expect(second.stderr).toBe("");
});
