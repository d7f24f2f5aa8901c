import { NokvError } from "../../core/errors.ts";
import { decode, encode, u53 } from "../../core/bytes/layout.ts";
import type { PeerId } from "../entry.ts";

/** The peer's id, as a u53: whose hard state a group of the log is, before the engine knows of its region. */
export function encodePeerNote(peerId: PeerId): Uint8Array {
  return encode(u53, peerId);
}

/** Throws `NOKV_CORRUPTION`. */
export function decodePeerNote(note: Uint8Array): PeerId {
  const read = decode(u53, note);
  if (typeof read !== "string") return read.value;
  throw new NokvError("NOKV_CORRUPTION", `the Raft log names no peer for a group: ${read}; restore this store`);
}
