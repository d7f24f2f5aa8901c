import { codecName } from "../../core/bytes/codec.ts";
import { readStructure, type Structure } from "../../core/engine/structure.ts";
import type { Finding } from "../../core/finding.ts";
import type { TableMeta } from "../../core/lsm/table-meta.ts";
import { garbagePercent, type ValueUsage } from "../../core/vlog/value-file.ts";
import { openHostEnv } from "../../host/env.ts";
import type { Command, Context } from "../command.ts";
import type { ExitCode } from "../exit-code.ts";
import { codeFor, findingLines, inspectionOptions, inspectionUsage, workdirOf } from "../inspection.ts";
import { type Options, parseOptions } from "../options.ts";

const manifestUsage = `usage: nokv manifest --workdir DIR [--json]

Shows what the manifest says: where the log begins, the tables of each level, the value files.

${inspectionUsage}
  nokv manifest --workdir ./data
`;

const vlogUsage = `usage: nokv vlog --workdir DIR [--json]

Shows the files that large values live in, and how much of each is still referred to.

${inspectionUsage}
  nokv vlog --workdir ./data
`;

export const manifestCommand: Command = {
  usage: manifestUsage,
  run: (argv, context) => show(parseOptions(argv, inspectionOptions), context, manifestText, manifestJson),
};

export const vlogCommand: Command = {
  usage: vlogUsage,
  run: (argv, context) => show(parseOptions(argv, inspectionOptions), context, vlogText, vlogJson),
};

// oxlint-disable-next-line max-params
function show(
  given: Options,
  { terminal }: Context,
  text: (structure: Structure) => string,
  json: (structure: Structure) => object,
): Promise<ExitCode> {
  const workdir = workdirOf(given);
  const found = readStructure(openHostEnv({ failpoints: null }), workdir);
  const problems: readonly Finding[] = "problems" in found ? found.problems : found;
  const shown = "problems" in found ? found : null;
  if (given.has("json")) terminal.out(`${JSON.stringify({ ...(shown === null ? {} : json(shown)), problems })}\n`);
  else terminal.out((shown === null ? "" : text(shown)) + findingLines(problems));
  return Promise.resolve(codeFor(problems));
}

function headOf(values: readonly ValueUsage[]): { fid: number; offset: number; valid: boolean } {
  const newest = values.reduce((number, { file }) => Math.max(number, file.number), 0);
  const file = values.find((usage) => usage.file.number === newest)?.file;
  return { fid: newest, offset: file?.sizeBytes ?? 0, valid: file !== undefined };
}

function totals(tables: readonly TableMeta[]): { bytes: number; values: number } {
  const bytes = tables.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const values = tables.flatMap(({ valueRefs }) => valueRefs).reduce((sum, ref) => sum + ref.bytes, 0);
  return { bytes, values };
}

function manifestText(structure: Structure): string {
  const head = headOf(structure.values);
  const levels = structure.levels.flatMap((tables, level) => {
    if (tables.length === 0) return [];
    const { bytes, values } = totals(tables);
    const ids = tables.map(({ number }) => number).join(" ");
    return [`  - L${level} files=${tables.length} total=${bytes} bytes value=${values} bytes ids=[${ids}]\n`];
  });
  const segments = structure.values.map(({ file }) => {
    return `  - bucket=0 fid=${file.number} offset=${file.sizeBytes} valid=true\n`;
  });
  return [
    `Manifest Log Pointer : segment=${structure.logNumber} offset=0\n`,
    `ValueLog Head[0]     : fid=${head.fid} offset=${head.offset} valid=${head.valid}\n`,
    levels.length === 0 ? "Levels: (none)\n" : `Levels:\n${levels.join("")}`,
    segments.length === 0 ? "ValueLog segments: (none)\n" : `ValueLog segments:\n${segments.join("")}`,
  ].join("");
}

function manifestJson(structure: Structure): object {
  return {
    manifest: structure.manifestNumber,
    next_file: structure.nextFile,
    last_version: structure.lastVersion,
    log_pointer: { segment: structure.logNumber, offset: 0 },
    value_log_heads: { 0: headOf(structure.values) },
    levels: structure.levels.map((tables, level) => ({
      level,
      file_count: tables.length,
      file_ids: tables.map(({ number }) => number),
      total_bytes: totals(tables).bytes,
      value_bytes: totals(tables).values,
      codecs: [...new Set(tables.map(({ codec }) => codecName(codec)))].sort(),
    })),
    value_logs: structure.values.map(({ file }) => ({
      bucket: 0, fid: file.number, offset: file.sizeBytes, valid: true,
    })),
  };
}

function vlogText({ values }: Structure): string {
  const head = headOf(values);
  const ids = values.map(({ file }) => file.number).join(" ");
  const segments = values.map((usage) => {
    const { file, liveRecords, liveBytes } = usage;
    const live = `live=${liveBytes} bytes records=${liveRecords} garbage=${garbagePercent(usage)}%`;
    return `    - fid=${file.number} kind=${file.kind} size=${file.sizeBytes} bytes ${live}\n`;
  });
  return [
    "Bucket 0\n",
    `  Active FID : ${head.fid}\n`,
    `  Head       : fid=${head.fid} offset=${head.offset}\n`,
    `  Segments   : [${ids}]\n`,
    ...segments,
  ].join("");
}

function vlogJson({ values }: Structure): object {
  const head = headOf(values);
  return {
    buckets: [
      {
        bucket: 0,
        active_fid: head.fid,
        head,
        segments: values.map((usage) => ({
          fid: usage.file.number,
          kind: usage.file.kind,
          size_bytes: usage.file.sizeBytes,
          live_records: usage.liveRecords,
          live_bytes: usage.liveBytes,
          garbage_percent: garbagePercent(usage),
        })),
      },
    ],
  };
}
