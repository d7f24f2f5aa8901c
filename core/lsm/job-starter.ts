import { AssertionError } from "../assert.ts";
import type { Disk } from "../env/disk.ts";
import type { Job, JobMachine, JobStarter } from "../env/jobs.ts";
import { CompactionMachine } from "./compaction-job.ts";
import type { CompactionJob } from "./compaction-job.ts";
import { CopyMachine } from "./copy-job.ts";
import type { CopyJob } from "./copy-job.ts";
import { FlushMachine } from "./flush-job.ts";
import type { FlushJob } from "./flush-job.ts";
import { RemoveMachine } from "./remove-job.ts";
import type { RemoveJob } from "./remove-job.ts";
import { ScrubMachine } from "./scrub-job.ts";
import type { ScrubJob } from "./scrub-job.ts";
import { VerifyMachine } from "./verify-job.ts";
import type { VerifyJob } from "./verify-job.ts";

/** Every kind of background work of the storage core. */
export const startJob: JobStarter = (disk: Disk, job: Job, wake: () => void): JobMachine => {
  switch (job.kind) {
    case "flush":
      return new FlushMachine(disk, job as FlushJob, wake);
    case "compaction":
      return new CompactionMachine(disk, job as CompactionJob, wake);
    case "copy":
      return new CopyMachine(disk, job as CopyJob, wake);
    case "verify":
      return new VerifyMachine(disk, job as VerifyJob);
    case "scrub":
      return new ScrubMachine(disk, job as ScrubJob);
    case "remove":
      return new RemoveMachine(disk, job as RemoveJob);
    default:
      throw new AssertionError(`a job is of a known kind, not ${job.kind}`);
  }
};
