import { sleep, type Clock } from "../../core/clock.ts";
import type { RevocationEntry } from "../../core/revocation.ts";
import { RevocationListeners, type RevocationListener } from "../revocation-log.ts";
import type { RedisConnection } from "./connection.ts";
import { toEntry, type RawEntry } from "./revocations.ts";

/** The server answers a blocking read after this time at the latest, so a silent connection is noticed. */
const BLOCK_MS = 1000;
const RETRY_PAUSE_MS = 500;
/** Published entries to remember: entries of this process come back in the stream, and are published only once. */
const MAX_REMEMBERED = 10_000;

/** Which log to read, and over which connection. */
export interface LogReaderOptions {
  /** Opens a separate connection, because a blocking read delays all other commands on its connection. */
  readonly open: () => Promise<RedisConnection>;
  readonly logKey: string;
  /** The end of the log when the store was opened. */
  readonly seq: number;
  readonly clock: Clock;
}

/**
 * Publishes log entries to listeners: entries of this process at once, and entries of other processes as the stream
 * delivers them. It may miss entries or reorder them. A follower of the log detects that by the sequence numbers, and
 * polls.
 */
export class LogReader {
  readonly #options: LogReaderOptions;
  readonly #listeners = new RevocationListeners();
  readonly #published = new Set<string>();
  #subscribers = 0;
  #from: number;
  #reading = false;
  #connection: RedisConnection | null = null;
  #closed = false;

  constructor(options: LogReaderOptions) {
    this.#options = options;
    this.#from = options.seq;
  }

  subscribe(listener: RevocationListener): () => void {
    const unsubscribe = this.#listeners.subscribe(listener);
    this.#subscribers++;
    if (!this.#reading) void this.#read();
    let left = false;
    return () => {
      unsubscribe();
      if (!left) this.#subscribers--;
      left = true;
    };
  }

  publish(entries: readonly RevocationEntry[]): void {
    const unpublished = entries.filter(({ seq, chain }) => !this.#published.has(`${seq} ${chain}`));
    for (const { seq, chain } of unpublished) this.#published.add(`${seq} ${chain}`);
    for (const old of this.#published) {
      if (this.#published.size <= MAX_REMEMBERED) break;
      this.#published.delete(old);
    }
    this.#listeners.publish(unpublished);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#connection?.close();
  }

  get #isWanted(): boolean {
    return !this.#closed && this.#subscribers > 0;
  }

  async #read(): Promise<void> {
    const { open, clock } = this.#options;
    this.#reading = true;
    while (this.#isWanted) {
      try {
        this.#connection = await open();
        while (this.#isWanted) await this.#readOnce(this.#connection);
      } catch {
        if (this.#isWanted) await sleep(clock, RETRY_PAUSE_MS);
      }
      await this.#connection?.close();
      this.#connection = null;
    }
    this.#reading = false;
  }

  async #readOnce(connection: RedisConnection): Promise<void> {
    const { logKey } = this.#options;
    const command = ["XREAD", "BLOCK", String(BLOCK_MS), "COUNT", "1000", "STREAMS", logKey];
    const reply = await connection.send(logKey, [...command, `${this.#from}-0`], BLOCK_MS);
    const [[, raw] = [null, []]] = (reply ?? []) as [key: string, entries: RawEntry[]][];
    const entries = raw.map(toEntry);
    this.#from = entries.at(-1)?.seq ?? (await this.#readEnd(connection));
    this.publish(entries);
  }

  /** Returns the end of the log. It is lower than `#from` when the server that took over lacks the last entries. */
  async #readEnd(connection: RedisConnection): Promise<number> {
    const { logKey } = this.#options;
    const [last] = (await connection.send(
      logKey,
      ["XREVRANGE", logKey, "+", "-", "COUNT", "1"],
      0,
    )) as RawEntry[];
    return last === undefined ? this.#from : Math.min(this.#from, toEntry(last).seq);
  }
}
