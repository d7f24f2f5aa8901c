import type { DiskCase } from "./disk.ts";

const encoder = new TextEncoder();

const reading: readonly DiskCase[] = [
  {
    name: "a new file is empty and reads as ended",
    run(probe) {
      const file = probe.create("a");
      probe.equal(file.sizeBytes(), 0);
      probe.equal(file.read(0, new Uint8Array(4), 0, 4), 0);
      file.close();
    },
  },
  {
    name: "bytes read back where they were written",
    run(probe) {
      const file = probe.create("a");
      probe.write(file, 0, "hello world");
      probe.equal(probe.read(file, 0, 11), "hello world");
      probe.equal(probe.read(file, 6, 5), "world");
      file.close();
    },
  },
  {
    name: "a read past the end gives nothing, across it what is there",
    run(probe) {
      const file = probe.create("a");
      probe.write(file, 0, "abc");
      probe.equal(file.read(3, new Uint8Array(4), 0, 4), 0);
      probe.equal(file.read(1_000_000, new Uint8Array(4), 0, 4), 0);
      probe.equal(probe.read(file, 1, 100), "bc");
      file.close();
    },
  },
  {
    name: "a read touches only its range of the target",
    run(probe) {
      const file = probe.create("a");
      probe.write(file, 0, "abcdef");
      const target = new Uint8Array(6).fill(46);
      const count = file.read(1, target, 2, 4);
      probe.equal(new TextDecoder().decode(target), count === 2 ? "..bc.." : "..b...");
      file.close();
    },
  },
  {
    name: "an empty read and an empty write do nothing",
    run(probe) {
      const file = probe.create("a");
      probe.equal(file.read(0, new Uint8Array(0), 0, 0), 0);
      probe.equal(file.write(0, new Uint8Array(0), 0, 0), 0);
      probe.equal(file.write(10, new Uint8Array(4), 2, 2), 0);
      probe.equal(file.sizeBytes(), 0);
      file.close();
    },
  },
  {
    name: "a file opened for reading sees what another handle writes",
    run(probe) {
      const writer = probe.create("a");
      const reader = probe.disk.open(probe.path("a"), "read");
      probe.write(writer, 0, "later");
      probe.equal(probe.read(reader, 0, 5), "later");
      probe.equal(reader.sizeBytes(), 5);
      writer.close();
      reader.close();
    },
  },
  {
    name: "another process sees unsynced bytes",
    run(probe) {
      const writer = probe.create("a");
      probe.write(writer, 0, "now");
      const reader = probe.other.open(probe.path("a"), "read");
      probe.equal(probe.read(reader, 0, 3), "now");
      writer.close();
      reader.close();
    },
  },
  {
    name: "memory shared with a worker reads and writes like any other",
    run(probe) {
      const source = probe.shared(4);
      source.set([1, 2, 3, 4]);
      const target = probe.shared(4);
      const file = probe.create("a");
      probe.writeAll(file, 0, source, 1);
      probe.equal(probe.readAll(file, 0, target, 1), 3);
      probe.equal([...target], [0, 2, 3, 4]);
      file.close();
    },
  },
];

const writing: readonly DiskCase[] = [
  {
    name: "a write takes only its range of the source",
    run(probe) {
      const file = probe.create("a");
      const count = file.write(0, encoder.encode("xxabcxx"), 2, 5);
      probe.equal(probe.read(file, 0, 9), "abc".slice(0, count));
      file.close();
    },
  },
  {
    name: "a write copies its source",
    async run(probe) {
      const file = probe.create("a");
      const source = encoder.encode("before");
      probe.writeAll(file, 0, source, 0);
      source.fill(120);
      await probe.synced(file);
      probe.equal(probe.read(file, 0, 6), "before");
      file.close();
    },
  },
  {
    name: "a write over the middle keeps both sides",
    run(probe) {
      const file = probe.create("a");
      probe.write(file, 0, "abcdef");
      probe.write(file, 2, "XY");
      probe.equal(probe.read(file, 0, 9), "abXYef");
      probe.equal(file.sizeBytes(), 6);
      file.close();
    },
  },
  {
    name: "a gap reads as zeros",
    run(probe) {
      const file = probe.create("a");
      probe.write(file, 0, "ab");
      probe.write(file, 5, "c");
      probe.equal(probe.read(file, 0, 9), "ab000c");
      file.close();
    },
  },
  {
    name: "a gap over sectors reads as zeros",
    run(probe) {
      const file = probe.create("a");
      probe.write(file, 0, "ab");
      probe.write(file, 5_000, "c");
      probe.equal(file.sizeBytes(), 5_001);
      probe.equal(probe.read(file, 4_990, 20), "0000000000c");
      file.close();
    },
  },
  {
    name: "a large write comes back whole",
    run(probe) {
      const file = probe.create("a");
      const bytes = Uint8Array.from({ length: 300_000 }, (_, at) => (at * 7) & 255);
      probe.writeAll(file, 0, bytes, 0);
      const back = new Uint8Array(300_000);
      probe.equal(probe.readAll(file, 0, back, 0), 300_000);
      probe.equal(
        back.findIndex((byte, at) => byte !== bytes[at]),
        -1,
      );
      file.close();
    },
  },
];

const truncating: readonly DiskCase[] = [
  {
    name: "truncation drops the tail",
    run(probe) {
      const file = probe.create("a");
      probe.write(file, 0, "abcdef");
      file.truncate(2);
      probe.equal(file.sizeBytes(), 2);
      probe.equal(probe.read(file, 0, 9), "ab");
      file.close();
    },
  },
  {
    name: "what truncation dropped does not come back",
    run(probe) {
      const file = probe.create("a");
      probe.write(file, 0, "abcdef");
      file.truncate(2);
      file.truncate(5);
      probe.equal(probe.read(file, 0, 9), "ab000");
      file.close();
    },
  },
  {
    name: "a write after a truncation leaves a gap of zeros",
    run(probe) {
      const file = probe.create("a");
      probe.write(file, 0, "abcdef");
      file.truncate(1);
      probe.write(file, 4, "z");
      probe.equal(probe.read(file, 0, 9), "a000z");
      file.close();
    },
  },
  {
    name: "truncation extends with zeros",
    run(probe) {
      const file = probe.create("a");
      file.truncate(3);
      probe.equal(probe.read(file, 0, 9), "000");
      file.close();
    },
  },
];

const opening: readonly DiskCase[] = [
  {
    name: "create refuses a name that exists",
    run(probe) {
      probe.put("a", "kept");
      probe.equal(
        probe.code(() => probe.create("a")),
        "EEXIST",
      );
      probe.equal(probe.content("a"), "kept");
    },
  },
  {
    name: "create refuses a directory's name",
    run(probe) {
      probe.disk.mkdir(probe.path("d"));
      probe.equal(
        probe.code(() => probe.create("d")),
        "EEXIST",
      );
    },
  },
  {
    name: "read and write refuse a name that does not exist",
    run(probe) {
      probe.equal(
        probe.code(() => probe.disk.open(probe.path("a"), "read")),
        "ENOENT",
      );
      probe.equal(
        probe.code(() => probe.disk.open(probe.path("a"), "write")),
        "ENOENT",
      );
      probe.equal(probe.disk.list(probe.root), []);
    },
  },
  {
    name: "open for writing keeps the content",
    run(probe) {
      probe.put("a", "abc");
      const file = probe.disk.open(probe.path("a"), "write");
      probe.write(file, 1, "B");
      file.close();
      probe.equal(probe.content("a"), "aBc");
    },
  },
  {
    name: "a directory does not open as a file",
    run(probe) {
      probe.disk.mkdir(probe.path("d"));
      probe.equal(
        probe.code(() => probe.disk.open(probe.path("d"), "read")),
        "EISDIR",
      );
      probe.equal(
        probe.code(() => probe.disk.open(probe.path("d"), "write")),
        "EISDIR",
      );
    },
  },
  {
    name: "open needs its parents",
    run(probe) {
      probe.put("a", "");
      probe.equal(
        probe.code(() => probe.create("d/a")),
        "ENOENT",
      );
      probe.equal(
        probe.code(() => probe.create("a/b")),
        "ENOTDIR",
      );
    },
  },
  {
    name: "a handle knows its path",
    run(probe) {
      const file = probe.create("a");
      probe.equal(file.path, probe.path("a"));
      file.close();
    },
  },
  {
    name: "an error names operation and path",
    run(probe) {
      const error = probe.error(() => probe.disk.open(probe.path("a"), "read"));
      probe.equal(error?.path, probe.path("a"));
      probe.equal(error?.message, `ENOENT: open ${probe.path("a")}`);
    },
  },
];

const syncing: readonly DiskCase[] = [
  {
    name: "a sync completes once, and not inside the call",
    async run(probe) {
      const file = probe.create("a");
      probe.write(file, 0, "abc");
      let completions = 0;
      file.sync(() => completions++);
      probe.equal(completions, 0);
      for (let round = 0; round < 5; round++) await probe.synced(file);
      await probe.completion((done) => probe.disk.syncDir(probe.root, done));
      probe.equal(completions, 1);
      file.close();
    },
  },
  {
    name: "syncs of one file overlap and all complete",
    async run(probe) {
      const file = probe.create("a");
      const waits: Promise<unknown>[] = [];
      for (let round = 0; round < 8; round++) {
        probe.write(file, round, "x");
        waits.push(probe.completion((done) => file.sync(done)));
      }
      probe.equal(
        await Promise.all(waits),
        waits.map(() => null),
      );
      file.close();
    },
  },
  {
    name: "a sync that is waited for takes no completion, beside one in flight or alone",
    async run(probe) {
      const file = probe.create("a");
      probe.write(file, 0, "abc");
      const wait = probe.completion((done) => {
        file.sync(done);
        probe.write(file, 3, "def");
        file.syncNow();
      });
      probe.equal(await wait, null);
      file.syncNow();
      probe.disk.syncDirNow(probe.root);
      probe.equal(probe.content("a"), "abcdef");
      file.close();
      probe.equal(probe.code(() => probe.disk.syncDirNow(probe.path("missing"))), "ENOENT");
    },
  },
  {
    name: "a file may be written while its sync is in flight",
    async run(probe) {
      const file = probe.create("a");
      probe.write(file, 0, "first");
      const wait = probe.completion((done) => {
        file.sync(done);
        probe.write(file, 0, "later");
      });
      probe.equal(await wait, null);
      probe.equal(probe.read(file, 0, 9), "later");
      file.close();
    },
  },
  {
    name: "a sync in flight survives close",
    async run(probe) {
      const file = probe.create("a");
      probe.write(file, 0, "abc");
      const wait = probe.completion((done) => {
        file.sync(done);
        file.close();
        const next = probe.create("b");
        probe.write(next, 0, "other");
        next.close();
      });
      probe.equal(await wait, null);
      probe.equal(probe.content("a"), "abc");
      probe.equal(probe.content("b"), "other");
    },
  },
  {
    name: "a sync in flight survives removal",
    async run(probe) {
      const file = probe.create("a");
      probe.write(file, 0, "abc");
      const wait = probe.completion((done) => {
        file.sync(done);
        probe.disk.remove(probe.path("a"));
      });
      probe.equal(await wait, null);
      file.close();
    },
  },
  {
    name: "a file opened for reading syncs",
    async run(probe) {
      probe.put("a", "abc");
      const file = probe.disk.open(probe.path("a"), "read");
      await probe.synced(file);
      file.close();
    },
  },
];

export const fileCases: readonly DiskCase[] = [
  ...reading,
  ...writing,
  ...truncating,
  ...opening,
  ...syncing,
];
