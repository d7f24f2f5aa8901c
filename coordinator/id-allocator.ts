import { FencedCounter, type Grant } from "./fenced-counter.ts";

export const idWindow = 1_000;
/** In one request. */
export const idsMax = 65_536;

export interface AllocatorTurn {
  readonly grants: readonly Grant[];
  /** Make it durable, then say `fenced`; 0: nothing to do. */
  readonly fence: number;
}

/** Ids of stores, regions, peers: each given out once. What is left of a window when the process ends is burnt. */
export class IdAllocator {
  readonly #counter: FencedCounter;

  /** `fence`: the durable one of all incarnations before. */
  constructor(fence: number) {
    this.#counter = new FencedCounter(fence);
  }

  get last(): number {
    return this.#counter.last;
  }

  get waiting(): number {
    return this.#counter.waiting;
  }

  /** Ids up to `id` were taken without asking: those of the first stores and regions. */
  passBy(id: number): void {
    this.#counter.passBy(id);
  }

  request(ticket: number, count: number): void {
    this.#counter.request(ticket, count);
  }

  turn(): AllocatorTurn {
    const grants = this.#counter.serve(0);
    const idle = grants.length === 0 && this.#counter.waiting === 0;
    return { grants, fence: idle ? 0 : this.#counter.nextFence(0, this.#counter.last + idWindow) };
  }

  fenced(fence: number): void {
    this.#counter.fenced(fence);
  }

  /** Those who wait are sent away. A fence that is on its way stays so. */
  drain(): readonly number[] {
    return this.#counter.drain();
  }

  /** The fence will not become durable, or may not: those who wait are sent away. */
  unfenced(): readonly number[] {
    return this.#counter.unfenced();
  }
}
