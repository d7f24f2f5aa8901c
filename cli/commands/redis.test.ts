// Goal: `nokv redis` on the real machine: what it prints, how it ends, how it refuses what it cannot serve.
// Method: run the command as a user would, on a free port and a directory of its own.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  watch,
  writeFileSync,
} from "node:fs";
import { type Socket, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, expect, test } from "vitest";

const main = join(import.meta.dirname, "../main.ts");
const root = realpathSync(mkdtempSync(join(tmpdir(), "nokv-redis-")));
const running = new Set<ChildProcess>();
let nextDirectory = 1;

afterEach(() => {
  for (const child of running) child.kill("SIGKILL");
  running.clear();
});

afterAll(() => {
  rmSync(root, { recursive: true });
});

function freshPath(): string {
  return join(root, `db-${nextDirectory++}`);
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs to its end: for command lines that are refused. */
function refused(...argv: string[]): Ended {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, "redis", ...argv], {
    encoding: "utf8",
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
  });
  return { code: status, stdout, stderr };
}

interface Server {
  readonly child: ChildProcess;
  readonly banner: string;
  readonly port: number;
  readonly ended: Promise<Ended>;
}

/** Starts a server on a free port and waits for its banner. */
function serve(workdir: string, ...argv: string[]): Promise<Server> {
  return serveBy(process.execPath, [main, "redis", "--workdir", workdir, "--addr", "127.0.0.1:0", ...argv]);
}

async function serveBy(command: string, argv: readonly string[]): Promise<Server> {
  const child = spawn(command, argv, { stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  const output = { stdout: "", stderr: "" };
  const ended = once(child, "close").then(([code]) => {
    running.delete(child);
    return { code: code as number | null, ...output };
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => (output.stderr += text));
  const banner = new Promise<string>((resolve) => {
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output.stdout += text;
      if (output.stdout.includes("\n")) resolve(output.stdout);
    });
  });
  const line = await Promise.race([banner, ended.then(({ code, stderr }) => `exit ${code}: ${stderr}`)]);
  return { child, banner: line, port: Number(/:(\d+), workdir/.exec(line)?.[1]), ended };
}

/** Sends one inline command and returns everything up to the first line end. */
async function ask(port: number, line: string): Promise<string> {
  const socket: Socket = connect({ host: "127.0.0.1", port });
  socket.setEncoding("latin1");
  socket.write(`${line}\r\n`);
  let reply = "";
  for await (const text of socket) {
    reply += String(text);
    if (reply.endsWith("\r\n")) break;
  }
  socket.destroy();
  return reply;
}

test("one banner line, an answer, a clean end; the data is there again", async () => {
  const workdir = freshPath();
  const first = await serve(workdir);
  expect(first.banner).toBe(
    `nokv redis 0.1.0: listening on 127.0.0.1:${first.port}, workdir ${workdir}, ` +
      `durability sync, pid ${first.child.pid}\n`,
  );
  expect(await ask(first.port, "SET greeting hello")).toBe("+OK\r\n");
  first.child.kill("SIGTERM");
  expect(await first.ended).toMatchObject({ code: 0, stderr: "" });
  expect(statSync(workdir).mode & 0o777).toBe(0o700);
  const second = await serve(workdir, "--durability", "interval", "--sync-interval", "50ms");
  expect(await ask(second.port, "GET greeting")).toBe("$5\r\nhello\r\n");
  second.child.kill("SIGINT");
  expect(await second.ended).toMatchObject({ code: 0 });
});

test("SIGHUP ends it cleanly too", async () => {
  const server = await serve(freshPath());
  server.child.kill("SIGHUP");
  expect(await server.ended).toMatchObject({ code: 0 });
});

test("a second process is told who has the directory, and the first keeps running", async () => {
  const workdir = freshPath();
  const first = await serve(workdir);
  const { code, stdout, stderr } = refused("--workdir", workdir, "--addr", "127.0.0.1:0");
  expect([code, stdout]).toEqual([75, ""]);
  expect(stderr).toContain(`pid ${first.child.pid} on host `);
  expect(stderr.trimEnd()).not.toContain("\n");
  expect(await ask(first.port, "PING")).toBe("+PONG\r\n");
});

test("an address in use is refused before the directory is touched", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const workdir = freshPath();
  const { code, stderr } = refused("--workdir", workdir, "--addr", `127.0.0.1:${port}`);
  server.close();
  expect(code).toBe(69);
  expect(stderr).toContain(`nokv: bind 127.0.0.1:${port}: address already in use`);
  expect(existsSync(workdir)).toBe(false);
});

test.each([
  [["--workdir", ""], 2, "nokv: --workdir: must not be empty"],
  [["--addr", "127.0.0.1:99999"], 2, '--addr: port: "99999" must be an integer between 0 and 65535'],
  [["--addr", "::1:6380"], 2, "[::1]:6380 for IPv6"],
  [["--durability", "snyc"], 2, "(did you mean sync?)"],
  [["--tune", "memtableBytes"], 2, '--tune: "memtableBytes" is not NAME=N'],
  [["--tune", "memtableBytes=1"], 2, "memtableBytes is 1; it must be an integer from"],
  [["--tune", "blockBytes=512,blockBytes=1024"], 2, "blockBytes is given twice"],
  [["--tune", "blockSize=512"], 2, "unknown limit blockSize (one of memtableBytes, "],
  [["--sync-interval", "1s"], 2, "--sync-interval needs --durability interval"],
  [["--password", "secret"], 2, "unknown option --password (did you mean --password-file?)"],
  [["--password-file", "/nowhere/at/all"], 66, "cannot read /nowhere/at/all: there is no such file"],
  [["--workdir", "/nowhere/at/all"], 66, "/nowhere/at does not exist (mkdir -p /nowhere/at)"],
  [["--workdir", "/dev/null"], 73, "is a file, not a directory"],
  [["--workdir", "x", "--workdir", "y"], 2, "--workdir is given twice"],
  [["--addr", "192.0.2.1:0"], 69, "no such address on this machine"],
])("%j is refused", (argv, code, line) => {
  const ended = refused(...argv);
  expect([ended.code, ended.stdout]).toEqual([code, ""]);
  expect(ended.stderr).toContain(line);
});

test("a directory of something else is refused and left alone", () => {
  const workdir = freshPath();
  mkdirSync(workdir);
  writeFileSync(join(workdir, "thesis.txt"), "do not touch");
  const { code, stderr } = refused("--workdir", workdir, "--addr", "127.0.0.1:0");
  expect(code).toBe(65);
  expect(stderr).toContain(workdir);
  expect(readdirSync(workdir)).toContain("thesis.txt");
});

test("a directory of somebody else is refused", () => {
  const workdir = freshPath();
  mkdirSync(workdir);
  chmodSync(workdir, 0o000);
  chmodSync(root, 0o755);
  // Root may do everything, so nobody asks.
  const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  const argv = [main, "redis", "--workdir", workdir, "--addr", "127.0.0.1:0"];
  const { status, stderr } = spawnSync(process.execPath, argv, { ...nobody, encoding: "utf8", cwd: "/" });
  chmodSync(workdir, 0o700);
  expect(stderr).toContain(`nokv: workdir ${workdir}: permission denied`);
  expect(status).toBe(77);
});

test("damage is refused, naming the file", async () => {
  const workdir = freshPath();
  const server = await serve(workdir);
  await ask(server.port, "SET key value");
  server.child.kill("SIGTERM");
  await server.ended;
  writeFileSync(join(workdir, "CURRENT"), "MANIFEST-999999\n");
  const { code, stderr } = refused("--workdir", workdir, "--addr", "127.0.0.1:0");
  expect(code).toBe(65);
  expect(stderr).toContain(workdir);
});

test("beyond loopback it warns, and says what would let clients in", async () => {
  const argv = [main, "redis", "--workdir", freshPath(), "--addr", "0.0.0.0:0"];
  const server = await serveBy(process.execPath, argv);
  server.child.kill("SIGTERM");
  const { code, stderr } = await server.ended;
  expect(code).toBe(0);
  expect(stderr).toMatch(/^nokv: warning: 0\.0\.0\.0:\d+ is reachable from other machines: .* are refused/);
});

test("a password from a file is asked for", async () => {
  const path = join(root, "password");
  writeFileSync(path, "open sesame\nanother line\n");
  const server = await serve(freshPath(), "--password-file", path);
  expect(await ask(server.port, "GET key")).toMatch(/^-NOAUTH /);
  expect(await ask(server.port, 'AUTH "open sesame"')).toBe("+OK\r\n");
});

test("a signal during startup ends in a clean shutdown", async () => {
  const parent = join(root, "watched");
  mkdirSync(parent);
  const watcher = watch(parent);
  const created = once(watcher, "change");
  const starting = serve(join(parent, "db"));
  // The directory appears once opening has begun; the banner is still to come.
  await Promise.race([created, starting]);
  watcher.close();
  for (const child of running) child.kill("SIGTERM");
  const { ended } = await starting;
  expect(await ended).toMatchObject({ code: 0, stderr: "" });
});

test("a second signal does not wait for clients that do not go", async () => {
  const server = await serve(freshPath());
  const client = connect({ host: "127.0.0.1", port: server.port, allowHalfOpen: true });
  client.write("PING\r\n");
  await once(client, "data");
  server.child.kill("SIGTERM");
  // The server has said goodbye and waits for the client, which never does.
  client.resume();
  await once(client, "end");
  server.child.kill("SIGTERM");
  expect(await server.ended).toMatchObject({ code: 143 });
  client.destroy();
});

test("a write that fails half-way is answered, reported, and ends the process with 74", async () => {
  const command = `exec ${process.execPath} ${main} redis --workdir ${freshPath()} --addr 127.0.0.1:0`;
  // In units of 1,024 bytes: the log cannot take the value.
  const server = await serveBy("bash", ["-c", `ulimit -f 64; ${command}`]);
  const value = "x".repeat(100_000);
  const reply = await ask(server.port, `*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$${value.length}\r\n${value}`);
  expect(reply).toMatch(/^-UNDETERMINED /);
  const { code, stderr } = await server.ended;
  expect(code).toBe(74);
  expect(stderr).toMatch(/^nokv: \S+: .*; shutting down\n$/);
});

test("a failpoint that does not exist is refused", () => {
  const environment = { ...process.env, NOKV_FAILPOINTS: "core/nowhere=crash" };
  const argv = [main, "redis", "--workdir", freshPath(), "--addr", "127.0.0.1:0"];
  const { status, stderr } = spawnSync(process.execPath, argv, { encoding: "utf8", env: environment });
  expect(status).toBe(2);
  expect(stderr).toContain('nokv: NOKV_FAILPOINTS: failpoint "core/nowhere" is not in the catalog');
});

test("64 file descriptors are enough to serve", async () => {
  const argv = `redis --workdir ${freshPath()} --addr 127.0.0.1:0`;
  const server = await serveBy("bash", ["-c", `ulimit -n 64; exec ${process.execPath} ${main} ${argv}`]);
  expect(await ask(server.port, "PING")).toBe("+PONG\r\n");
});
