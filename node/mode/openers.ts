import type { GateMode } from "../../core/manifest/format-gate.ts";
import type { ModeFile } from "./mode-file.ts";

/** What a directory is, by both witnesses. */
export type DirectoryState = "standalone" | "preparing" | "seeded" | "cluster" | "undoing" | "illegal";

/** "none": there is no file MODE. "undoing": a rollback was begun. */
type ModeWord = "none" | "preparing" | "undoing" | "seeded" | "cluster";

/**
 * The pairs of MODE and gate that a crash can leave, and what they are; every other is the work of somebody else. MODE
 * comes first on the way to a cluster, so that no opener of before the gate gets through; the gate comes first where a
 * mode is completed. A store's gate without MODE is one that ended between the two on its first start, or that lost
 * the file: the gate and the Raft log say everything, so it is written again. `null`: illegal.
 */
const pairs: Readonly<Record<ModeWord, Readonly<Record<GateMode, DirectoryState | null>>>> = {
  none: { standalone: "standalone", preparing: null, seeded: null, cluster: "cluster", demoting: null },
  preparing: { standalone: "preparing", preparing: "preparing", seeded: "preparing", cluster: null, demoting: null },
  undoing: { standalone: "undoing", preparing: "undoing", seeded: "undoing", cluster: null, demoting: null },
  seeded: { standalone: null, preparing: null, seeded: "seeded", cluster: "seeded", demoting: null },
  cluster: { standalone: null, preparing: null, seeded: null, cluster: "cluster", demoting: null },
};

export function stateOf(mode: ModeFile | null, gate: GateMode): DirectoryState {
  return pairs[wordOf(mode)][gate] ?? "illegal";
}

function wordOf(mode: ModeFile | null): ModeWord {
  if (mode === null) return "none";
  return mode.step === "rollback" ? "undoing" : mode.mode;
}

/** For people. */
export function pairText(mode: ModeFile | null, gate: GateMode): string {
  return `MODE says ${mode === null ? "nothing (the file is missing)" : wordOf(mode)}, the manifest says ${gate}`;
}

/** Whoever opens a directory. */
export type Opener = "embedded" | "look" | "serve" | "init" | "rollback";

/** yes: it may. Else why not, and what to do instead. */
type Ruling = "yes" | { readonly refuse: string };

const resume = 'a migration is under way: finish it with "nokv migrate init", or undo it with "nokv migrate rollback"';
const undo = 'its migration is being undone: finish that with "nokv migrate rollback"';
const seed = 'it is the seed of a cluster: "nokv serve" opens it; "nokv migrate rollback" makes it standalone again';
const store = 'it is a store of a cluster: "nokv serve" opens it';
const mend =
  'MODE and the manifest contradict each other: restore MODE from MODE.prev or a copy; where it is lost for good, ' +
  '"nokv migrate rollback" undoes a migration whose seed was never served';

const yes = "yes";
const refuse = (why: string): Ruling => ({ refuse: why });

/** `distributed.md` 4.3. Serving a standalone directory is for empty ones: that is looked at where it is opened. */
const rulings: Readonly<Record<Opener, Readonly<Record<DirectoryState, Ruling>>>> = {
  embedded: {
    standalone: yes, preparing: refuse(resume), undoing: refuse(undo), seeded: refuse(seed), cluster: refuse(store),
    illegal: refuse(mend),
  },
  look: { standalone: yes, preparing: yes, undoing: yes, seeded: yes, cluster: yes, illegal: yes },
  serve: {
    standalone: yes, preparing: refuse(resume), undoing: refuse(undo), seeded: yes, cluster: yes, illegal: refuse(mend),
  },
  init: {
    standalone: yes, preparing: yes, undoing: refuse(undo), seeded: yes, cluster: refuse(store), illegal: refuse(mend),
  },
  rollback: { standalone: yes, preparing: yes, undoing: yes, seeded: yes, cluster: refuse(store), illegal: yes },
};

/** Null: it may go on. */
export function refusalFor(opener: Opener, state: DirectoryState): string | null {
  const ruling = rulings[opener][state];
  return ruling === yes ? null : ruling.refuse;
}
