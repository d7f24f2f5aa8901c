import { type ByteReader, MalformedError } from "../../core/bytes/byte-reader.ts";
import type { ByteWriter } from "../../core/bytes/byte-writer.ts";
import { protocolMax, protocolMin } from "./wire.ts";

/** "NKVR" */
const helloMagic = 0x5256_4b4e;
const clusterIdBytesMax = 64;
const reasonBytesMax = 512;

const roles = ["store", "coordinator", "gateway", "tool"] as const;
export type Role = (typeof roles)[number];

/** Control carries messages and requests, bulk carries streams. */
const lanes = ["control", "bulk"] as const;
export type Lane = (typeof lanes)[number];

/** Who a process is, for all its connections. */
export interface Identity {
  readonly clusterId: string;
  /** Under which others reach it: a store's, or the one that stands for the Coordinator. 0: nobody connects to it. */
  readonly storeId: number;
  /** Grows with every start of the store, so that a later process is told from an earlier one. */
  readonly incarnation: number;
  readonly role: Role;
  /** Bits of what this program can do beyond its protocol version. */
  readonly features: number;
}

/** The first frame of each side: who it is, and what it takes the other one for. */
export interface Hello extends Identity {
  readonly protocolMin: number;
  readonly protocolMax: number;
  readonly lane: Lane;
  /** Counts the connections that one incarnation made to one peer. */
  readonly ordinal: number;
  /** The store that the sender means to talk to; 0: whoever is there. */
  readonly expects: number;
}

/** Why a connection does not come about. The code is stable, the reason is for people. */
export interface Refusal {
  readonly code: RefusalCode;
  readonly reason: string;
}

const refusalCodes = [
  "malformed",
  "protocol",
  "cluster",
  "store",
  "stale",
  "lane",
  "busy",
  "closing",
  "timeout",
  "superseded",
] as const;
export type RefusalCode = (typeof refusalCodes)[number];

export function helloOf(identity: Identity, lane: Lane, ordinal: number, expects: number): Hello {
  return { ...identity, protocolMin, protocolMax, lane, ordinal, expects };
}

/**
 * Later versions may only add to the end: magic u32, protocolMin u16, protocolMax u16, role u8, lane u8, features u32,
 * storeId, incarnation, ordinal, expects (varints), clusterId (text).
 */
export function writeHello(writer: ByteWriter, hello: Hello): void {
  writer.u32(helloMagic);
  writer.u16(hello.protocolMin);
  writer.u16(hello.protocolMax);
  writer.u8(roles.indexOf(hello.role));
  writer.u8(lanes.indexOf(hello.lane));
  writer.u32(hello.features);
  writer.varint(hello.storeId);
  writer.varint(hello.incarnation);
  writer.varint(hello.ordinal);
  writer.varint(hello.expects);
  writer.text(hello.clusterId);
}

/** Throws `MalformedError`. What follows the known fields is a later version's. */
export function readHello(reader: ByteReader): Hello {
  const magic = reader.u32("hello magic");
  if (magic !== helloMagic) throw new MalformedError("hello magic", magic, `not ${helloMagic}`);
  return {
    protocolMin: reader.u16("protocol min"),
    protocolMax: reader.u16("protocol max"),
    role: roles[reader.u8("role")] ?? "tool",
    lane: nameOf(lanes, "lane", reader.u8("lane")),
    features: reader.u32("features"),
    storeId: reader.varint("store id"),
    incarnation: reader.varint("incarnation"),
    ordinal: reader.varint("ordinal"),
    expects: reader.varint("expected store"),
    clusterId: reader.text("cluster id", clusterIdBytesMax),
  };
}

export function writeRefusal(writer: ByteWriter, refusal: Refusal): void {
  writer.u8(refusalCodes.indexOf(refusal.code));
  const bytes = new TextEncoder().encode(refusal.reason);
  // Cut at a byte, a text may end inside a character.
  writer.text(bytes.length <= reasonBytesMax ? refusal.reason : refusal.reason.slice(0, reasonBytesMax / 4));
}

/** Throws `MalformedError`. */
export function readRefusal(reader: ByteReader): Refusal {
  return {
    code: nameOf(refusalCodes, "refusal", reader.u8("refusal")),
    reason: reader.text("refusal reason", reasonBytesMax),
  };
}

/** What `own` has against somebody who says `theirs`; null: nothing. Both sides judge, so both know why. */
export function judgeHello(own: Hello, theirs: Hello): Refusal | null {
  if (theirs.protocolMin > own.protocolMax || theirs.protocolMax < own.protocolMin) {
    const reason = `they speak protocol ${span(theirs)}, this side ${span(own)}`;
    return { code: "protocol", reason };
  }
  if (theirs.clusterId !== own.clusterId) {
    const [a, b] = [JSON.stringify(theirs.clusterId), JSON.stringify(own.clusterId)];
    return { code: "cluster", reason: `they are of cluster ${a}, this side of ${b}` };
  }
  if (theirs.expects !== 0 && theirs.expects !== own.storeId) {
    const reason = `they look for store ${theirs.expects}, this is store ${own.storeId}`;
    return { code: "store", reason };
  }
  if (own.expects !== 0 && own.expects !== theirs.storeId) {
    const reason = `this side looks for store ${own.expects}, they are store ${theirs.storeId}`;
    return { code: "store", reason };
  }
  if (theirs.lane !== own.lane) {
    return { code: "lane", reason: `they open a ${theirs.lane} lane, this side a ${own.lane} lane` };
  }
  return null;
}

/** Negative: a is of an earlier process, or an earlier connection of the same one. */
export function compareAge(a: Hello, b: Hello): number {
  return a.incarnation === b.incarnation ? a.ordinal - b.ordinal : a.incarnation - b.incarnation;
}

function span(hello: Hello): string {
  return `${hello.protocolMin} to ${hello.protocolMax}`;
}

function nameOf<T extends string>(names: readonly T[], field: string, index: number): T {
  const name = names[index];
  if (name === undefined) throw new MalformedError(field, index, "unknown");
  return name;
}
