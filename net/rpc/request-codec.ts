// HOT: the beginning of every request.
import type { ByteReader } from "../../core/bytes/byte-reader.ts";
import type { ByteWriter } from "../../core/bytes/byte-writer.ts";
import { flagRegion } from "./wire.ts";

/** A call longer than a day has no deadline worth the name. */
export const remainingMsMax = 86_400_000;

/** The region that a request is for, as the caller knows it. */
export interface RegionHeader {
  readonly regionId: number;
  readonly confVer: number;
  readonly version: number;
  /** 0: whichever peer is there. */
  readonly peerId: number;
}

export interface RequestHeader {
  readonly method: number;
  /** Never a point in time: the two clocks have nothing in common. */
  readonly remainingMs: number;
  /** 0: not traced. */
  readonly traceId: number;
  readonly region: RegionHeader | null;
}

/** Flags of the frame whose body begins with such a header. */
export function requestFlags(region: RegionHeader | null): number {
  return region === null ? 0 : flagRegion;
}

/** method u16, then as varints remainingMs, traceId and, when the frame has `flagRegion`, the region. */
export function writeRequestHeader(writer: ByteWriter, header: RequestHeader): void {
  writer.u16(header.method);
  writer.varint(header.remainingMs);
  writer.varint(header.traceId);
  const { region } = header;
  if (region === null) return;
  writer.varint(region.regionId);
  writer.varint(region.confVer);
  writer.varint(region.version);
  writer.varint(region.peerId);
}

/** Throws `MalformedError`. The payload is what the reader has left. */
export function readRequestHeader(reader: ByteReader, flags: number): RequestHeader {
  const method = reader.u16("method");
  const remainingMs = reader.bounded("remaining time", remainingMsMax);
  const traceId = reader.varint("trace id");
  if ((flags & flagRegion) === 0) return { method, remainingMs, traceId, region: null };
  const regionId = reader.varint("region");
  const confVer = reader.varint("conf version");
  const version = reader.varint("region version");
  return { method, remainingMs, traceId, region: { regionId, confVer, version, peerId: reader.varint("peer") } };
}
