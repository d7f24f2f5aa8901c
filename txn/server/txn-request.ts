import type { RpcError } from "../../net/rpc/rpc-error.ts";
import type { Command, Response } from "../percolator/command.ts";
import type { Answer } from "./response-codec.ts";

/** Commands for one region that came together, and whoever waits for their answers. */
export interface TxnRequest {
  readonly commands: readonly Command[];
  /** The version of the region's epoch that they were made for. */
  readonly version: number;
  /** Of the store's monotonic clock: later than that nothing is begun any more. */
  readonly deadlineUs: number;
  /** Nobody waits any more: what was not proposed yet is left. */
  readonly cancelled: boolean;
  /** One answer per command, in their order; called once. */
  done(answers: readonly Answer[]): void;
}

/** A request until its last answer. */
class OpenRequest {
  readonly request: TxnRequest;
  readonly #answers: (Answer | null)[];
  #left: number;

  constructor(request: TxnRequest) {
    this.request = request;
    this.#left = request.commands.length;
    this.#answers = request.commands.map(() => null);
  }

  answer(at: number, answer: Answer): void {
    this.#answers[at] = answer;
    if (--this.#left === 0) this.request.done(this.#answers as Answer[]);
  }
}

/** One command of a request on its way through a region's machine. */
export class Ticket {
  readonly token: number;
  readonly command: Command;
  readonly #open: OpenRequest;
  readonly #at: number;
  /** It is in the log, or was given to whoever puts it there. */
  proposed = false;

  // oxlint-disable-next-line max-params
  constructor(token: number, open: OpenRequest, at: number) {
    this.token = token;
    this.#open = open;
    this.#at = at;
    this.command = open.request.commands[at] as Command;
  }

  get version(): number {
    return this.#open.request.version;
  }

  get cancelled(): boolean {
    return this.#open.request.cancelled;
  }

  get deadlineUs(): number {
    return this.#open.request.deadlineUs;
  }

  respond(response: Response): void {
    this.#open.answer(this.#at, { kind: "response", response });
  }

  fail(error: RpcError): void {
    this.#open.answer(this.#at, { kind: "error", error });
  }
}

/** Tickets of all commands of `request`; `token` gives each a number that no other has. */
export function openTickets(request: TxnRequest, token: () => number): Ticket[] {
  const open = new OpenRequest(request);
  return request.commands.map((_, at) => new Ticket(token(), open, at));
}
