import type { RegionReport } from "../coordinator/region-report.ts";
import { epochEquals } from "../raft/epoch.ts";
import type { RegionMeta } from "../raft/region.ts";

/** What is said of a region that this store leads. */
export interface Word {
  readonly term: number;
  readonly region: RegionMeta;
  readonly report: RegionReport;
  /** Of the report, by the monotonic clock. */
  readonly atUs: number;
}

/** A region that has grown or shrunk by less, and by less than an eighth, counts as it did. */
const bytesDifferenceMin = 64 * 1024;
/** The same of entries per second, and a quarter. */
const entriesDifferenceMin = 16;
/** The same of commands per second. */
const commandsDifferenceMin = 256;
/** Two silences that began so close to each other are one: they are told in milliseconds, at different times. */
const sinceUsMax = 500_000;

/**
 * What the Coordinator has acknowledged of the regions that this store leads, so that only what is new is said.
 *
 * The Coordinator keeps what it is told in memory, for one *office* (`Coordinator.office`): a process that begins
 * anew, and another member that leads the group, has a later one and knows nothing. Each acknowledgement names the
 * office whose it is. The rule:
 *
 * 1. A word counts as said when an acknowledgement of the latest office that was heard of has come for it. What was
 *    lost, refused, or answered by an earlier office was not said, and the word before it counts no more: the one
 *    whose answer is missing may have been heard.
 * 2. An answer of another office voids all that was said. Each heartbeat of the store is answered, so a change of
 *    office is noticed one heartbeat later, however quiet the regions are. It is an earlier one where a Coordinator
 *    runs on an old copy of its directory; the late answer of one that was deposed is voided by the next heartbeat's.
 * 3. Whoever leads a region says so once per term and epoch, whatever was said of it before: a leader of another store
 *    may have had its say in between. Of what changes within them, a report, only what makes a difference is said.
 * 4. A region has one word under way at a time, and each has a later number than the one before. The Coordinator takes
 *    none that is earlier than one it took of that leader: a copy that comes late cannot undo what has been said since.
 * 5. Nothing is said of a region that rests. The heartbeats of its leader's store confirm what was said last:
 *    whoever was silent then counts as silent until the last of them (`RegionReports.of`).
 *
 * So at any time each region's latest word is acknowledged by the office that decides, or is said again with the next
 * heartbeat. Nothing rests on who was told before a loss of leadership, a restart (it begins with nothing said) or a
 * division (another epoch, and a region that was never told of).
 */
export class ToldRegions {
  readonly #words = new Map<number, Word>();
  /** The latest that was heard of; 0: none, or one that knew nothing of this store. */
  #office = 0;
  #lastSeq = 0;

  /** For the next word, whatever it is about. */
  nextSeq(): number {
    return ++this.#lastSeq;
  }

  /** That office answers the store's heartbeats. True: it is another one, and has been told of nothing. */
  answeredBy(office: number): boolean {
    if (office === 0 || office === this.#office) return false;
    this.#office = office;
    this.#words.clear();
    return true;
  }

  /** The Coordinator began with a new journal: its offices count from one again. */
  forgetOffice(): void {
    this.#office = 0;
    this.#words.clear();
  }

  /** `office` 0: nobody has heard it, as far as is known. True: it was heard by a later one. */
  acknowledged(word: Word, office: number): boolean {
    const isLater = office > this.#office && this.answeredBy(office);
    if (office !== 0 && office === this.#office) this.#words.set(word.region.id, word);
    else this.#words.delete(word.region.id);
    return isLater;
  }

  /** Who leads and what the region is like is said already. */
  isSaid(term: number, region: RegionMeta): boolean {
    const word = this.#words.get(region.id);
    return word !== undefined && word.term === term && epochEquals(word.region.epoch, region.epoch);
  }

  /** `word` says something that the last one did not. */
  isNews(word: Word): boolean {
    const said = this.#words.get(word.region.id);
    if (said === undefined || !this.isSaid(word.term, word.region)) return true;
    return differs(said, word);
  }

  /** Words of regions that are led no more are dropped when there are so many. */
  prune(led: number, leads: (regionId: number) => boolean): void {
    if (this.#words.size <= led + 64) return;
    for (const id of this.#words.keys()) if (!leads(id)) this.#words.delete(id);
  }
}

function differs(said: Word, now: Word): boolean {
  const [before, after] = [said.report, now.report];
  if (isFar(before.sizeBytes, after.sizeBytes, bytesDifferenceMin, 8)) return true;
  // That it is known, however little it is, is news.
  if ((before.sizeBytes === 0) !== (after.sizeBytes === 0)) return true;
  if (isFar(before.commandsPerSecond, after.commandsPerSecond, commandsDifferenceMin, 4)) return true;
  const [slow, fast] = [before.entriesPerSecond, after.entriesPerSecond];
  // At rest it is nothing, not a little.
  if (isFar(slow, fast, entriesDifferenceMin, 4) || (fast === 0 && slow > 0)) return true;
  if (before.peers.length !== after.peers.length) return true;
  return after.peers.some(({ peerId, silentMs, caughtUp }, i) => {
    const known = before.peers[i];
    if (known === undefined || known.peerId !== peerId || known.caughtUp !== caughtUp) return true;
    if (known.silentMs === 0 || silentMs === 0) return known.silentMs !== silentMs;
    const sinceUs = said.atUs - known.silentMs * 1_000;
    return Math.abs(now.atUs - silentMs * 1_000 - sinceUs) > sinceUsMax;
  });
}

// oxlint-disable-next-line max-params
function isFar(a: number, b: number, least: number, part: number): boolean {
  return Math.abs(a - b) >= Math.max(least, Math.floor(a / part));
}
