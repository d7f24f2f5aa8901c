import type { Env } from "../core/env/env.ts";
import type { TraceFields } from "../core/env/trace.ts";
import { NokvError } from "../core/errors.ts";
import { tablePath } from "../core/lsm/table-meta.ts";
import { readManifest } from "../core/manifest/reader.ts";
import { valueFilePath } from "../core/vlog/value-file.ts";
import { fileMagic, readFileHeader } from "../core/wal/file-header.ts";
import { scanSegment } from "../core/wal/segment-scan.ts";
import type { Dice } from "../sim/dice.ts";
import type { AtRestDamage, AtRestKind } from "../sim/disk/disk-faults.ts";
import type { Machine } from "../sim/machine.ts";
import type { Scenario } from "../sim/scenario.ts";
import type { World } from "../sim/world.ts";
import { EngineDriver } from "./engine-driver.ts";
import { drawEngineOptions } from "./engine-sizes.ts";
import { lookAtRest } from "./engine-look.ts";
import { damageIn, verifyAtRest } from "./engine-verify.ts";
import { EngineWorkload, noErrors, withCorruption } from "./engine-workload.ts";
import { Keyspace } from "./keyspace.ts";
import { pause } from "./recording-clock.ts";
import { ReadTracker } from "./tracking-disk.ts";
import { slowestUs } from "./write-pace.ts";

const directory = "/db";
const kinds: readonly AtRestKind[] = ["bit-rot", "misdirected-write", "stale-sector"];

export const atRestCorruption: Scenario = {
  name: "at-rest-corruption",
  why: "Bytes that rot on the disk must be noticed when they are read, and never become a wrong answer.",
  weight: 1,
  run: (world) => new AtRestRun(world).run(),
};

/** No disk of a run without a nemesis is slower. */
const settleUs = 20_000_000;

const none = new Uint8Array(0);

/** So many in one turn fill several segments of the smallest kind. */
const commitsMax = 40;

/** Where damage is looked for: by size alone, it would nearly always be a table. */
interface Target {
  readonly pattern: RegExp;
  /** In the last sectors of the file only. */
  readonly atEnd: boolean;
}

const anywhere: Target = { pattern: /./, atEnd: false };
const targets: readonly Target[] = [
  anywhere,
  { pattern: /\.sst$/, atEnd: false },
  { pattern: /\.sst$/, atEnd: true },
  { pattern: /\.vlog$/, atEnd: false },
  { pattern: /\.log$/, atEnd: false },
  { pattern: /\.log$/, atEnd: true },
  { pattern: /MANIFEST-\d+$/, atEnd: false },
  { pattern: /MANIFEST-\d+$/, atEnd: true },
  { pattern: /CURRENT$/, atEnd: false },
];
const sectorBytes = 512;
/** Of writes, that may wait when there is hardly any room. */
const waitingBytesMax = 256 * 1024;

/** How the database was left when its bytes rot. */
type Left = "closed" | "crashed" | "open";

interface Damage extends AtRestDamage {
  readonly right: Uint8Array;
  readonly wrong: Uint8Array;
}

class AtRestRun {
  readonly #world: World;
  readonly #machine: Machine;
  readonly #dice: Dice;
  readonly #driver: EngineDriver;
  readonly #workload: EngineWorkload;
  readonly #tracker = new ReadTracker();
  readonly #left: Left;
  readonly #fillSteps: number;
  /** Bytes of each log segment behind which something durable vouches for them. */
  readonly #vouched = new Map<string, number>();
  /** Log segments that hold values of tables. */
  readonly #keptSegments = new Set<string>();
  /** Tables and value files that the manifest names: the loss of any other is nobody's. */
  readonly #named = new Set<string>();
  #damages: Damage[] = [];
  #target: Target = anywhere;
  /** What verifying said before anything was opened. */
  #calledSound = false;
  readonly #detected = new Set<string>();

  constructor(world: World) {
    this.#world = world;
    this.#machine = world.machine("node");
    const plan = world.dice("plan");
    this.#dice = world.dice("damage");
    const keyspace = new Keyspace(world.dice("keyspace"), plan.between(2, 20), plan.pick([100, 700, 3_000]));
    const options = { ...drawEngineOptions(world, plan), durability: "sync" as const };
    this.#driver = new EngineDriver(world, {
      directory,
      options,
      acknowledgedIsDurable: true,
      cacheIsKept: true,
      families: keyspace.families,
      damaged: true,
    });
    this.#workload = new EngineWorkload(this.#driver, keyspace, world.dice("steps"));
    this.#workload.onTolerated((error) => {
      if (error.code === "NOKV_CORRUPTION") this.#noteDetected(error.message);
    });
    this.#left = plan.pick(["closed", "crashed", "open"] as const);
    this.#fillSteps = plan.between(20, 200);
    world.story(`${this.#fillSteps} steps, left ${this.#left}, ${JSON.stringify(options)}`);
  }

  async run(): Promise<void> {
    await this.#turn((env) => this.#fill(env));
    if (this.#left === "crashed") {
      this.#machine.crash("process");
      this.#driver.crashed();
      this.#workload.reads.reset();
      // What the manifest names may have changed until the last moment.
      await this.#turn(async (env) => this.#learnNames(env));
    }
    if (!this.#world.options.faultFree) {
      if (this.#left !== "open" && this.#dice.chance(1, 5)) await this.#removeFile();
      else this.#damage();
    }
    if (this.#left !== "open") await this.#verify();
    const tolerance = this.#damages.length > 0 ? withCorruption(noErrors) : noErrors;
    this.#workload.tolerate(tolerance);
    for (let opening = 0; opening < 2; opening++) {
      if (!(await this.#turn((env) => this.#use(env)))) break;
    }
    this.#account();
  }

  /** Every damaged table and value file is found, and what is called sound stays so. */
  async #verify(): Promise<void> {
    const outcome = await this.#machine.run((env) => verifyAtRest(env, this.#world, directory));
    if (outcome.kind === "failed") throw outcome.error;
    if (outcome.kind === "crashed" || outcome.value === null) return;
    const report = outcome.value;
    this.#calledSound = damageIn(report) === null;
    // Without its manifest nobody knows which files there are.
    if (report.tables === 0 || this.#damages.some(({ path }) => isRoot(path))) return;
    const missed = this.#damages.find(({ path }) => {
      return this.#isData(path) && !report.findings.some((finding) => finding.path === path);
    });
    if (missed !== undefined) this.#world.fail("verify", `damage in ${missed.path} was not found`);
  }

  async #turn<T>(work: (env: Env) => Promise<T>): Promise<T> {
    const outcome = await this.#machine.run((env) => work(this.#listen(this.#tracker.attach(env))));
    if (outcome.kind === "done") return outcome.value;
    if (outcome.kind === "failed") throw outcome.error;
    this.#world.fail("liveness", "the node died without faults");
  }

  /** Background work that meets damage has nobody to tell but the trace. */
  #listen(env: Env): Env {
    const { clock, disk, network, random, jobs, failpoints } = env;
    const emit = (event: string, fields: TraceFields): void => {
      if (fields["code"] === "NOKV_CORRUPTION") this.#noteDetected(String(fields["message"]));
      env.trace.emit(event, fields);
    };
    return { clock, disk, network, random, jobs, failpoints, trace: { enabled: true, emit } };
  }

  async #fill(env: Env): Promise<void> {
    const error = await this.#driver.open(env);
    if (error !== null) this.#world.fail("errors", `open: ${error.code} ${error.message}`);
    for (let i = 0; i < this.#fillSteps; i++) await this.#workload.step(env);
    await this.#quiet(env);
    // What vouches in the background has reached the disk by then, however slow it is.
    await pause(env, settleUs);
    // A witness stands behind the last group, so everything durable is vouched for.
    for (const [path, bytes] of this.#segmentBytes()) this.#vouched.set(path, bytes);
    if (this.#left === "crashed" && this.#dice.chance(1, 2)) await this.#fillSegments(env);
    if (this.#left === "closed") await this.#close();
    this.#learnNames(env);
  }

  #learnNames(env: Env): void {
    this.#keptSegments.clear();
    this.#named.clear();
    const { state } = readManifest(env.disk, directory);
    for (const table of state.tablesInOrder()) this.#named.add(tablePath(directory, table.number));
    for (const file of state.valuesInOrder()) {
      const path = valueFilePath(directory, file);
      this.#named.add(path);
      if (file.kind === "log") this.#keptSegments.add(path);
    }
  }

  /** What tables consist of: any number of these may be damaged, since no other file is judged by them. */
  #isData(path: string): boolean {
    return /\.(?:sst|vlog)$/.test(path) || this.#keptSegments.has(path);
  }

  /** Leaves several segments behind, none of them flushed yet: the newest vouches for all before it. */
  async #fillSegments(env: Env): Promise<void> {
    for (let i = this.#dice.between(5, commitsMax); i > 0; i--) this.#workload.commit();
    while (this.#driver.pending > 0) await pause(env, 200);
    const segments = [...this.#segmentBytes()];
    segments.pop();
    this.#vouched.clear();
    for (const [path, bytes] of segments) this.#vouched.set(path, bytes);
  }

  /** One commit, told, and then long enough for whatever follows it. */
  async #quiet(env: Env): Promise<void> {
    const waitingUs = slowestUs(this.#driver.plan.options, waitingBytesMax);
    const deadlineUs = this.#world.nowUs + 60_000_000 + waitingUs;
    const answer = await this.#workload.probe(env, deadlineUs);
    if (answer !== null) this.#world.fail("errors", `commit: ${answer.code} ${answer.message}`);
    while (this.#driver.pending > 0) await pause(env, 1_000);
    await pause(env, 100_000);
  }

  #segmentBytes(): Map<string, number> {
    const { disk } = this.#machine;
    const sizes = new Map<string, number>();
    for (const path of disk.paths()) {
      if (path.endsWith(".log")) sizes.set(path, wholeBytes(path, disk.inspect(path)?.durable ?? none));
    }
    return sizes;
  }

  /**
   * The fault atlas. A log with one copy cannot tell damage to its last bytes from a torn tail, so those are
   * spared unless an orderly close noted the end. The pieces of evidence are the log, the manifest and CURRENT:
   * one of them at most is damaged, tables as often as the dice say.
   */
  #damage(): void {
    let evidence = 1;
    for (let left = this.#dice.between(1, 4); left > 0; left--) {
      this.#target = this.#dice.pick(targets);
      let right = new Uint8Array(0);
      const found = this.#machine.disk.corruptAtRest(this.#dice.pick(kinds), (path, offset, length) => {
        right = this.#bytesAt(path, offset, length);
        return this.#mayDamage(path, offset + length, evidence);
      });
      if (found === null) continue;
      if (!this.#isData(found.path)) evidence--;
      const wrong = this.#bytesAt(found.path, found.offset, found.length);
      const damage = { ...found, right, wrong };
      this.#damages.push(damage);
      this.#tracker.watch(damage);
      this.#world.story(`${found.kind} in ${found.path} at ${found.offset}, ${found.length} bytes`);
    }
  }

  #bytesAt(path: string, offset: number, length: number): Uint8Array<ArrayBuffer> {
    const durable = this.#machine.disk.inspect(path)?.durable.subarray(offset, offset + length);
    return Uint8Array.from(durable ?? []);
  }

  /** The worst damage: a file is gone, as after an operator's mistake. */
  async #removeFile(): Promise<void> {
    // Of a segment that is not vouched for nobody knows that it was ever there, and a table in the making is
    // nobody's yet.
    const names = this.#machine.disk
      .paths()
      .filter((path) => isRoot(path) || this.#named.has(path) || this.#vouched.has(path));
    const path = this.#dice.pick(names);
    this.#damages.push({ kind: "bit-rot", path, offset: 0, length: 0, right: none, wrong: none });
    this.#world.story(`${path} is removed`);
    await this.#turn((env) => {
      env.disk.remove(path);
      return new Promise<void>((resolve) => {
        env.disk.syncDir(directory, () => resolve());
      });
    });
  }

  #mayDamage(path: string, end: number, evidence: number): boolean {
    if (path.endsWith("/LOCK") || !this.#target.pattern.test(path)) return false;
    const size = this.#machine.disk.inspect(path)?.durable.length ?? 0;
    if (this.#target.atEnd && end + sectorBytes <= size) return false;
    if (this.#isData(path)) return true;
    if (evidence === 0) return false;
    if (!path.endsWith(".log") || this.#left === "closed") return true;
    return end <= (this.#vouched.get(path) ?? 0);
  }

  /** False: the directory was refused, as it may be. */
  async #use(env: Env): Promise<boolean> {
    if (!this.#driver.isOpen) {
      const error = await this.#driver.open(env);
      if (error !== null) {
        this.#refused(error);
        await this.#lookAtRest(env);
        return false;
      }
    }
    this.#workload.reads.everything();
    for (let i = this.#dice.between(5, 30); i > 0; i--) await this.#workload.step(env);
    void this.#workload.flush();
    void this.#workload.compact();
    await pause(env, 50_000);
    this.#workload.reads.everything();
    await this.#close();
    return true;
  }

  /** A directory that is refused can still be looked at, as far as there is something left of it. */
  async #lookAtRest(env: Env): Promise<void> {
    const driver = this.#driver;
    const problem = await lookAtRest(env, this.#world, driver.plan, {
      wasWritten: (key, value) => driver.written.has(key, value),
      noticed: (message) => this.#noteDetected(message),
    });
    if (problem !== null) this.#world.fail("read-only", problem);
  }

  async #close(): Promise<void> {
    this.#workload.reads.releaseAll();
    const error = await this.#driver.close();
    if (error !== null) this.#world.fail("errors", `close: ${error.code} ${error.message}`);
  }

  #refused(error: NokvError): void {
    this.#world.story(`open refused: ${error.code} ${error.message}`);
    if (error.code !== "NOKV_CORRUPTION") {
      this.#world.fail("errors", `open: ${error.code} ${error.message}`);
    }
    this.#noteDetected(error.message);
    const named = this.#damages.some(({ path }) => names(error.message, path));
    // Without its manifest a database cannot be more precise than what it misses.
    const vague = this.#damages.some(({ path }) => !/\.(sst|log|vlog)$/.test(path));
    if (!named && !vague) this.#world.fail("errors", `open blames the wrong file: ${error.message}`);
  }

  #noteDetected(message: string): void {
    if (this.#damages.length === 0) this.#world.fail("errors", `nothing is damaged: ${message}`);
    if (this.#calledSound) this.#world.fail("verify", `called sound, and then: ${message}`);
    for (const { path } of this.#damages) {
      if (names(message, path)) this.#detected.add(path);
    }
  }

  /** Every injected damage was noticed, or nobody was ever given the wrong bytes. */
  #account(): void {
    for (const damage of this.#damages) {
      const { kind, path, offset } = damage;
      const seen = this.#tracker.saw(damage);
      const noticed = this.#detected.has(path) || this.#replaced(path);
      this.#world.story(`${kind} in ${path} at ${offset}: ${seen ? "" : "not "}seen, ${noticed ? "" : "not "}noticed`);
      if (seen && !noticed) this.#world.fail("accounting", `${kind} in ${path} at ${offset} was read and not noticed`);
    }
  }

  /** A refusal may name another file than the one whose damage made it necessary. */
  #replaced(path: string): boolean {
    return this.#detected.size > 0 && !this.#isData(path);
  }
}

/** What says which files there are. */
function isRoot(path: string): boolean {
  return /\/(?:CURRENT|MANIFEST-\d+)$/.test(path);
}

/** A segment that is not there is named by its number. */
function names(message: string, path: string): boolean {
  const segment = /wal-0*(\d+)\.log$/.exec(path)?.[1];
  return message.includes(path) || (segment !== undefined && message.includes(`segment ${segment},`));
}

/** Where the last whole frame of a segment ends: a file that served before reaches far beyond it. */
function wholeBytes(path: string, bytes: Uint8Array): number {
  const number = Number(/wal-(\d+)\.log$/.exec(path)?.[1] ?? 0);
  const header = readFileHeader(bytes, bytes.length, fileMagic.wal, number, path);
  if (header instanceof NokvError) return 0;
  return scanSegment(path, bytes, bytes.length, number, header.epoch).goodBytes;
}
