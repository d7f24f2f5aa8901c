/**
 * What a directory is, as its manifest says it: the second of two witnesses. The first is the file MODE (`node/mode`);
 * whoever loses or edits that one does not turn a store of a cluster into a database that anybody may write to.
 */
export interface FormatGate {
  readonly mode: GateMode;
  /** Which migration made it so; "": none. */
  readonly migrationId: string;
}

/** Codes are part of the format: their places in this list, from 1 on. */
export const gateModes = ["standalone", "preparing", "seeded", "cluster", "demoting"] as const;
export type GateMode = (typeof gateModes)[number];

/** Of every directory whose manifest says nothing. */
export const standaloneGate: FormatGate = { mode: "standalone", migrationId: "" };

const migrationIdBytesMax = 64;
const fixedBytes = 8;

/** Mode u32, length of the id u32, the id in ASCII, zeros up to a multiple of 4. */
export function gateBytes({ migrationId }: FormatGate): number {
  return (fixedBytes + migrationId.length + 3) & ~3;
}

/** Writes `gateBytes(gate)` bytes; the id is ASCII (`isMigrationId`). */
// oxlint-disable-next-line max-params
export function encodeGate(gate: FormatGate, bytes: Uint8Array, view: DataView, at: number): void {
  bytes.fill(0, at, at + gateBytes(gate));
  view.setUint32(at, gateModes.indexOf(gate.mode) + 1, true);
  view.setUint32(at + 4, gate.migrationId.length, true);
  for (let i = 0; i < gate.migrationId.length; i++) bytes[at + fixedBytes + i] = gate.migrationId.charCodeAt(i);
}

/** The gate in `[at, end)`, all of it, or what is wrong with it. */
// oxlint-disable-next-line max-params
export function decodeGate(bytes: Uint8Array, view: DataView, at: number, end: number): FormatGate | string {
  if (end - at < fixedBytes) return "a gate is too short";
  const mode = gateModes[view.getUint32(at, true) - 1];
  const length = view.getUint32(at + 4, true);
  if (mode === undefined) return "a gate is of an unknown mode";
  if (length > migrationIdBytesMax || ((fixedBytes + length + 3) & ~3) !== end - at) return "a gate's id has no end";
  const migrationId = String.fromCharCode(...bytes.subarray(at + fixedBytes, at + fixedBytes + length));
  if (!isMigrationId(migrationId)) return "a gate's id is no id";
  return { mode, migrationId };
}

/** Letters, digits and dashes; "" is none. */
export function isMigrationId(text: string): boolean {
  return text.length <= migrationIdBytesMax && /^[0-9a-zA-Z-]*$/.test(text);
}
