// Goal: each class waits by its own rule, leaves in its own turn, and takes no more room than it may.
// Method: one table per policy; shares of a saturated link counted; a model of random use for the sums.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FrameReader } from "./frame-reader.ts";
import { FrameWriter, frameBytes } from "./frame-writer.ts";
import { OutFrame } from "./out-frame.ts";
import { Outbox, type OutboxLimits } from "./outbox.ts";
import { type MessageClass, frameType, messageClass } from "./wire.ts";

const limits: OutboxLimits = {
  controlMessagesMax: 4,
  appendBytesMax: frameBytes(100) * 3,
  requestsMax: 3,
  requestBytesMax: frameBytes(100) * 10,
};
const wide: OutboxLimits = { controlMessagesMax: 1e4, appendBytesMax: 1e9, requestsMax: 1e6, requestBytesMax: 1e9 };

function frame(cls: MessageClass, type: number, tag: number, size = 1): OutFrame {
  return new OutFrame(cls, type, 0, new Uint8Array(size).fill(tag), null);
}

const control = (type: number, tag: number): OutFrame => frame(messageClass.control, type, tag);
const append = (tag: number, size = 100): OutFrame => frame(messageClass.append, 300, tag, size);
const client = (tag: number, size = 100): OutFrame => frame(messageClass.client, frameType.request, tag, size);
const batch = (tag: number, size = 100): OutFrame => frame(messageClass.coordinator, frameType.request, tag, size);

/** What leaves next, up to `room` bytes: class and first byte of each frame. */
function leave(outbox: Outbox, room = 1e9): string[] {
  const writer = new FrameWriter();
  outbox.fill(writer, room);
  const reader = new FrameReader(1e6);
  reader.feed(writer.view());
  const left: string[] = [];
  while (reader.next() === "frame") left.push(`${reader.cls}:${reader.body[0]}`);
  return left;
}

describe("control", () => {
  test("the newest of a region and type wins, in the place of the old one", () => {
    const outbox = new Outbox(limits);
    outbox.control(1, control(300, 1));
    outbox.control(2, control(300, 2));
    outbox.control(1, control(301, 3));
    outbox.control(1, control(300, 4));
    expect(outbox.superseded).toBe(1);
    expect(leave(outbox)).toEqual(["0:4", "0:2", "0:3"]);
    expect(outbox.bytes).toBe(0);
  });

  test("beyond the limit the oldest goes", () => {
    const outbox = new Outbox(limits);
    for (let region = 1; region <= 6; region++) outbox.control(region, control(300, region));
    expect(outbox.controlMessages).toBe(4);
    expect(outbox.dropped).toBe(2);
    expect(leave(outbox)).toEqual(["0:3", "0:4", "0:5", "0:6"]);
  });
});

describe("append", () => {
  test("is bounded in bytes, and what does not fit is refused, not what is there", () => {
    const outbox = new Outbox(limits);
    expect([1, 2, 3, 4].map((tag) => outbox.append(append(tag)))).toEqual([true, true, true, false]);
    expect(outbox.appendBytes).toBe(limits.appendBytesMax);
    expect(leave(outbox)).toEqual(["1:1", "1:2", "1:3"]);
    expect(outbox.append(append(5))).toBe(true);
  });

  test("one message always fits an empty queue", () => {
    const outbox = new Outbox(limits);
    expect(outbox.append(append(1, 10_000))).toBe(true);
    expect(outbox.append(append(2, 1))).toBe(false);
  });
});

describe("requests", () => {
  test.each([
    ["client", client],
    ["coordinator", batch],
  ])("of the %s class are bounded in count", (_, make) => {
    const outbox = new Outbox(limits);
    expect([1, 2, 3, 4].map((tag) => outbox.request(make(tag)))).toEqual([true, true, true, false]);
  });

  test("are bounded in bytes, each class for itself", () => {
    const outbox = new Outbox({ ...limits, requestsMax: 100 });
    expect([1, 2].map((tag) => outbox.request(client(tag, 700)))).toEqual([true, false]);
    expect(outbox.request(batch(3, 700))).toBe(true);
  });

  test("that nobody wants any more make room, and do not leave", () => {
    const outbox = new Outbox(limits);
    const frames = [1, 2, 3].map((tag) => client(tag));
    for (const each of frames) outbox.request(each);
    outbox.kill(frames[1] ?? client(0));
    outbox.kill(frames[1] ?? client(0));
    expect(outbox.requests).toBe(2);
    expect(outbox.request(client(4))).toBe(true);
    expect(leave(outbox)).toEqual(["2:1", "2:3", "2:4"]);
    outbox.kill(frames[0] ?? client(0));
    expect(outbox.bytes).toBe(0);
    expect(outbox.empty).toBe(true);
  });

  test("given up in great numbers take no memory", () => {
    const outbox = new Outbox(limits);
    outbox.request(client(1));
    for (let i = 0; i < 10_000; i++) {
      const late = client(2);
      expect(outbox.request(late)).toBe(true);
      outbox.kill(late);
    }
    expect(outbox.requests).toBe(1);
    expect(leave(outbox)).toEqual(["2:1"]);
  });
});

describe("order", () => {
  test("urgent, control, append, client, coordinator", () => {
    const outbox = new Outbox(limits);
    outbox.request(batch(1));
    outbox.request(client(2));
    outbox.append(append(3));
    outbox.control(1, control(300, 4));
    outbox.urgent(frame(messageClass.control, frameType.pong, 5));
    expect(leave(outbox)).toEqual(["0:5", "0:4", "1:3", "2:2", "3:1"]);
  });

  test("what comes later overtakes what waits", () => {
    const outbox = new Outbox(limits);
    for (const tag of [1, 2, 3]) outbox.append(append(tag));
    expect(leave(outbox, 1)).toEqual(["1:1"]);
    outbox.control(1, control(300, 9));
    expect(leave(outbox)).toEqual(["0:9", "1:2", "1:3"]);
  });

  test("a tenth of a full link is the clients', whatever waits before them", () => {
    const outbox = new Outbox(wide);
    for (let i = 0; i < 2_000; i++) outbox.append(append(1, 500));
    for (let i = 0; i < 2_000; i++) outbox.request(client(2, 100));
    let clientBytes = 0;
    let allBytes = 0;
    for (const name of leave(outbox, 500_000)) {
      const size = frameBytes(name === "2:2" ? 100 : 500);
      allBytes += size;
      if (name === "2:2") clientBytes += size;
    }
    expect(clientBytes / allBytes).toBeGreaterThan(0.095);
    expect(clientBytes / allBytes).toBeLessThan(0.105);
  });

  test("a share that nobody waited for is not saved up", () => {
    const outbox = new Outbox(wide);
    for (let i = 0; i < 100; i++) outbox.append(append(1, 500));
    leave(outbox);
    for (let i = 0; i < 10; i++) outbox.append(append(1, 500));
    outbox.request(client(2, 100));
    expect(leave(outbox).indexOf("2:2")).toBe(3);
  });

  test("the Coordinator's requests have no share", () => {
    const outbox = new Outbox(wide);
    outbox.request(batch(3));
    for (let i = 0; i < 100; i++) outbox.append(append(1, 500));
    expect(leave(outbox).at(-1)).toBe("3:3");
  });
});

test("sums hold and limits are kept, whatever happens", () => {
  const step = fc.record({ kind: fc.nat(5), region: fc.nat(8), size: fc.nat(200), room: fc.nat(800) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const outbox = new Outbox(limits);
      const live: OutFrame[] = [];
      for (const { kind, region, size, room } of steps) {
        if (kind === 0) outbox.control(region, control(300, 1));
        else if (kind === 1) outbox.append(append(1, size));
        else if (kind === 4) leave(outbox, room);
        else if (kind === 5) outbox.kill(live[region] ?? client(0));
        else {
          const request = kind === 2 ? client(1, size) : batch(1, size);
          if (outbox.request(request)) live.push(request);
        }
        if (kind === 5 && live[region] === undefined) return;
        expect(outbox.controlMessages).toBeLessThanOrEqual(limits.controlMessagesMax);
        expect(outbox.appendBytes).toBeLessThanOrEqual(Math.max(limits.appendBytesMax, frameBytes(200)));
        expect(outbox.requests).toBeLessThanOrEqual(2 * limits.requestsMax);
      }
      leave(outbox);
      expect(outbox.bytes).toBe(0);
      expect(outbox.empty).toBe(true);
    }),
  );
});
