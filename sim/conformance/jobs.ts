import { assert } from "../../core/assert.ts";
import { type Disk, DiskError } from "../../core/env/disk.ts";
import type { Job, JobError, JobResult, Jobs } from "../../core/env/jobs.ts";
import { NokvError } from "../../core/errors.ts";
import type { FailJob, FileJob, SumJob, SumResult } from "./job-kinds.ts";

/** Jobs under test; their starter is `startConformanceJob`, over the same files as `disk`. */
export interface JobsSubject {
  readonly jobs: Jobs;
  readonly disk: Disk;
  /** An existing, empty directory. */
  readonly root: string;
}

/** One promise of `core/env/jobs.ts`, checked by what a caller can see. Throws AssertionError when broken. */
export interface JobsCase {
  readonly name: string;
  readonly run: (subject: JobsSubject) => Promise<void>;
}

interface Answer {
  readonly error: JobError | null;
  readonly result: JobResult | null;
}

const memory: readonly JobsCase[] = [
  {
    name: "shared memory is zero-filled and as long as asked",
    run: async ({ jobs }) => {
      const bytes = jobs.shared(10_000);
      assert(bytes.length === 10_000, "the length is as asked");
      assert(
        bytes.every((byte) => byte === 0),
        "every byte is zero",
      );
    },
  },
  {
    name: "a job reads shared memory and copies the rest of its input",
    run: async ({ jobs }) => {
      const shared = jobs.shared(4);
      shared.set([1, 2, 3, 4]);
      const own = Uint8Array.of(10, 20);
      const job: SumJob = { kind: "sum", shared, own, offsets: Uint32Array.of(0, 3), label: "x" };
      const answer = asking(jobs, job);
      own.fill(99);
      const { result } = await answer;
      assert((result as SumResult).total === 1 + 4 + 10 + 20, "the input was taken as it was");
      assert((result as SumResult).label === "x", "strings travel");
    },
  },
];

const completion: readonly JobsCase[] = [
  {
    name: "a completion comes once, on a turn of its own",
    run: async ({ jobs }) => {
      let completions = 0;
      let inside = true;
      await new Promise<void>((resolve) => {
        jobs.run(sumOf(jobs, 3), (error) => {
          assert(!inside, "not inside the call");
          assert(error === null, "the job succeeds");
          completions++;
          resolve();
        });
        inside = false;
      });
      await asking(jobs, sumOf(jobs, 1));
      assert(completions === 1, "exactly once");
    },
  },
  {
    name: "many jobs all complete, each with its own result",
    run: async ({ jobs }) => {
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, i) => asking(jobs, sumOf(jobs, i))),
      );
      for (const [i, { result }] of answers.entries()) {
        assert((result as SumResult).total === i, "a result belongs to its job");
      }
    },
  },
  {
    name: "a job waits for its syncs, and what it wrote is there",
    run: async ({ jobs, disk, root }) => {
      const job: FileJob = { kind: "file", path: `${root}/out`, bytes: Uint8Array.of(7, 8, 9) };
      const { error, result } = await asking(jobs, job);
      assert(error === null, "the job succeeds");
      assert(result?.kind === "file", "the result says what it is");
      const file = disk.open(`${root}/out`, "read");
      const bytes = new Uint8Array(4);
      let length = 0;
      for (let n = 1; n > 0; length += n) n = file.read(length, bytes, length, 4);
      file.close();
      assert(length === 3, "the file is as long as what was written");
      assert(bytes.join() === "7,8,9,0", "the bytes are what was written");
    },
  },
];

const failures: readonly JobsCase[] = [
  {
    name: "a disk error keeps its class, code and path",
    run: async ({ jobs, root }) => {
      const job: FileJob = { kind: "file", path: `${root}/missing/out`, bytes: Uint8Array.of(1) };
      const { error, result } = await asking(jobs, job);
      assert(result === null, "a failed job has no result");
      assert(error instanceof DiskError, "the class survives");
      assert(error.code === "ENOENT", "the code survives");
      assert(error.path === `${root}/missing/out`, "the path survives");
      assert(error.message === `ENOENT: open ${root}/missing/out`, "the message survives");
    },
  },
  {
    name: "a corruption keeps its class, code and place",
    run: async ({ jobs }) => {
      const job: FailJob = { kind: "fail", path: "/db/table-000007.sst", offset: 4_096 };
      const { error, result } = await asking(jobs, job);
      assert(result === null, "a failed job has no result");
      assert(error instanceof NokvError, "the class survives");
      assert(error.code === "NOKV_CORRUPTION", "the code survives");
      assert(error.path === job.path, "the path survives");
      assert(error.offset === job.offset, "the offset survives");
      assert(error.cause instanceof DiskError, "the cause survives");
    },
  },
  {
    name: "a failed job does not hurt the next",
    run: async ({ jobs }) => {
      const fail: FailJob = { kind: "fail", path: "x", offset: 0 };
      const [failed, fine] = await Promise.all([asking(jobs, fail), asking(jobs, sumOf(jobs, 5))]);
      assert(failed.error !== null, "the first fails");
      assert(fine.error === null, "the second succeeds");
    },
  },
];

const standingBy: readonly JobsCase[] = [
  {
    name: "who stands by hears of each end inside the call, and of none twice",
    run: async ({ jobs, root }) => {
      assert(!jobs.standBy(1_000_000), "where nothing is under way, nobody waits");
      const ends: string[] = [];
      const note = (name: string) => (error: JobError | null) => ends.push(`${name} ${error?.message ?? "done"}`);
      jobs.run({ kind: "file", path: `${root}/out`, bytes: Uint8Array.of(1) } as FileJob, note("file"));
      jobs.run(sumOf(jobs, 3), note("sum"));
      jobs.run({ kind: "fail", path: "x", offset: 0 } as FailJob, note("fail"));
      const count = (): number => ends.length;
      assert(count() === 0, "not before");
      for (let told = 1; told <= 3; told++) {
        assert(jobs.standBy(60_000_000), "one ends");
        assert(count() === told, "one at a time");
      }
      await asking(jobs, sumOf(jobs, 1));
      assert(count() === 3, "exactly once each");
    },
  },
  {
    name: "what ended meanwhile is told by the next turn as well",
    run: async ({ jobs }) => {
      const answer = asking(jobs, sumOf(jobs, 2));
      jobs.giveWay(1000);
      assert(((await answer).result as SumResult).total === 2, "it is told");
      assert(!jobs.standBy(0), "and is over");
    },
  },
];

export const jobsCases: readonly JobsCase[] = [...memory, ...completion, ...failures, ...standingBy];

function asking(jobs: Jobs, job: Job): Promise<Answer> {
  return new Promise((resolve) => {
    jobs.run(job, (error, result) => resolve({ error, result }));
  });
}

/** A job whose result is `total`. */
function sumOf(jobs: Jobs, total: number): SumJob {
  const shared = jobs.shared(Math.max(1, total)).fill(total > 0 ? 1 : 0);
  const offsets = new Uint32Array(shared.length);
  for (let i = 0; i < offsets.length; i++) offsets[i] = i;
  return { kind: "sum", shared, own: new Uint8Array(0), offsets, label: "" };
}
