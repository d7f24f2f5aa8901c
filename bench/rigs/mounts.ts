import { spawnSync } from "node:child_process";

/** Runs a command of the system; throws with what it said unless it succeeds. */
export function runTool(command: string, ...words: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, words, { encoding: "utf8" });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${command} ${words.join(" ")}: ${stderr.trim()}`);
  return stdout;
}

function hasTool(command: string, ...words: readonly string[]): boolean {
  const { status, error } = spawnSync(command, words, { encoding: "utf8" });
  return error === undefined && status === 0;
}

/** Why nothing can be mounted here; null when it can. */
export function mountObstacle(): string | null {
  if (process.platform !== "linux") return "this is not Linux";
  if (process.getuid?.() !== 0) return "mounting needs root";
  if (!hasTool("mkfs.ext4", "-V")) return "mkfs.ext4 is not installed";
  if (!hasTool("unshare", "-m", "true")) return "a mount namespace of its own is refused";
  if (!hasTool("unshare", "-m", "sh", "-c", "mount -t tmpfs none /mnt")) return "mount is refused";
  if (!hasTool("losetup", "-f")) return "there is no free loop device";
  return null;
}

/** Why system calls can not be made to fail here; null when they can. */
export function straceObstacle(): string | null {
  if (!hasTool("strace", "-V")) return "strace is not installed";
  const probe = ["-qq", "-f", "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO", "true"];
  return hasTool("strace", ...probe) ? null : "strace may not trace here";
}

const inside = "NOKV_RIG_MOUNTS";

/** This process runs in a mount namespace of its own: what it mounts nobody else sees. */
export function isInside(): boolean {
  return process.env[inside] === "1";
}

/** Runs this command once more, inside; its exit code. */
export function runInside(words: readonly string[]): number {
  const command = ["-m", process.execPath, process.argv[1] ?? "", ...words];
  const { status } = spawnSync("unshare", command, { stdio: "inherit", env: { ...process.env, [inside]: "1" } });
  return status ?? 1;
}
