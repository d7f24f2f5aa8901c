import { ByteReader } from "../core/bytes/byte-reader.ts";
import { ByteWriter } from "../core/bytes/byte-writer.ts";
import type { Hello } from "../net/rpc/hello.ts";
import { type MessageClass, messageClass } from "../net/rpc/wire.ts";
import type { World } from "../sim/world.ts";
import { isPattern, pattern } from "./rpc-ledger.ts";

export const messageTypes: readonly number[] = [300, 301];

/** The last that one process has heard from one store. */
interface Heard {
  incarnation: number;
  /** By class, then for control messages by region and type. */
  readonly sequence: Map<string, number>;
}

/** What a receiving process checks: right bytes, right order, nothing of a process that has a successor. */
export class MessageJudge {
  readonly #world: World;
  readonly #at: string;
  readonly #heard = new Map<number, Heard>();
  count = 0;
  /** Class and sequence number of each message, while somebody looks. */
  log: { cls: MessageClass; sequence: number }[] | null = null;

  constructor(world: World, at: string) {
    this.#world = world;
    this.#at = at;
  }

  // oxlint-disable-next-line max-params
  take(from: Hello, cls: MessageClass, type: number, body: Uint8Array): void {
    const world = this.#world;
    this.count++;
    const reader = new ByteReader(body);
    const storeId = reader.varint("store");
    const incarnation = reader.varint("incarnation");
    const sequence = reader.varint("sequence");
    const region = reader.varint("region");
    const said = `message ${sequence} of store ${storeId}.${incarnation} to ${this.#at}`;
    if (storeId !== from.storeId || incarnation !== from.incarnation) {
      world.fail("hello", `${said} comes from store ${from.storeId}.${from.incarnation}`);
    }
    const { left } = reader;
    if (!isPattern(reader.rest(), sequence, left)) world.fail("corruption", `${said} has other bytes than were sent`);
    let heard = this.#heard.get(storeId);
    if (heard === undefined || heard.incarnation < incarnation) {
      heard = { incarnation, sequence: new Map() };
      this.#heard.set(storeId, heard);
    }
    if (incarnation < heard.incarnation) {
      world.fail("stale", `${said} comes after one of incarnation ${heard.incarnation}`);
    }
    const key = cls === messageClass.control ? `${region}/${type}` : "append";
    const last = heard.sequence.get(key) ?? 0;
    if (sequence <= last) world.fail("order", `${said} comes after ${last}`);
    heard.sequence.set(key, sequence);
    this.log?.push({ cls, sequence });
  }
}

// oxlint-disable-next-line max-params
export function encodeMessage(
  storeId: number,
  incarnation: number,
  sequence: number,
  region: number,
  sizeBytes: number,
): Uint8Array {
  const writer = new ByteWriter(sizeBytes + 32);
  writer.varint(storeId);
  writer.varint(incarnation);
  writer.varint(sequence);
  writer.varint(region);
  writer.raw(pattern(sequence, sizeBytes));
  return writer.toBytes();
}
