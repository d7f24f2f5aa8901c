/** One connection of one client. A promise that rejects: the outcome is not known, or the server refused. */
export interface KvClient {
  put(key: string, value: Uint8Array): Promise<void>;
  /** Linearizable. */
  get(key: string): Promise<Uint8Array | null>;
  /** Adds one to a counter that many others add to as well. */
  increment(key: string): Promise<void>;
  /** Both or none, also where the keys live in different regions. */
  putTwo(one: string, other: string, value: Uint8Array): Promise<void>;
  close(): void;
}

/** A database of several processes on this machine, running. */
export interface System {
  readonly name: string;
  readonly version: string;
  /** Of its servers. */
  pids(): readonly number[];
  connect(): Promise<KvClient>;
  /** Kills whoever leads `key` by SIGKILL, and gives a way to start it again. Null: nobody can take over. */
  readonly killLeader: ((key: string) => Promise<() => Promise<void>>) | null;
  stop(): Promise<void>;
}

/** A system that may be installed here. */
export interface Contestant {
  readonly name: string;
  /** Null: it is here; else why not. */
  absent(): string | null;
  /** Begins with empty directories below `directory`; resolves when it serves. */
  start(directory: string): Promise<System>;
}
