import type { Dice } from "../dice.ts";
import type { FaultKind } from "../faults.ts";
import type { NetworkFaults } from "./network-faults.ts";

const perMillion = 1_000_000;

/** Within one machine. */
const loopbackUs = 10;

export interface LinkParts {
  readonly id: number;
  /** Host names, for the story. */
  readonly from: string;
  readonly to: string;
  readonly faults: NetworkFaults;
  readonly dice: Dice;
  readonly count: (kind: FaultKind) => void;
}

/** One direction between two machines: what delays bytes, and what holds them back. */
export class Link {
  readonly id: number;
  readonly from: string;
  readonly to: string;
  readonly loopback: boolean;
  /** What it carries has no checksum of its own: bits that flip here would be nobody's to notice. */
  plain = false;
  readonly #faults: NetworkFaults;
  readonly #dice: Dice;
  readonly #count: (kind: FaultKind) => void;
  readonly #baseUs: number;
  /** Below the rate of throttled links, this one is among them. */
  readonly #throttleDraw: number;
  #throttleCounted = false;
  #blocked = false;
  #extraUs = 0;
  /** When the last byte handed over will have left a throttled link. */
  #freeAtUs = 0;
  #waiting: (() => void)[] = [];

  constructor(parts: LinkParts) {
    const { faults, dice } = parts;
    this.id = parts.id;
    this.from = parts.from;
    this.to = parts.to;
    this.loopback = parts.from === parts.to;
    this.#faults = faults;
    this.#dice = dice;
    this.#count = parts.count;
    this.#baseUs = this.loopback ? loopbackUs : dice.between(faults.latencyUsMin, faults.latencyUsMax);
    this.#throttleDraw = dice.below(perMillion);
  }

  /** Bytes of this direction do not get through. */
  get blocked(): boolean {
    return this.#blocked;
  }

  /** Time an empty segment takes, without luck. */
  get baseUs(): number {
    return this.#baseUs + this.#extraUs;
  }

  block(): void {
    this.#blocked = !this.loopback;
  }

  /** Every segment takes so much longer until it is set back to 0. */
  slow(extraUs: number): void {
    this.#extraUs = this.loopback ? 0 : extraUs;
  }

  /** Open and fast again. */
  heal(): void {
    this.#extraUs = 0;
    this.unblock();
  }

  /** What was held back arrives. */
  unblock(): void {
    this.#blocked = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const run of waiting) run();
  }

  /** Runs `run` once when the link is healed; the link must be blocked. */
  whenHealed(run: () => void): void {
    this.#waiting.push(run);
  }

  /** When `sizeBytes` handed over at `nowUs` arrive. */
  arrivalUs(nowUs: number, sizeBytes: number): number {
    const faults = this.#faults;
    let atUs = nowUs + this.#baseUs + this.#extraUs + this.#dice.below(faults.jitterUsMax + 1);
    if (this.#dice.chance(faults.spike, perMillion) && !this.loopback) {
      atUs += this.#dice.skewed(1, faults.spikeUsMax);
      this.#count("net.latency");
    }
    if (this.#throttleDraw < faults.throttled && !this.loopback) atUs += this.#throttle(nowUs, sizeBytes);
    return atUs;
  }

  /** How long the bytes before these, and these, take to leave. */
  #throttle(nowUs: number, sizeBytes: number): number {
    if (!this.#throttleCounted) this.#count("net.bandwidth");
    this.#throttleCounted = true;
    const startUs = Math.max(nowUs, this.#freeAtUs);
    this.#freeAtUs = startUs + Math.ceil((sizeBytes * perMillion) / this.#faults.bandwidthBytesPerSecond);
    return this.#freeAtUs - nowUs;
  }
}
