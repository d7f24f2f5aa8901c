import { ByteReader, MalformedError } from "../../core/bytes/byte-reader.ts";
import { ByteWriter } from "../../core/bytes/byte-writer.ts";
import { type Layout, blob, decode, encode, list, struct, u32, u53 } from "../../core/bytes/layout.ts";
import { NokvError } from "../../core/errors.ts";
import type { StreamFile } from "../../net/rpc/stream-messages.ts";
import { type PeerId, noBytes } from "../entry.ts";
import { readSnapshotMeta, writeSnapshotMeta } from "../message-codec.ts";
import { type RegionMeta, regionLayout } from "../region.ts";
import type { SnapshotMeta } from "../snapshot-meta.ts";
import type { SnapshotContent } from "./snapshot-transfer.ts";

/** A snapshot whose files are complete and that is about to replace a peer's records and log. */
export interface SnapshotIntent {
  readonly peerId: PeerId;
  readonly name: string;
  readonly files: readonly StreamFile[];
  readonly snapshot: SnapshotMeta;
}

const fileLayout: Layout<StreamFile> = struct({ sizeBytes: u53, crc: u32 });
const headLayout: Layout<Pick<SnapshotIntent, "peerId" | "files">> = struct({ peerId: u53, files: list(fileLayout) });

/** peerId u53, files (count u32; size u53, crc u32), name (text), then the snapshot as in its message. */
export function encodeIntent(intent: SnapshotIntent): Uint8Array {
  const out = new ByteWriter();
  headLayout.write(out, intent);
  out.text(intent.name);
  writeSnapshotMeta(out, intent.snapshot);
  return out.toBytes();
}

/** Throws `NOKV_CORRUPTION`. */
export function decodeIntent(bytes: Uint8Array): SnapshotIntent {
  const from = new ByteReader(bytes);
  try {
    const { peerId, files } = headLayout.read(from, "intent");
    const intent = { peerId, files, name: from.text("name", nameBytesMax), snapshot: readSnapshotMeta(from) };
    from.end("intent");
    return intent;
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    const what = `the Raft log's word of a snapshot is damaged: ${error.message}`;
    throw new NokvError("NOKV_CORRUPTION", `${what}; restore this store from its peers`);
  }
}

const nameBytesMax = 256;

interface SnapshotContext {
  readonly region: RegionMeta;
  /** Of `SnapshotContent`. */
  readonly detail: Uint8Array;
}

const contextLayout: Layout<SnapshotContext> = struct({ region: regionLayout, detail: blob });

/** What the machine carries along with a snapshot. */
export function contextOf(region: RegionMeta, detail: Uint8Array): Uint8Array {
  return encode(contextLayout, { region, detail });
}

/** Null: it is no snapshot's context. */
function readContext({ context }: SnapshotMeta): SnapshotContext | null {
  const read = decode(contextLayout, context);
  return typeof read === "string" ? null : read.value;
}

export function regionOfSnapshot(snapshot: SnapshotMeta): RegionMeta | null {
  return readContext(snapshot)?.region ?? null;
}

export function contentOf(snapshot: SnapshotMeta, files: readonly StreamFile[]): SnapshotContent {
  return { files, detail: readContext(snapshot)?.detail ?? noBytes };
}
