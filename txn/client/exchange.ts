import type { Command, Response } from "../percolator/command.ts";
import type { Region } from "./region-cache.ts";

/** Why a region did not execute a command. */
export type RegionError =
  /** The region is not what the client took it for; `regions`: what is there now, as far as the store knows. */
  | { readonly kind: "epoch-not-match"; readonly regions: readonly Region[] }
  | { readonly kind: "not-leader" }
  | { readonly kind: "region-not-found" }
  | { readonly kind: "busy" };

/** What a client wants done. Each is answered by at most one input of its id; answers that come twice are ignored. */
export type ClientOutput =
  | { readonly kind: "send"; readonly id: number; readonly region: Region; readonly command: Command }
  /** `present`: larger than all that were given out before it was asked for. Else only unique, and of the past. */
  | { readonly kind: "timestamp"; readonly id: number; readonly present: boolean }
  | { readonly kind: "locate"; readonly id: number; readonly key: Uint8Array }
  | { readonly kind: "wait"; readonly id: number; readonly delayMs: number };

export type ClientInput =
  | { readonly kind: "response"; readonly id: number; readonly response: Response }
  | { readonly kind: "region-error"; readonly id: number; readonly error: RegionError }
  | { readonly kind: "timestamp"; readonly id: number; readonly ts: number }
  | { readonly kind: "located"; readonly id: number; readonly region: Region }
  | { readonly kind: "woken"; readonly id: number }
  /** It did not leave, and will not: it was not executed. */
  | { readonly kind: "unsent"; readonly id: number }
  /** No answer in time, or the connection is gone: whether it was executed is not known. */
  | { readonly kind: "lost"; readonly id: number };

type Handler = (input: ClientInput) => void;

/**
 * Where the machines of a client meet the world: what they want done goes out of `outputs`, answers come in by
 * `step`. No time, no transport, no promise.
 */
export class Exchange {
  readonly outputs: ClientOutput[] = [];
  /** The present, on the clock of the client's deadlines. */
  nowMs = 0;
  readonly #handlers = new Map<number, Handler>();
  #lastId = 0;

  step(input: ClientInput, nowMs: number): void {
    this.nowMs = nowMs;
    const handler = this.#handlers.get(input.id);
    // A late or second answer: whoever asked has gone on.
    if (handler === undefined) return;
    this.#handlers.delete(input.id);
    handler(input);
  }

  /** Nothing is awaited: the client's machines have come to their ends. */
  get isIdle(): boolean {
    return this.#handlers.size === 0;
  }

  send(region: Region, command: Command, handler: Handler): void {
    this.outputs.push({ kind: "send", id: this.#await(handler), region, command });
  }

  timestamp(present: boolean, handler: Handler): void {
    this.outputs.push({ kind: "timestamp", id: this.#await(handler), present });
  }

  locate(key: Uint8Array, handler: Handler): void {
    this.outputs.push({ kind: "locate", id: this.#await(handler), key });
  }

  wait(delayMs: number, handler: Handler): void {
    this.outputs.push({ kind: "wait", id: this.#await(handler), delayMs });
  }

  #await(handler: Handler): number {
    const id = ++this.#lastId;
    this.#handlers.set(id, handler);
    return id;
  }
}
