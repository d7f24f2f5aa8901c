import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { openHostEnv } from "../../host/env.ts";
import { RedisClient } from "../../net/redis/client.ts";
import { sleep } from "../sleep.ts";
import { Xorshift } from "../xorshift.ts";
import { ChromiumPage, chromiumPath } from "./chromium.ts";
import { freePorts, PlaygroundProcess } from "./cluster-processes.ts";

export interface LivePageOptions {
  readonly seed: number;
  /** Where the picture goes; "": nowhere. */
  readonly picture: string;
  readonly report: (line: string) => void;
}

const firstPort = 51_000 + (process.pid % 100) * 10;
/** A playground's ports: Redis, Coordinator, three stores, and their metrics in the same order behind them. */
const gatewayMetrics = 9;
const width = 1_180;
const height = 860;
const letters = ["a", "k", "z"];

/** What the page must show in time, as an expression that is true then. */
const wanted: readonly (readonly [what: string, expression: string])[] = [
  ["every store answers", "document.querySelectorAll('#stores td.up').length === 3"],
  ["three regions with a leader each", "document.querySelectorAll('#regions .replica.leader').length === 3"],
  ["three replicas of each", "document.querySelectorAll('#regions .replica').length === 9"],
  ["the hottest key first", "document.querySelector('#hot td.key')?.textContent === '\"hot\"'"],
  ["a line of throughput", "document.querySelectorAll('#throughput path').length === 2"],
  ["a line of latency", "document.querySelectorAll('#latency path').length === 2"],
  ["it says that it is live", "document.getElementById('state').textContent.startsWith('live')"],
];
const lost: readonly (readonly [what: string, expression: string])[] = [
  ["the store that died is named", "/store 2/.test(document.getElementById('state').textContent)"],
  ["its replicas are silent", "document.querySelectorAll('#regions .replica.silent').length > 0"],
];

/** Shows a playground under load to a browser, kills a store, and looks at what the browser shows. */
export async function livePageRounds({ seed, picture, report }: LivePageOptions): Promise<void> {
  const path = chromiumPath();
  if (path === null) throw new Error("there is no Chromium on this machine");
  const workdir = mkdtempSync(join(tmpdir(), "nokv-live-page-"));
  const port = await freePorts(firstPort);
  const playground = await PlaygroundProcess.start(join(workdir, "cluster"), port);
  const load = new Load(port, seed);
  const page = await ChromiumPage.open(path, `http://127.0.0.1:${port + gatewayMetrics}/`, width, height);
  try {
    await load.during(async () => {
      for (const [what, expression] of wanted) await seen(page, what, expression, report);
      await sleep(20_000);
      if (picture !== "") {
        mkdirSync(dirname(picture), { recursive: true });
        writeFileSync(picture, await page.screenshot());
        report(`picture: ${picture}`);
      }
      playground.kill("store-2");
      for (const [what, expression] of lost) await seen(page, what, expression, report);
      for (const [what, expression] of wanted) await seen(page, `again ${what}`, expression, report);
    });
    if (page.complaints.length > 0) throw new Error(`the browser complains: ${page.complaints.join("; ")}`);
    report(`${load.answered} requests answered`);
  } finally {
    await page.close();
    await playground.stop();
    rmSync(workdir, { recursive: true, force: true });
  }
}

const patienceMs = 60_000;

// oxlint-disable-next-line max-params
async function seen(
  page: ChromiumPage,
  what: string,
  expression: string,
  report: (line: string) => void,
): Promise<void> {
  const startedMs = performance.now();
  while ((await page.evaluate(expression)) !== true) {
    if (performance.now() - startedMs > patienceMs) {
      throw new Error(`not seen: ${what}\n${String(await page.evaluate("document.body.innerText"))}`);
    }
    await sleep(100);
  }
  report(`seen: ${what}`);
}

/** A few clients that set and get keys of all regions, every third time one and the same. */
class Load {
  readonly #port: number;
  readonly #random: Xorshift;
  #stopping = false;
  answered = 0;

  constructor(port: number, seed: number) {
    this.#port = port;
    this.#random = new Xorshift(seed);
  }

  async during(run: () => Promise<void>): Promise<void> {
    const clients = [0, 1, 2].map(() => this.#client());
    try {
      await run();
    } finally {
      this.#stopping = true;
      await Promise.all(clients);
    }
  }

  async #client(): Promise<void> {
    const env = openHostEnv({ failpoints: null });
    while (!this.#stopping) {
      const client = new RedisClient(env, { host: "127.0.0.1", port: this.#port });
      while (!this.#stopping && !client.closed) {
        const letter = letters[this.#random.below(letters.length)] ?? "a";
        const key = this.#random.below(3) === 0 ? "hot" : `${letter}${this.#random.below(2_000)}`;
        const request = this.#random.below(2) === 0 ? ["SET", key, "x".repeat(100)] : ["GET", key];
        if ((await client.request(request)).kind === "reply") this.answered++;
        await sleep(2);
      }
      client.close();
    }
  }
}
