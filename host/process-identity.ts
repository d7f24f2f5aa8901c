import { readFileSync, readlinkSync } from "node:fs";

/** What tells this process from every other, now, before, and in another container. "-" where unknown. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks between the machine's start and the process's. */
  readonly start: string;
  readonly boot: string;
  /** The namespace in which `pid` means anything. */
  readonly namespace: string;
}

export function currentIdentity(): ProcessIdentity {
  return {
    pid: process.pid,
    start: statusOf(process.pid)[1],
    boot: readText("/proc/sys/kernel/random/boot_id"),
    namespace: pidNamespace(),
  };
}

export function encodeIdentity({ pid, start, boot, namespace }: ProcessIdentity): string {
  return `pid=${pid} start=${start} boot=${boot} namespace=${namespace}`;
}

/** null when `line` is not what `encodeIdentity` gives. */
export function decodeIdentity(line: string): ProcessIdentity | null {
  const match = /^pid=([1-9][0-9]{0,9}) start=(\S+) boot=(\S+) namespace=(\S+)$/.exec(line);
  if (match === null) return null;
  const [, pid = "", start = "", boot = "", namespace = ""] = match;
  return { pid: Number(pid), start, boot, namespace };
}

/** Whether the process may still run. When that cannot be judged from here, it may. */
export function mayBeAlive(identity: ProcessIdentity): boolean {
  const here = currentIdentity();
  if (differ(identity.boot, here.boot)) return false;
  if (differ(identity.namespace, here.namespace)) return true;
  if (!exists(identity.pid)) return false;
  const [state, start] = statusOf(identity.pid);
  // A zombie holds nothing; its parent has not asked for its exit code yet.
  return state !== "Z" && state !== "X" && !differ(identity.start, start);
}

function differ(left: string, right: string): boolean {
  return left !== "-" && right !== "-" && left !== right;
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: there is such a process, of another user.
    return !(error instanceof Error && "code" in error && error.code === "ESRCH");
  }
}

/** Fields 3 and 22 of `/proc/PID/stat`. Field 2 is a name in parentheses that may hold anything. */
function statusOf(pid: number): [state: string, start: string] {
  const stat = readText(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return [fields[0] ?? "-", fields[19] ?? "-"];
}

function pidNamespace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return "-";
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "-";
  }
}
