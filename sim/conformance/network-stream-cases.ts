import { assert } from "../../core/assert.ts";
import { type NetworkCase, type Peer, farewell, pair } from "./network-peer.ts";

const mebibyte = 1_048_576;

const transfer: readonly NetworkCase[] = [
  {
    name: "bytes are copied, and arrive unchanged and in order",
    run: async (subject) => {
      const { door, near, far } = await pair(subject);
      const bytes = new Uint8Array(10);
      for (let i = 0; i < 100; i++) {
        bytes.fill(i);
        near.write(bytes);
      }
      bytes.fill(255);
      await far.until((peer) => peer.received.length === 1_000);
      for (let i = 0; i < 1_000; i++) assert(far.received[i] === Math.floor(i / 10), "as written");
      door.close();
      await farewell(near, far);
    },
  },
  {
    name: "long streams cross in both directions at once",
    run: async (subject) => {
      const { door, near, far } = await pair(subject);
      pour(near, mebibyte, 1);
      pour(far, mebibyte, 2);
      const whole = (peer: Peer): boolean => peer.received.length === mebibyte;
      await Promise.all([near.until(whole), far.until(whole)]);
      for (let i = 0; i < mebibyte; i += 997) {
        assert(far.received[i] === pattern(i, 1), "as written");
        assert(near.received[i] === pattern(i, 2), "as written");
      }
      door.close();
      await farewell(near, far);
    },
  },
];

const pressure: readonly NetworkCase[] = [
  {
    name: "a full queue is reported, drops nothing, and drains once the reader goes on",
    run: async (subject) => {
      const { door, near, far } = await pair(subject);
      far.call((connection) => connection.pause());
      let sent = 0;
      // The kernel's and the window's room is finite, so a writer that nobody reads is stopped.
      while (near.connection.pendingBytes() < 4 * mebibyte) {
        near.write(new Uint8Array(mebibyte).fill(sent & 255));
        sent += mebibyte;
        assert(sent < 64 * mebibyte, "the queue fills up");
      }
      assert(!near.write(Uint8Array.of(7)), "the queue is full");
      assert(near.drains === 0, "and has not drained");
      far.call((connection) => connection.resume());
      await near.until(({ drains }) => drains > 0);
      assert(near.connection.pendingBytes() === 0, "a drained queue is empty");
      await far.until((peer) => peer.received.length === sent + 1);
      assert(far.received.at(-1) === 7, "the last byte came last");
      door.close();
      await farewell(near, far);
    },
  },
  {
    name: "a paused reader hears nothing until it resumes",
    run: async (subject) => {
      const { door, near, far } = await pair(subject);
      far.call((connection) => connection.pause());
      near.write(new Uint8Array(1_000));
      // A conversation on another connection takes longer than these bytes would.
      const other = await pair(subject);
      for (let i = 1; i <= 20; i++) {
        other.near.write(Uint8Array.of(i));
        await other.far.until((peer) => peer.received.length === i);
      }
      assert(far.received.length === 0, "nothing was delivered");
      far.call((connection) => connection.resume());
      await far.until((peer) => peer.received.length === 1_000);
      door.close();
      other.door.close();
      other.near.destroy();
      await farewell(near, far);
    },
  },
  {
    name: "a reader that pauses itself gets no more than the piece it has",
    run: async (subject) => {
      const { door, near, far } = await pair(subject);
      far.onPiece = () => far.call((connection) => connection.pause());
      pour(near, mebibyte, 3);
      let pieces = 0;
      while (far.received.length < mebibyte) {
        pieces++;
        await far.until((peer) => peer.dataCalls === pieces);
        far.call((connection) => connection.resume());
      }
      assert(far.dataCalls === pieces, "one piece for each resume");
      far.onPiece = () => {};
      door.close();
      await farewell(near, far);
    },
  },
];

const endings: readonly NetworkCase[] = [
  {
    name: "a half-closed connection still carries the other direction",
    run: async (subject) => {
      const { door, near, far } = await pair(subject);
      near.write(Uint8Array.of(1));
      near.end();
      near.write(Uint8Array.of(9));
      await far.until(({ ended }) => ended);
      assert(far.received.join() === "1", "what was written after the end is ignored");
      pour(far, 100_000, 4);
      await near.until((peer) => peer.received.length === 100_000);
      assert(!near.closed, "one side is still open");
      far.end();
      await Promise.all([near.until(({ closed }) => closed), far.until(({ closed }) => closed)]);
      assert(near.error === null && far.error === null, "both ended in order");
      door.close();
    },
  },
  {
    name: "the end follows everything that was written",
    run: async (subject) => {
      const { door, near, far } = await pair(subject);
      near.write(new Uint8Array(300_000));
      near.end();
      await far.until(({ ended }) => ended);
      assert(far.received.length === 300_000, "nothing is cut off");
      far.end();
      await Promise.all([near.until(({ closed }) => closed), far.until(({ closed }) => closed)]);
      door.close();
    },
  },
  {
    name: "destroying resets the other side and ends this one",
    run: async (subject) => {
      const { door, near, far } = await pair(subject);
      near.write(Uint8Array.of(1));
      await far.until((peer) => peer.received.length === 1);
      near.destroy();
      near.destroy();
      assert(near.write(Uint8Array.of(2)), "writing is ignored");
      near.end();
      await Promise.all([near.until(({ closed }) => closed), far.until(({ closed }) => closed)]);
      assert(near.error !== null, "this side did not end in order");
      assert(far.error?.code === "ECONNRESET", "the other side was reset");
      assert(far.received.length === 1, "nothing follows the reset");
      assert(far.write(Uint8Array.of(3)), "writing to a closed connection is ignored");
      door.close();
    },
  },
  {
    name: "destroying inside a callback stops all further ones",
    run: async (subject) => {
      const { door, near, far } = await pair(subject);
      far.onPiece = () => far.destroy();
      pour(near, 100_000, 5);
      await Promise.all([near.until(({ closed }) => closed), far.until(({ closed }) => closed)]);
      assert(far.dataCalls === 1, "one piece and no more");
      assert(near.error?.code === "ECONNRESET", "the writer was reset");
      door.close();
    },
  },
  {
    name: "both sides may end at once",
    run: async (subject) => {
      const { door, near, far } = await pair(subject);
      near.end();
      far.end();
      await Promise.all([near.until(({ closed }) => closed), far.until(({ closed }) => closed)]);
      assert(near.ended && far.ended, "each heard the other's end");
      assert(near.error === null && far.error === null, "both ended in order");
      door.close();
    },
  },
];

export const streamCases: readonly NetworkCase[] = [...transfer, ...pressure, ...endings];

/** Writes `length` bytes of a pattern in pieces of many sizes, heedless of back-pressure. */
function pour(peer: Peer, length: number, salt: number): void {
  let at = 0;
  for (let piece = 1; at < length; piece = ((piece * 7) % 9_973) + 1) {
    const bytes = new Uint8Array(Math.min(piece, length - at));
    for (let i = 0; i < bytes.length; i++) bytes[i] = pattern(at + i, salt);
    peer.write(bytes);
    at += bytes.length;
  }
}

function pattern(at: number, salt: number): number {
  return (Math.imul(at + salt, 0x9e37_79b1) >>> 24) ^ salt;
}
