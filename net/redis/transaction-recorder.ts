import { assert, unreachable } from "../../core/assert.ts";
import type { Mutation, Operation, OperationResult } from "../../core/kv/kv.ts";
import type { RenderEntries, RenderOutcome } from "./reply-queue.ts";
import { type Protocol, ReplyWriter } from "./reply-writer.ts";

const noWriter = new ReplyWriter(64);

/** How one request of a transaction comes to its reply. */
type Step =
  /** By what the store says of the next operation. */
  | { readonly kind: "read"; readonly render: RenderEntries; readonly context: number }
  | { readonly kind: "mutate"; readonly render: RenderOutcome; readonly context: number }
  /** It is known: the store was not asked. */
  | { readonly kind: "said"; readonly reply: ReplyWriter }
  /** By being carried out when the store has agreed, for it concerns nothing in the store. */
  | { readonly kind: "later"; readonly run: (recorder: TransactionRecorder) => void };

/**
 * Turns the requests of a transaction into operations for the store, and what the store says of them into one reply.
 * A request on keys is carried out while recording, and its question to the store becomes an operation; any other
 * request waits until the store has agreed, so that it has no effect when a watched key has changed.
 */
export class TransactionRecorder {
  readonly operations: Operation[] = [];
  readonly #steps: Step[] = [];
  #writer: ReplyWriter = noWriter;

  /** Some requests are carried out only when the store has answered. */
  get hasLater(): boolean {
    return this.#steps.some(({ kind }) => kind === "later");
  }

  /** Records the request that `run` carries out through a call that has this recorder. */
  ask(run: () => void, protocol: Protocol): void {
    const steps = this.#steps.length;
    const said = new ReplyWriter(64);
    said.protocol = protocol;
    this.#writer = said;
    run();
    this.#writer = noWriter;
    if (this.#steps.length === steps) this.#steps.push({ kind: "said", reply: said });
    assert(this.#steps.length === steps + 1, "a request is answered once");
  }

  later(run: (recorder: TransactionRecorder) => void): void {
    this.#steps.push({ kind: "later", run });
  }

  /** Where the reply to the present request goes when it is known at once. */
  writer(protocol: Protocol): ReplyWriter {
    this.#writer.protocol = protocol;
    return this.#writer;
  }

  read(keys: readonly Uint8Array[], render: RenderEntries, context: number): void {
    this.operations.push({ kind: "read", keys });
    this.#steps.push({ kind: "read", render, context });
  }

  mutate(mutation: Mutation, render: RenderOutcome, context: number): void {
    this.operations.push({ kind: "mutate", mutation });
    this.#steps.push({ kind: "mutate", render, context });
  }

  /** The reply to EXEC. Requests of later protocols follow HELLO, as everywhere. */
  render(reply: ReplyWriter, results: readonly OperationResult[]): void {
    let next = 0;
    reply.array(this.#steps.length);
    for (const step of this.#steps) {
      switch (step.kind) {
        case "said":
          reply.append(step.reply);
          break;
        case "later":
          this.#writer = reply;
          step.run(this);
          this.#writer = noWriter;
          break;
        case "read": {
          const result = results[next++];
          assert(result?.kind === "read", "the results are in the order of the operations");
          step.render(reply, result.entries, step.context);
          break;
        }
        case "mutate": {
          const result = results[next++];
          assert(result?.kind === "mutate", "the results are in the order of the operations");
          step.render(reply, result.outcome, step.context);
          break;
        }
        default:
          unreachable(step);
      }
    }
  }
}
