import { assert } from "../../core/assert.ts";
import type { LogChange, LogEntry, LogHardState, LogStart } from "../../raft/store/log-change.ts";
import { toText } from "./text.ts";

/** What a log should hold of one group. */
export interface GroupModel {
  hard: LogHardState;
  start: LogStart;
  meta: Uint8Array;
  /** Behind the start, contiguous. */
  entries: LogEntry[];
  readonly notes: Map<number, Uint8Array>;
}

/** The groups of a store's log, as its changes say, by the simplest means. */
export class LogModel {
  readonly groups = new Map<number, GroupModel>();

  clone(): LogModel {
    const copy = new LogModel();
    for (const [id, group] of this.groups) {
      copy.groups.set(id, { ...group, entries: [...group.entries], notes: new Map(group.notes) });
    }
    return copy;
  }

  apply(change: LogChange): void {
    if ("segment" in change) return;
    if (change.op === "destroy") {
      this.groups.delete(change.group);
      return;
    }
    const group = this.#ensure(change.group);
    applyTo(group, change);
    if (isEmpty(group)) this.groups.delete(change.group);
  }

  last(id: number): LogStart {
    const group = this.groups.get(id);
    if (group === undefined) return { index: 0, term: 0 };
    return group.entries.at(-1) ?? group.start;
  }

  /** Everything, in one canonical text. */
  describe(): string {
    const ids = [...this.groups.keys()].sort((a, b) => a - b);
    return ids.map((id) => `${id}: ${describeGroup(this.groups.get(id))}`).join("\n");
  }

  #ensure(id: number): GroupModel {
    const known = this.groups.get(id);
    if (known !== undefined) return known;
    const hard = { term: 0, vote: 0, commit: 0 };
    const group = { hard, start: { index: 0, term: 0 }, meta: new Uint8Array(0), entries: [], notes: new Map() };
    this.groups.set(id, group);
    return group;
  }
}

export function describeEntry(entry: LogEntry): string {
  return `${entry.index}@${entry.term}/${entry.kind}=${toText(entry.data)}`;
}

function describeGroup(group: GroupModel | undefined): string {
  if (group === undefined) return "nothing";
  const { hard, start, meta } = group;
  const notes = [...group.notes].sort((a, b) => a[0] - b[0]).map(([key, value]) => `${key}=${toText(value)}`);
  const entries = group.entries.map((entry) => describeEntry(entry));
  const facts = `hard ${hard.term}/${hard.vote}/${hard.commit} start ${start.index}@${start.term}`;
  return `${facts} meta ${toText(meta)} notes [${notes.join(" ")}] entries [${entries.join(" ")}]`;
}

/** As if nothing had ever been said of it. */
function isEmpty(group: GroupModel): boolean {
  const { hard, start, meta, entries, notes } = group;
  const isBlank = hard.term === 0 && hard.vote === 0 && hard.commit === 0 && start.index === 0;
  return isBlank && meta.length === 0 && entries.length === 0 && notes.size === 0;
}

type GroupChange = Exclude<LogChange, { readonly op: "begin" | "complete" | "destroy" }>;

function applyTo(group: GroupModel, change: GroupChange): void {
  switch (change.op) {
    case "hard":
      group.hard = change.hard;
      return;
    case "note":
      if (change.value === null) group.notes.delete(change.key);
      else group.notes.set(change.key, change.value);
      return;
    case "snapshot":
      group.start = change.start;
      group.meta = change.meta;
      group.entries = [];
      return;
    case "compact":
      group.start = change.start;
      group.entries = group.entries.filter((entry) => entry.index > change.start.index);
      return;
    case "entries": {
      const first = change.entries[0]?.index ?? 0;
      group.entries = [...group.entries.filter((entry) => entry.index < first), ...change.entries];
      return;
    }
    case "moved":
    case "restated":
      assert(false, "nobody but the log itself moves entries");
  }
}
