import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Xorshift } from "../xorshift.ts";
import { Lineage, Writer } from "./lineage.ts";
import { runTool } from "./mounts.ts";

export interface PowercutOptions {
  readonly images: number;
  readonly seed: number;
  /** Operations acknowledged between two images, at most. */
  readonly operationsPerImage: number;
  readonly parent: string;
  readonly report: (images: number, report: PowercutReport) => void;
}

export interface PowercutReport {
  readonly images: number;
  readonly acknowledged: number;
  readonly verified: number;
}

export const powercutDefaults: PowercutOptions = {
  images: 200,
  seed: 1,
  operationsPerImage: 300,
  parent: tmpdir(),
  report: () => {},
};

const imageMiB = 64;
/** A process writes so long before it is killed and the next one opens the directory. */
const imagesPerWriter = 5;

/**
 * A database on a real ext4 file system in an image file. While it writes, the image is copied as the device has
 * it: without what only the page cache of the mounted file system holds. Each copy is mounted, its journal
 * replayed, and opened: it must hold a prefix with everything that was acknowledged. The writer is stopped while
 * the image is copied, because a copy is not one instant.
 */
export async function powercutRounds(options: PowercutOptions): Promise<PowercutReport> {
  const rig = new PowercutRig(options);
  try {
    return await rig.run();
  } finally {
    rig.unmount();
  }
}

class PowercutRig {
  readonly #options: PowercutOptions;
  readonly #parent: string;
  readonly #random: Xorshift;
  readonly #lineage: Lineage;
  #images = 0;
  #acknowledged = 0;

  constructor(options: PowercutOptions) {
    this.#options = options;
    this.#parent = mkdtempSync(join(options.parent, "nokv-powercut-"));
    this.#random = new Xorshift(options.seed);
    this.#lineage = new Lineage(options.seed);
    mkdirSync(this.#at("live"));
    mkdirSync(this.#at("crashed"));
    runTool("truncate", "-s", `${imageMiB}M`, this.#at("live.img"));
    runTool("mkfs.ext4", "-q", this.#at("live.img"));
    runTool("mount", "-o", "loop", this.#at("live.img"), this.#at("live"));
  }

  async run(): Promise<PowercutReport> {
    while (this.#images < this.#options.images) await this.#writer();
    await this.#lookAt(this.#at("live/db"), true);
    return this.#report();
  }

  unmount(): void {
    runTool("umount", this.#at("live"));
    rmSync(this.#parent, { recursive: true, force: true });
  }

  /** One process that writes, several images of what it wrote, and its end by SIGKILL. */
  async #writer(): Promise<void> {
    const order = { directory: this.#at("live/db"), seed: this.#options.seed, count: 1_000_000 };
    const before = this.#lineage.next - 1;
    const writer = new Writer({ ...order, first: this.#lineage.next, durability: "sync" });
    await this.#reached(writer, before);
    this.#lineage.found(writer);
    for (let i = 0; i < imagesPerWriter && this.#images < this.#options.images; i++) {
      const more = 1 + this.#random.below(this.#options.operationsPerImage);
      await this.#reached(writer, Math.max(before, writer.acknowledged) + more);
      writer.child.kill("SIGSTOP");
      await new Promise((resolve) => setTimeout(resolve, 20));
      this.#lineage.wrote(writer);
      await this.#cut();
      writer.child.kill("SIGCONT");
    }
    writer.child.kill("SIGKILL");
    await writer.exited;
    this.#lineage.wrote(writer);
    this.#acknowledged += Math.max(0, writer.acknowledged - before);
  }

  /** `before` itself: until the directory is open. */
  #reached(writer: Writer, count: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (writer.opened !== null && Math.max(writer.acknowledged, this.#lineage.next - 1) >= count) resolve();
      };
      writer.onLine = look;
      void writer.exited.then(() => reject(new Error(`the writer ended: ${writer.refusal}${writer.errorOutput}`)));
      look();
    });
  }

  async #cut(): Promise<void> {
    const image = this.#at("crashed.img");
    runTool("cp", "--sparse=always", this.#at("live.img"), image);
    runTool("mount", "-o", "loop", image, this.#at("crashed"));
    try {
      await this.#lookAt(this.#at("crashed/db"), false);
    } finally {
      runTool("umount", this.#at("crashed"));
    }
    this.#images++;
    this.#options.report(this.#images, this.#report());
  }

  async #lookAt(directory: string, goOn: boolean): Promise<void> {
    const { seed } = this.#options;
    const reader = new Writer({ directory, seed, first: 0, count: 0, durability: "sync" });
    await reader.exited;
    if (goOn) this.#lineage.found(reader);
    else this.#lineage.check(reader);
  }

  #report(): PowercutReport {
    return { images: this.#images, acknowledged: this.#acknowledged, verified: this.#lineage.verified };
  }

  #at(name: string): string {
    return join(this.#parent, name);
  }
}
