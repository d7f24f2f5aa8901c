import type { DiskFile } from "../../core/env/disk.ts";
import type { Rig } from "./manual-world.ts";
import { sectorBytes } from "./sector.ts";

/** How many outcomes of one power loss are looked at. */
const variantCount = 600;

/** First bytes of whole sectors: "a", "b" and "c". */
export const a = 97;
export const b = 98;
export const c = 99;

export const filled = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);

export function durableFile({ world, view }: Rig, path: string, content: Uint8Array): DiskFile {
  const file = view.open(path, "create");
  if (content.length > 0) file.write(0, content, 0, content.length);
  file.sync(() => undefined);
  view.syncDir("/", () => undefined);
  world.pump();
  return file;
}

/** What `describeState` says after each of many variants of the same power loss. */
export function outcomes({ disk }: Rig, describeState: () => string): Set<string> {
  const before = disk.snapshot();
  const seen = new Set<string>();
  for (let variant = 0; variant < variantCount; variant++) {
    disk.restore(before);
    disk.powerLoss(variant);
    seen.add(describeState());
  }
  disk.restore(before);
  return seen;
}

/** One character per sector: its first byte if all its bytes are alike, "?" otherwise. */
function sectors(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += sectorBytes) {
    const sector = bytes.subarray(at, at + sectorBytes);
    text += sector.every((byte) => byte === sector[0]) ? String.fromCharCode(sector[0] ?? 0) : "?";
  }
  return text.replaceAll("\0", "0");
}

export function contents({ disk }: Rig, path: string): string {
  const found = disk.inspect(path);
  return found === null ? "none" : sectors(found.cached);
}
