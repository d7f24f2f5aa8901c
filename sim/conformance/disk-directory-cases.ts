import type { DiskCase } from "./disk.ts";

const naming: readonly DiskCase[] = [
  {
    name: "a rename moves the content",
    run(probe) {
      probe.put("a", "abc");
      probe.disk.rename(probe.path("a"), probe.path("b"));
      probe.equal(probe.disk.list(probe.root), ["b"]);
      probe.equal(probe.content("b"), "abc");
    },
  },
  {
    name: "a rename replaces its target",
    run(probe) {
      probe.put("a", "new");
      probe.put("b", "old");
      probe.disk.rename(probe.path("a"), probe.path("b"));
      probe.equal(probe.disk.list(probe.root), ["b"]);
      probe.equal(probe.content("b"), "new");
    },
  },
  {
    name: "open files follow their inode through a rename",
    run(probe) {
      const moved = probe.create("a");
      const replaced = probe.create("b");
      probe.write(replaced, 0, "old");
      probe.disk.rename(probe.path("a"), probe.path("b"));
      probe.write(moved, 0, "new");
      probe.write(replaced, 3, "er");
      probe.equal(probe.content("b"), "new");
      probe.equal(probe.read(replaced, 0, 9), "older");
      moved.close();
      replaced.close();
    },
  },
  {
    name: "a rename onto itself changes nothing",
    run(probe) {
      probe.put("a", "abc");
      probe.disk.rename(probe.path("a"), probe.path("a"));
      probe.equal(probe.content("a"), "abc");
    },
  },
  {
    name: "a rename needs its source and its target's parent",
    run(probe) {
      probe.put("a", "abc");
      const rename = (source: string, target: string): string =>
        probe.code(() => probe.disk.rename(probe.path(source), probe.path(target)));
      probe.equal(rename("b", "c"), "ENOENT");
      probe.equal(rename("a", "d/c"), "ENOENT");
      probe.equal(rename("a", "a/c"), "ENOTDIR");
      probe.equal(probe.disk.list(probe.root), ["a"]);
    },
  },
  {
    name: "a file does not replace a directory, nor a directory a file",
    run(probe) {
      probe.put("a", "abc");
      probe.disk.mkdir(probe.path("d"));
      probe.equal(
        probe.code(() => probe.disk.rename(probe.path("a"), probe.path("d"))),
        "EISDIR",
      );
      probe.equal(
        probe.code(() => probe.disk.rename(probe.path("d"), probe.path("a"))),
        "ENOTDIR",
      );
      probe.equal(probe.disk.list(probe.root), ["a", "d"]);
    },
  },
  {
    name: "a link is a second name of one content",
    run(probe) {
      probe.put("a", "abc");
      probe.disk.link(probe.path("a"), probe.path("b"));
      const file = probe.disk.open(probe.path("b"), "write");
      probe.write(file, 3, "d");
      probe.equal(probe.content("a"), "abcd");
      file.close();
      probe.disk.remove(probe.path("a"));
      probe.equal(probe.disk.list(probe.root), ["b"]);
      probe.equal(probe.content("b"), "abcd");
    },
  },
  {
    name: "a link needs a file, and a name that is free",
    run(probe) {
      probe.put("a", "abc");
      probe.put("b", "old");
      probe.disk.mkdir(probe.path("d"));
      const link = (source: string, target: string): string =>
        probe.code(() => probe.disk.link(probe.path(source), probe.path(target)));
      probe.equal(link("a", "b"), "EEXIST");
      probe.equal(link("c", "e"), "ENOENT");
      probe.equal(link("a", "nowhere/e"), "ENOENT");
      probe.equal(link("d", "e"), "EACCES");
      probe.equal(probe.content("b"), "old");
    },
  },
  {
    name: "a file moves between directories",
    run(probe) {
      probe.disk.mkdir(probe.path("d"));
      probe.put("a", "abc");
      probe.disk.rename(probe.path("a"), probe.path("d/b"));
      probe.equal(probe.disk.list(probe.root), ["d"]);
      probe.equal(probe.content("d/b"), "abc");
    },
  },
  {
    name: "a directory moves with what is in it",
    run(probe) {
      probe.disk.mkdir(probe.path("d"));
      probe.put("d/a", "abc");
      probe.disk.rename(probe.path("d"), probe.path("e"));
      probe.equal(probe.content("e/a"), "abc");
      probe.equal(probe.disk.kind(probe.path("d")), null);
    },
  },
  {
    name: "remove takes the name away",
    run(probe) {
      probe.put("a", "abc");
      probe.disk.remove(probe.path("a"));
      probe.equal(probe.disk.list(probe.root), []);
      probe.equal(
        probe.code(() => probe.disk.open(probe.path("a"), "read")),
        "ENOENT",
      );
    },
  },
  {
    name: "a removed file stays usable while it is open",
    run(probe) {
      const file = probe.create("a");
      probe.write(file, 0, "abc");
      probe.disk.remove(probe.path("a"));
      probe.write(file, 3, "def");
      probe.equal(probe.read(file, 0, 9), "abcdef");
      probe.equal(file.sizeBytes(), 6);
      file.close();
      probe.equal(probe.disk.list(probe.root), []);
    },
  },
  {
    name: "a removed name can be created again, apart from the old file",
    run(probe) {
      const old = probe.create("a");
      probe.write(old, 0, "old");
      probe.disk.remove(probe.path("a"));
      probe.put("a", "new");
      probe.equal(probe.content("a"), "new");
      probe.equal(probe.read(old, 0, 9), "old");
      old.close();
    },
  },
  {
    name: "remove refuses what is not there, and directories",
    run(probe) {
      probe.disk.mkdir(probe.path("d"));
      probe.equal(
        probe.code(() => probe.disk.remove(probe.path("a"))),
        "ENOENT",
      );
      probe.equal(
        probe.code(() => probe.disk.remove(probe.path("d"))),
        "EISDIR",
      );
    },
  },
];

const looking: readonly DiskCase[] = [
  {
    name: "mkdir makes an empty directory",
    run(probe) {
      probe.disk.mkdir(probe.path("d"));
      probe.equal(probe.disk.kind(probe.path("d")), "directory");
      probe.equal(probe.disk.list(probe.path("d")), []);
    },
  },
  {
    name: "mkdir refuses what exists",
    run(probe) {
      probe.put("a", "");
      probe.disk.mkdir(probe.path("d"));
      probe.equal(
        probe.code(() => probe.disk.mkdir(probe.path("a"))),
        "EEXIST",
      );
      probe.equal(
        probe.code(() => probe.disk.mkdir(probe.path("d"))),
        "EEXIST",
      );
    },
  },
  {
    name: "mkdir makes one directory, not its parents",
    run(probe) {
      probe.put("a", "");
      probe.equal(
        probe.code(() => probe.disk.mkdir(probe.path("d/e"))),
        "ENOENT",
      );
      probe.equal(
        probe.code(() => probe.disk.mkdir(probe.path("a/e"))),
        "ENOTDIR",
      );
    },
  },
  {
    name: "list sorts by UTF-16 code unit",
    run(probe) {
      for (const name of ["b", "B", "a10", "a9", "\u{1f600}", "\uff5e", "é"]) probe.put(name, "");
      probe.equal(probe.disk.list(probe.root), ["B", "a10", "a9", "b", "é", "\u{1f600}", "\uff5e"]);
    },
  },
  {
    name: "list shows one level, directories too",
    run(probe) {
      probe.disk.mkdir(probe.path("d"));
      probe.put("d/x", "");
      probe.put("a", "");
      probe.equal(probe.disk.list(probe.root), ["a", "d"]);
      probe.equal(probe.disk.list(probe.path("d")), ["x"]);
    },
  },
  {
    name: "list refuses files and what is not there",
    run(probe) {
      probe.put("a", "");
      probe.equal(
        probe.code(() => probe.disk.list(probe.path("a"))),
        "ENOTDIR",
      );
      probe.equal(
        probe.code(() => probe.disk.list(probe.path("d"))),
        "ENOENT",
      );
    },
  },
  {
    name: "kind tells files, directories and nothing apart",
    run(probe) {
      probe.put("a", "");
      probe.disk.mkdir(probe.path("d"));
      probe.equal(probe.disk.kind(probe.path("a")), "file");
      probe.equal(probe.disk.kind(probe.path("d")), "directory");
      probe.equal(probe.disk.kind(probe.root), "directory");
      probe.equal(probe.disk.kind(probe.path("b")), null);
      probe.equal(probe.disk.kind(probe.path("d/e/f")), null);
      probe.equal(probe.disk.kind(probe.path("a/b")), null);
    },
  },
  {
    name: "syncDir completes once, and not inside the call",
    async run(probe) {
      probe.put("a", "");
      let completions = 0;
      probe.disk.syncDir(probe.root, () => completions++);
      probe.equal(completions, 0);
      for (let round = 0; round < 5; round++) {
        probe.equal(await probe.completion((done) => probe.disk.syncDir(probe.root, done)), null);
      }
      probe.equal(completions, 1);
    },
  },
  {
    name: "syncDir refuses files and what is not there",
    run(probe) {
      probe.put("a", "");
      const never = (): void => undefined;
      probe.equal(
        probe.code(() => probe.disk.syncDir(probe.path("a"), never)),
        "ENOTDIR",
      );
      probe.equal(
        probe.code(() => probe.disk.syncDir(probe.path("d"), never)),
        "ENOENT",
      );
    },
  },
];

const locking: readonly DiskCase[] = [
  {
    name: "a lock creates its file, and beside it at most names that begin with its own",
    run(probe) {
      const lock = probe.disk.lock(probe.path("LOCK"), "me");
      probe.equal(probe.disk.kind(probe.path("LOCK")), "file");
      const names = probe.disk.list(probe.root);
      probe.equal(
        names.filter((name) => !name.startsWith("LOCK")),
        [],
      );
      lock.release();
    },
  },
  {
    name: "a second lock is refused and names the holder",
    run(probe) {
      const lock = probe.disk.lock(probe.path("LOCK"), "process 1, started at noon");
      const error = probe.error(() => probe.disk.lock(probe.path("LOCK"), "me too"));
      probe.equal(error?.code, "ELOCKED");
      probe.equal(error?.holder, "process 1, started at noon");
      lock.release();
    },
  },
  {
    name: "another process is refused and learns the holder",
    run(probe) {
      const lock = probe.disk.lock(probe.path("LOCK"), "owner");
      const error = probe.error(() => probe.other.lock(probe.path("LOCK"), "me too"));
      probe.equal(error?.code, "ELOCKED");
      probe.equal(error?.holder, "owner");
      lock.release();
    },
  },
  {
    name: "a released lock can be taken again, by anybody",
    run(probe) {
      probe.disk.lock(probe.path("LOCK"), "first, with a long name").release();
      const lock = probe.other.lock(probe.path("LOCK"), "next");
      probe.equal(probe.error(() => probe.disk.lock(probe.path("LOCK"), "me"))?.holder, "next");
      lock.release();
      probe.disk.lock(probe.path("LOCK"), "again").release();
    },
  },
  {
    name: "locks of different files do not meet",
    run(probe) {
      const left = probe.disk.lock(probe.path("L1"), "left");
      const right = probe.disk.lock(probe.path("L2"), "right");
      left.release();
      right.release();
    },
  },
  {
    name: "a shared lock stands beside others, and is let go",
    run(probe) {
      probe.disk.lock(probe.path("LOCK"), "gone").release();
      const first = probe.disk.lockShared(probe.path("LOCK"));
      const second = probe.other.lockShared(probe.path("LOCK"));
      first.release();
      second.release();
      probe.other.lock(probe.path("LOCK"), "writer").release();
    },
  },
  {
    name: "a shared lock is refused while somebody holds it, and learns who",
    run(probe) {
      const lock = probe.disk.lock(probe.path("LOCK"), "writer 7");
      for (const disk of [probe.disk, probe.other]) {
        const error = probe.error(() => disk.lockShared(probe.path("LOCK")));
        probe.equal(error?.code, "ELOCKED");
        probe.equal(error?.holder, "writer 7");
      }
      lock.release();
    },
  },
  {
    name: "a shared lock creates and changes nothing",
    run(probe) {
      probe.disk.mkdir(probe.path("d"));
      const nothing = probe.disk.lockShared(probe.path("d/LOCK"));
      probe.equal(probe.disk.list(probe.path("d")), []);
      nothing.release();
      const file = probe.disk.open(probe.path("d/LOCK"), "create");
      file.write(0, new Uint8Array([1, 2, 3]), 0, 3);
      const lock = probe.disk.lockShared(probe.path("d/LOCK"));
      probe.equal(file.sizeBytes(), 3);
      probe.equal(probe.disk.list(probe.path("d")), ["LOCK"]);
      lock.release();
      probe.equal(file.sizeBytes(), 3);
      file.close();
      probe.equal(
        probe.code(() => probe.disk.lockShared(probe.path("e/LOCK"))),
        "ENOENT",
      );
    },
  },
  {
    name: "a lock needs its parent, and a file",
    run(probe) {
      probe.disk.mkdir(probe.path("d"));
      probe.equal(
        probe.code(() => probe.disk.lock(probe.path("e/LOCK"), "me")),
        "ENOENT",
      );
      probe.equal(
        probe.code(() => probe.disk.lock(probe.path("d"), "me")),
        "EISDIR",
      );
    },
  },
];

export const directoryCases: readonly DiskCase[] = [...naming, ...looking, ...locking];
