import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const paths = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const quiet = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--remote-debugging-port=0",
];

/** Null: this machine has none. */
export function chromiumPath(): string | null {
  return paths.find((path) => existsSync(path)) ?? null;
}

interface Answer {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { readonly entry?: { readonly text: string } };
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
}

/** One page of a headless Chromium, by the DevTools protocol: https://chromedevtools.github.io/devtools-protocol */
export class ChromiumPage {
  /** What the page's console and the browser complained about. */
  readonly complaints: string[] = [];
  readonly #child: ChildProcess;
  readonly #socket: WebSocket;
  readonly #profile: string;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #calls = 0;

  private constructor(child: ChildProcess, socket: WebSocket, profile: string) {
    this.#child = child;
    this.#socket = socket;
    this.#profile = profile;
    socket.addEventListener("message", ({ data }) => this.#heard(JSON.parse(String(data)) as Answer));
  }

  static async open(path: string, url: string, width: number, height: number): Promise<ChromiumPage> {
    const profile = mkdtempSync(join(tmpdir(), "nokv-chromium-"));
    const argv = [...quiet, `--user-data-dir=${profile}`, `--window-size=${width},${height}`, "about:blank"];
    const child = spawn(path, argv, { stdio: ["ignore", "ignore", "pipe"] });
    const endpoint = await new Promise<string>((resolve, reject) => {
      let printed = "";
      child.stderr?.setEncoding("utf8").on("data", (text: string) => {
        printed += text;
        const found = /ws:\/\/([^/\s]+)\//.exec(printed)?.[1];
        if (found !== undefined) resolve(found);
      });
      child.once("exit", (code) => reject(new Error(`${path} ended with ${code}:\n${printed}`)));
    });
    const targets = (await (await fetch(`http://${endpoint}/json/list`)).json()) as { webSocketDebuggerUrl: string }[];
    const socket = new WebSocket(targets[0]?.webSocketDebuggerUrl ?? "");
    await once(socket, "open");
    const page = new ChromiumPage(child, socket, profile);
    await page.#call("Log.enable", {});
    await page.#call("Page.enable", {});
    await page.#call("Page.navigate", { url });
    return page;
  }

  /** The value of an expression in the page. */
  async evaluate(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.#call("Runtime.evaluate", { expression, returnByValue: true });
    if (exceptionDetails !== undefined) throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`);
    return (result as { readonly value?: unknown }).value;
  }

  /** PNG of the whole page. */
  async screenshot(): Promise<Uint8Array> {
    const { data } = await this.#call("Page.captureScreenshot", { format: "png", captureBeyondViewport: true });
    return Buffer.from(String(data), "base64");
  }

  async close(): Promise<void> {
    const ended = once(this.#child, "exit");
    this.#socket.close();
    this.#child.kill("SIGKILL");
    await ended;
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }

  #call(method: string, params: object): Promise<Readonly<Record<string, unknown>>> {
    const id = ++this.#calls;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ result = {}, error }) => {
        if (error === undefined) resolve(result);
        else reject(new Error(`${method}: ${error.message}`));
      });
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }

  #heard(answer: Answer): void {
    if (answer.method === "Log.entryAdded") this.complaints.push(answer.params?.entry?.text ?? "");
    if (answer.id === undefined) return;
    this.#waiting.get(answer.id)?.(answer);
    this.#waiting.delete(answer.id);
  }
}
