import { assert } from "../../core/assert.ts";
import { DiskError } from "../../core/env/disk.ts";
import type {
  Disk,
  DiskErrorCode,
  DiskFile,
  DiskLock,
  OpenMode,
  PathKind,
  SyncDone,
} from "../../core/env/disk.ts";
import { Directory } from "./directory.ts";
import { refused } from "./disk-state.ts";
import type { DiskState, Holding } from "./disk-state.ts";
import type { DiskFence, DiskOperation } from "./disk-world.ts";
import { Inode } from "./inode.ts";
import type { Place } from "./namespace.ts";
import { SimDiskFile } from "./sim-disk-file.ts";
import { startSync, syncNow, type SyncOrder } from "./sync.ts";

/** Of creations on a full disk, how many per 1,000,000 find no room for the entry either. */
const entryNeedsRoom = 500_000;

/** One incarnation's disk. Everything it does passes its fence; everything it holds ends with it. */
export class SimDiskView implements Disk {
  readonly #state: DiskState;
  readonly #fence: DiskFence;

  constructor(state: DiskState, fence: DiskFence) {
    this.#state = state;
    this.#fence = fence;
  }

  mkdir(path: string): void {
    const place = this.#enter("mkdir", path);
    if (place.node !== null) throw this.#refuse("mkdir", path, "EEXIST");
    this.#needWritable("mkdir", path);
    this.#needRoomForEntry("mkdir", path);
    const tally = this.#state.tallies.of(path);
    const { directory, name } = place;
    const node = new Directory(tally);
    this.#state.namespace.change("create", tally, [{ directory, name, node }]);
    this.#fence.result("mkdir", "ok", 0);
  }

  open(path: string, mode: OpenMode): DiskFile {
    const place = this.#enter("open", path);
    this.#needDescriptor("open", path);
    if (mode !== "read") this.#needWritable("open", path);
    const inode = mode === "create" ? this.#create("open", path, place) : this.#file("open", path, place);
    const file = new SimDiskFile(this.#state, this.#fence, {
      path,
      writable: mode !== "read",
      inode,
      holder: this,
    });
    this.#fence.result("open", "ok", 0);
    return file;
  }

  rename(source: string, target: string): void {
    const from = this.#enter("rename", source);
    const to = this.#locate("rename", target);
    const moved = from.node;
    if (moved === null) throw this.#refuse("rename", source, "ENOENT");
    this.#needWritable("rename", source);
    if (moved !== to.node) this.#move(moved, from, to, target);
    this.#fence.result("rename", "ok", 0);
  }

  link(source: string, target: string): void {
    const from = this.#enter("link", source);
    if (from.node === null) throw this.#refuse("link", source, "ENOENT");
    const to = this.#locate("link", target);
    if (to.node !== null) throw this.#refuse("link", target, "EEXIST");
    if (from.node.kind === "directory") throw this.#refuse("link", source, "EACCES");
    this.#needWritable("link", source);
    this.#needRoomForEntry("link", target);
    const { directory, name } = to;
    this.#state.namespace.change("link", this.#state.tallies.of(target), [{ directory, name, node: from.node }]);
    from.node.names++;
    this.#fence.result("link", "ok", 0);
  }

  remove(path: string): void {
    const place = this.#enter("remove", path);
    const inode = this.#file("remove", path, place);
    this.#needWritable("remove", path);
    const { directory, name } = place;
    const tally = this.#state.tallies.of(path);
    this.#state.namespace.change("remove", tally, [{ directory, name, node: null }]);
    this.#state.unlink(inode);
    this.#fence.result("remove", "ok", 0);
  }

  list(dir: string): readonly string[] {
    const place = this.#enter("list", dir);
    this.#needDescriptor("list", dir);
    const directory = this.#directory("list", dir, place);
    const names = [...directory.cached.keys()].sort();
    this.#fence.result("list", names.join("\n"), names.length);
    return names;
  }

  kind(path: string): PathKind | null {
    const { node } = this.#arrive("kind", path);
    const kind = node === null ? null : node.kind;
    this.#fence.result("kind", kind ?? "none", 0);
    return kind;
  }

  syncDir(dir: string, done: SyncDone): void {
    startSync(this.#state, { ...this.#syncOrder(dir), done });
    this.#fence.result("sync-dir", "ok", 0);
  }

  syncDirNow(dir: string): void {
    syncNow(this.#state, this.#syncOrder(dir));
  }

  /** Covers the changes of the directory up to now. */
  #syncOrder(dir: string): SyncOrder {
    const place = this.#enter("sync-dir", dir);
    this.#needDescriptor("sync-dir", dir);
    const directory = this.#directory("sync-dir", dir, place);
    const state = this.#state;
    const mark = state.namespace.sequence;
    return {
      operation: "sync-dir",
      path: dir,
      tally: directory.tally,
      fence: this.#fence,
      succeed: () => state.namespace.synced(directory, mark),
      fail: () => {
        const { namespace, world } = state;
        namespace.failed(directory, mark, ({ tally, ordinal }) => {
          return world.draw("disk.entry-kept", tally.entity, ordinal) % 2 === 0;
        });
      },
    };
  }

  lock(path: string, owner: string): DiskLock {
    const place = this.#enter("lock", path);
    this.#needDescriptor("lock", path);
    this.#needWritable("lock", path);
    const exists = place.node !== null;
    const inode = exists ? this.#file("lock", path, place) : this.#create("lock", path, place);
    this.#needUnlocked("lock", path, inode);
    if ([...this.#state.sharedLocks].some((shared) => shared.inode === inode)) {
      this.#fence.result("lock", "ELOCKED", 0);
      throw new DiskError("ELOCKED", "lock", path);
    }
    const bytes = new TextEncoder().encode(owner);
    const before = inode.cached.size;
    inode.truncate(0);
    if (bytes.length > 0) inode.write(0, bytes, 0, bytes.length);
    this.#state.usedBytes += inode.cached.size - before;
    const holding = { inode, holder: this };
    this.#state.hold(holding);
    this.#state.locks.set(inode, this);
    this.#fence.result("lock", "ok", 0);
    return { release: () => this.#release(path, holding) };
  }

  lockShared(path: string): DiskLock {
    const place = this.#enter("lock-shared", path);
    this.#needDescriptor("lock-shared", path);
    if (place.node === null) {
      this.#fence.result("lock-shared", "none", 0);
      return { release: () => {} };
    }
    const inode = this.#file("lock-shared", path, place);
    this.#needUnlocked("lock-shared", path, inode);
    const holding = { inode, holder: this };
    this.#state.hold(holding);
    this.#state.sharedLocks.add(holding);
    this.#fence.result("lock-shared", "ok", 0);
    return { release: () => this.#release(path, holding) };
  }

  #needUnlocked(operation: DiskOperation, path: string, inode: Inode): void {
    if (!this.#state.locks.has(inode)) return;
    const holder = new TextDecoder().decode(inode.cached.slice(0, inode.cached.size));
    this.#fence.result(operation, "ELOCKED", 0);
    throw new DiskError("ELOCKED", operation, path, holder);
  }

  #release(path: string, holding: Holding): void {
    this.#fence.call("unlock", path, 0, 0);
    assert(this.#state.handles.has(holding), "a lock is released once");
    if (!this.#state.sharedLocks.delete(holding)) this.#state.locks.delete(holding.inode);
    this.#state.letGo(holding);
    this.#fence.result("unlock", "ok", 0);
  }

  /** What every operation on a path goes through first: the fence, its time, EIO, the parents. */
  #enter(operation: DiskOperation, path: string): Place {
    const place = this.#arrive(operation, path);
    if (place.missing !== null) throw this.#refuse(operation, path, place.missing);
    return place;
  }

  #arrive(operation: DiskOperation, path: string): Place {
    this.#fence.call(operation, path, 0, 0);
    const tally = this.#state.tallies.of(path);
    this.#state.charge(tally);
    if (this.#state.metadataFails(tally)) throw this.#refuse(operation, path, "EIO");
    return this.#state.namespace.locate(path);
  }

  #locate(operation: DiskOperation, path: string): Place {
    const found = this.#state.namespace.locate(path);
    if (found.missing !== null) throw this.#refuse(operation, path, found.missing);
    return found;
  }

  #file(operation: DiskOperation, path: string, place: Place): Inode {
    const node = place.node;
    if (node === null) throw this.#refuse(operation, path, "ENOENT");
    if (node.kind === "directory") throw this.#refuse(operation, path, "EISDIR");
    return node;
  }

  #directory(operation: DiskOperation, path: string, place: Place): Directory {
    const node = place.node;
    if (node === null) throw this.#refuse(operation, path, "ENOENT");
    if (node.kind === "file") throw this.#refuse(operation, path, "ENOTDIR");
    return node;
  }

  #create(operation: DiskOperation, path: string, place: Place): Inode {
    if (place.node !== null) throw this.#refuse(operation, path, "EEXIST");
    this.#needRoomForEntry(operation, path);
    const tally = this.#state.tallies.of(path);
    const { directory, name } = place;
    const node = new Inode(tally);
    this.#state.namespace.change("create", tally, [{ directory, name, node }]);
    return node;
  }

  #move(moved: Directory | Inode, from: Place, to: Place, target: string): void {
    const replaced = to.node;
    if (moved.kind === "directory") {
      if (contains(moved, to.directory)) throw this.#refuse("rename", target, "EIO");
      if (replaced !== null && replaced.kind === "file") throw this.#refuse("rename", target, "ENOTDIR");
      if (replaced !== null && replaced.cached.size > 0) throw this.#refuse("rename", target, "EEXIST");
      // A directory that is replaced may be the durable home of files that were moved away since.
      if (replaced !== null) this.#state.namespace.commit();
    } else if (replaced !== null && replaced.kind === "directory") {
      if (contains(replaced, from.directory)) throw this.#refuse("rename", target, "EEXIST");
      throw this.#refuse("rename", target, "EISDIR");
    }
    this.#state.namespace.change("rename", this.#state.tallies.of(target), [
      { directory: from.directory, name: from.name, node: null },
      { directory: to.directory, name: to.name, node: moved },
    ]);
    if (replaced !== null && replaced.kind === "file") this.#state.unlink(replaced);
  }

  #needDescriptor(operation: DiskOperation, path: string): void {
    const { dice, faults, handles } = this.#state;
    const tally = this.#state.tallies.of(path);
    const ordinal = tally.opens++;
    const exhausted = handles.size >= faults.openFilesMax;
    if (!exhausted && !dice.hits(faults.emfile, "disk.emfile", tally.entity, ordinal)) return;
    this.#state.count("disk.emfile");
    throw this.#refuse(operation, path, "EMFILE");
  }

  #needWritable(operation: DiskOperation, path: string): void {
    if (this.#state.faults.readOnly) throw this.#refuse(operation, path, "EROFS");
  }

  #needRoomForEntry(operation: DiskOperation, path: string): void {
    if (this.#state.roomBytes() > 0) return;
    const tally = this.#state.tallies.of(path);
    const { entity, metadata } = tally;
    if (!this.#state.dice.hits(entryNeedsRoom, "disk.entry-room", entity, metadata)) return;
    this.#state.full = true;
    this.#state.count("disk.enospc");
    throw this.#refuse(operation, path, "ENOSPC");
  }

  #refuse(operation: DiskOperation, path: string, code: DiskErrorCode): DiskError {
    return refused(this.#fence, operation, path, code);
  }
}

/** Whether `directory` is `above` or lies below it. */
function contains(above: Directory, directory: Directory): boolean {
  const queue = [above];
  for (let at = 0; at < queue.length; at++) {
    if (queue[at] === directory) return true;
    for (const node of queue[at]?.cached.values() ?? []) {
      if (node.kind === "directory") queue.push(node);
    }
  }
  return false;
}
