import type { Clock } from "../../core/env/clock.ts";
import type { Address } from "../../core/env/network.ts";
import type { Random } from "../../core/env/random.ts";
import type { Trace } from "../../core/env/trace.ts";
import type { Kv } from "../../core/kv/kv.ts";
import type { CommandTable } from "./command-table.ts";
import type { GatewayOptions } from "./options.ts";
import { ScanCursors } from "./scan-cursors.ts";
import type { Session } from "./session.ts";
import { Statistics } from "./statistics.ts";
import { WriterPool } from "./writer-pool.ts";

/** The parts of `Env` that a gateway uses. */
export interface GatewayWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly trace: Trace;
}

/** What commands may ask of a client that is not theirs. */
export interface Client {
  readonly session: Session;
  /** Bytes received and not executed. */
  readonly queuedBytes: number;
  /** Reply bytes not taken by the network. */
  readonly replyBytes: number;
}

export interface GatewayParts {
  readonly kv: Kv;
  readonly options: GatewayOptions;
  readonly commands: CommandTable;
  /** About how many keys there are, at no cost; for INFO. */
  readonly estimateKeys: () => number;
}

/** What all connections of a server have in common. */
export class Gateway {
  readonly kv: Kv;
  readonly options: GatewayOptions;
  readonly commands: CommandTable;
  readonly estimateKeys: () => number;
  readonly clock: Clock;
  readonly trace: Trace;
  readonly statistics: Statistics;
  readonly cursors: ScanCursors;
  readonly writers = new WriterPool();
  /** In order of arrival. */
  readonly clients = new Map<number, Client>();
  readonly startedUs: number;
  readonly startedMs: number;
  /** 40 hexadecimal digits that change with every start. */
  readonly runId: string;
  address: Address = { host: "", port: 0 };

  constructor(world: GatewayWorld, parts: GatewayParts) {
    this.clock = world.clock;
    this.trace = world.trace;
    this.kv = parts.kv;
    this.options = parts.options;
    this.commands = parts.commands;
    this.estimateKeys = parts.estimateKeys;
    this.startedUs = world.clock.monotonicUs();
    this.startedMs = world.clock.wallMs();
    this.statistics = new Statistics(parts.commands.entries.length);
    const draw = (ordinal: number): number => {
      return world.random.u32("net/redis/start", Math.max(0, this.startedMs), ordinal);
    };
    this.cursors = new ScanCursors(parts.options.scanCursorsMax, draw(0) % 0x10_0000);
    this.runId = [1, 2, 3, 4, 5].map((i) => draw(i).toString(16).padStart(8, "0")).join("");
  }

  /** Requests of one client that may wait for the store at once: one, where the store does not keep their order. */
  get inFlightMax(): number {
    return this.kv.ordered ? this.options.inFlightMax : 1;
  }

  /** Clients need not say a password. */
  get open(): boolean {
    return this.options.password === "";
  }
}
