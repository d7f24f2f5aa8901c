// HOT: every proposal and every read begins here.
import { assert } from "../../core/assert.ts";
import type { PeerId } from "../entry.ts";
import type { Input } from "../input.ts";
import { effectOf } from "./admin-entry.ts";
import { type AdminEntry, wrapAdmin, wrapData } from "./entry-envelope.ts";
import { type PeerChange, confChangeOf, regionAfterPeers } from "./peer-change.ts";
import type { Peer } from "./peer.ts";
import type { PeerContext } from "./peer-context.ts";
import type { ProposalEnd } from "./region-machine.ts";
import type { ChangeDone, Requests } from "./requests.ts";
import { proposalBytesMax } from "./store-options.ts";

/** What is asked of a peer: refused at once where there is too much of it, else handed to the machine under a token. */
export class PeerIntake {
  readonly #context: PeerContext;
  readonly #peer: Peer;
  readonly #requests: Requests;
  readonly #dropped: (proposal: number, why: ProposalEnd) => void;

  // oxlint-disable-next-line max-params
  constructor(
    context: PeerContext,
    peer: Peer,
    requests: Requests,
    dropped: (proposal: number, why: ProposalEnd) => void,
  ) {
    this.#context = context;
    this.#peer = peer;
    this.#requests = requests;
    this.#dropped = dropped;
  }

  propose(proposal: number, data: Uint8Array): void {
    assert(proposal > 0, "a proposal has a number");
    assert(data.length <= proposalBytesMax, "a proposal fits its frame");
    const { stats, options } = this.#context;
    stats.proposals++;
    if (this.#peer.isMerging || this.#requests.proposalCount >= options.proposalsMax) {
      stats.proposalsRefused++;
      this.#answerLater(() => this.#dropped(proposal, "busy"));
      return;
    }
    const token = this.#requests.add({ kind: "proposal", proposal });
    this.#step({ kind: "propose", token, data: wrapData(this.#peer.region.epoch.version, data) });
  }

  readIndex(done: (ok: boolean) => void): void {
    const { stats, options } = this.#context;
    stats.reads++;
    if (this.#peer.isMerging || this.#requests.readCount >= options.readsMax) {
      stats.readsRefused++;
      this.#answerLater(() => done(false));
      return;
    }
    this.#step({ kind: "readIndex", token: this.#requests.add({ kind: "read", done }) });
  }

  changePeers(changes: readonly PeerChange[], done: ChangeDone): void {
    const { region } = this.#peer;
    const change = confChangeOf(region, changes);
    const after = this.#peer.isMerging ? "the region is being merged" : regionAfterPeers(region, change);
    if (typeof after === "string") {
      this.#answerLater(() => done({ kind: "refused", reason: after }));
      return;
    }
    this.#step({ kind: "conf", token: this.#requests.add({ kind: "change", done }), change });
  }

  /** A command to the region itself. */
  command(entry: AdminEntry, done: ChangeDone): void {
    const { refused } = effectOf(entry, this.#peer.region, this.#peer.merge);
    if (refused !== null) this.#answerLater(() => done({ kind: "refused", reason: refused }));
    else this.#step({ kind: "propose", token: this.#requests.add({ kind: "change", done }), data: wrapAdmin(entry) });
  }

  transfer(to: PeerId): void {
    this.#step({ kind: "transfer", to });
  }

  campaign(): void {
    this.#step({ kind: "campaign", force: false });
  }

  #step(input: Input): void {
    this.#peer.input(input);
  }

  #answerLater(answer: () => void): void {
    this.#requests.answerLater(answer);
    this.#context.dirty(this.#peer);
  }
}
