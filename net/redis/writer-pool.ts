// HOT: a connection borrows its output buffer here on every turn.
import { ReplyWriter } from "./reply-writer.ts";

const keptWritersMax = 64;
const keptBytesMax = 256 * 1024;

/** Output buffers between uses, so that ten thousand silent connections hold none. */
export class WriterPool {
  readonly #free: ReplyWriter[] = [];

  borrow(): ReplyWriter {
    return this.#free.pop() ?? new ReplyWriter();
  }

  release(writer: ReplyWriter): void {
    if (this.#free.length >= keptWritersMax || writer.capacity > keptBytesMax) return;
    writer.clear();
    writer.errors = 0;
    this.#free.push(writer);
  }
}
