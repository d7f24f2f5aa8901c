import { type VerifyReport, verifyDirectory } from "../../core/engine/verify.ts";
import { NokvError } from "../../core/errors.ts";
import { readManifest } from "../../core/manifest/reader.ts";
import { valueFilePath } from "../../core/vlog/value-file.ts";
import { type Damage, frameOffsets } from "./damage.ts";
import { type Image, ImageDisk, sameEntry } from "./image-disk.ts";
import { imageEnv } from "./image-env.ts";
import { directory, type Specimen } from "./specimens.ts";

/** What verifying a directory came to: `told`, findings that are not damage; `wrong`, what it may never do. */
export type Told =
  | { readonly kind: "sound" | "told" | "damage" | "refused"; readonly why: string }
  | { readonly kind: "wrong"; readonly why: string };

/** Verifies a directory in memory. It must end with a report or a typed error, and change nothing. */
export async function verifyImage(image: Image): Promise<Told> {
  const disk = new ImageDisk(directory, image);
  const told = await reportOf(disk);
  const after = disk.image();
  for (const name of new Set([...image.keys(), ...after.keys()])) {
    const [before, now] = [image.get(name), after.get(name)];
    const isSame = before !== undefined && now !== undefined && sameEntry(before, now);
    if (!isSame) return { kind: "wrong", why: `verifying changed ${name}` };
  }
  return told;
}

async function reportOf(disk: ImageDisk): Promise<Told> {
  let report: VerifyReport;
  try {
    report = await verifyDirectory(imageEnv(disk), directory);
  } catch (error) {
    if (error instanceof NokvError) return { kind: "refused", why: error.message };
    return { kind: "wrong", why: `verifying failed: ${error instanceof Error ? error.message : String(error)}` };
  }
  const why = report.findings.map(({ path, what }) => `${path}: ${what}`).join("; ");
  if (!report.sound) return { kind: "damage", why };
  return { kind: report.findings.length > 0 ? "told" : "sound", why };
}

/**
 * What verification should have said and did not, given how the opening ended; null: nothing. A damaged table or value
 * file is told in any case, whether or not a read meets the place.
 */
// oxlint-disable-next-line max-params
export function silenceOf(outcome: string, told: Told, specimen: Specimen, damage: Damage): string | null {
  if (told.kind === "wrong") return told.why;
  if (told.kind === "refused" || told.kind === "damage") return null;
  if (outcome === "refused" || outcome === "detected") return `verification calls it sound (${told.why})`;
  if (told.kind === "told") return null;
  if (outcome === "prefix") return isCleanCut(specimen, damage) ? null : "verification does not tell of the torn tail";
  return isFlip(damage) && isJudgedWhole(specimen, damage) ? "verification does not see the flip" : null;
}

function isFlip({ name }: Damage): boolean {
  return name.startsWith("G4");
}

/** A log that was cut between two frames looks like one that ended there. */
function isCleanCut({ sources }: Specimen, { file, name }: Damage): boolean {
  const length = Number(/^G3 truncated to (\d+)/.exec(name)?.[1] ?? Number.NaN);
  const entry = sources.image.get(file);
  return entry !== undefined && "bytes" in entry && frameOffsets(entry.bytes).includes(length);
}

/** Every byte of these files has a checksum. */
function isJudgedWhole({ sources }: Specimen, { file, kind }: Damage): boolean {
  if (kind === "table" || kind === "value") return true;
  const { state } = readManifest(new ImageDisk(directory, sources.image), directory);
  return state.valuesInOrder().some((kept) => valueFilePath(directory, kept) === `${directory}/${file}`);
}
